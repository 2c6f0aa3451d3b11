"""A recorded table of rows, decided again under another policy.

A row that recorded its measurements says what its cue would say of them under other thresholds; all
others stay as they were recorded. It is one table at one moment: under another policy the session
might have been decided sooner or later, which only a tape can show (pipeline/tape/replay.py).
Not here: the rows (cues/), the rule (decision.py), where tables are recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from pipeline.cues import background, detail, glow, identity, micro, spoof
from pipeline.decision import Decision, Evidence, Moment, Species, Stand, Topic, decide
from pipeline.policy import Policy

Judge = Callable[[dict[str, float], Policy], Evidence]

AGAIN: Mapping[str, tuple[str, Judge]] = {
    "spoof": ("margin", spoof.judged),
    "background": ("stays", background.judged),
    "glow": ("log_ratio", glow.judged),
    "detail": ("log_ratio", detail.judged),
    "micro": ("eye_change", micro.judged),
}
"""Cues that are judged again, and the number without which their row was not measured. Identity is
one more."""

BY: tuple[str, ...] = (
    *("required", "weighed", "accept_llr", "accept_late_llr", "reject_llr"),
    *("clear_s", "early_accept_llr", "early_reject_llr"),
    *("match_score", "mismatch_score", "identify_score", "identify_margin"),
    *("spoof_gain", "spoof_offset", "spoof_floor", "spoof_clip", "spoof_strong"),
    *("spoof2_gain", "spoof2_offset", "spoof3_gain", "spoof3_offset"),
    *("background_zero", "glow_gain", "glow_offset", "glow_clip"),
    *("detail_gain", "detail_zero", "detail_clip"),
    *("micro_gain", "micro_offset", "micro_floor", "micro_clip"),
)
"""Fields of a policy whose change a recorded table follows."""


def read_row(told: Any) -> Evidence:
    """A row as `Evidence.to_json` wrote it; what was not finite is NaN. Raises ValueError,
    TypeError, KeyError."""
    return Evidence(
        cue=str(told["cue"]),
        topic=Topic(told["topic"]),
        stand=Stand(told["stand"]),
        reason=str(told["reason"]),
        llr=_number(told["llr"]),
        certain=bool(told["certain"]),
        numbers={str(name): _number(value) for name, value in told["numbers"].items()},
        species=tuple(Species(one) for one in told["species"]),
    )


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def under(row: Evidence, policy: Policy, *, search: bool) -> Evidence:
    """The row of the same measurements under another policy. `search`: of a session that looked
    for somebody among many."""
    if row.cue == "identity" and row.topic is Topic.IDENTITY and "score" in row.numbers:
        old = row.reason == "embedding_too_old"
        return identity.judged(row.numbers, policy, search=search, old=old)
    number, judge = AGAIN.get(row.cue, ("", None))
    if judge is None or number not in row.numbers:
        return row
    return judge(row.numbers, policy)


def decide_again(
    rows: Sequence[Evidence], policy: Policy, moment: Moment, *, search: bool
) -> Decision:
    """What this table would have been decided as at that moment."""
    if moment.asked is not None:
        policy = replace(policy, required=(*policy.required, moment.asked))
    return decide(
        [under(row, policy, search=search) for row in rows],
        policy,
        **moment.times(),
    )


def not_followed(one: Policy, other: Policy) -> list[str]:
    """Fields that differ, and that a recorded table says nothing of."""
    names = [field.name for field in fields(Policy)]
    return [
        name
        for name in names
        if name not in (*BY, "name", "acr") and getattr(one, name) != getattr(other, name)
    ]
