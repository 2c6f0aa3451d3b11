"""Recorded verdicts decided again under another policy, and how many would change.

First each table is decided under the policy that it was decided by, which the audit has: what does
not come out as it was recorded is left out and counted, and so is what no table decided (somebody
cancelled). Not here: deciding (pipeline/again.py), reading the audit (export.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from pipeline.again import decide_again, not_followed, read_row
from pipeline.decision import Decision, Moment, Step
from pipeline.policy import Policy
from pipeline.reasons import Purpose
from server.audit.record import read_body
from server.store.audit import AuditRecord

WORDS = {
    Step.ACCEPT: "accepted",
    Step.REJECT: "rejected",
    Step.GO_ON: "undecided",
    Step.TRY_AGAIN: "undecided",
}


@dataclass(slots=True)
class Rejudged:
    """How many verdicts there were, and what would become of them."""

    verdicts: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """By why: no_policy, no_table, not_reproduced."""
    same: int = 0
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By what it was and what it would be, as "accepted" and "rejected liveness"."""
    not_followed: set[str] = field(default_factory=set)
    """Fields that the other policy changes and no recorded table can follow."""


def rejudge(records: Iterable[AuditRecord], change: Callable[[Policy], Policy]) -> Rejudged:
    """Decide every recorded verdict again, by what `change` makes of its own policy."""
    told = [read_body(record.body) for record in records]
    policies: dict[str, tuple[Policy, Policy]] = {}
    found = Rejudged()
    for body in told:
        if body.get("kind") == "settings":
            for name, policy in _policies(body).items():
                other = change(policy)
                policies[name] = policy, other
                found.not_followed.update(not_followed(policy, other))
    for body in told:
        if body.get("kind") == "verdict":
            found.verdicts += 1
            _one(body, policies, found)
    return found


def _one(body: Any, policies: dict[str, tuple[Policy, Policy]], found: Rejudged) -> None:
    pair = policies.get(str(body.get("fingerprint")))
    if pair is None:
        found.left_out["no_policy"] += 1
        return
    try:
        rows = [read_row(row) for row in body["table"]]
        moment = Moment(**body["moment"])
        search = body["purpose"] == Purpose.IDENTIFY
    except (ValueError, TypeError, KeyError):
        found.left_out["no_table"] += 1
        return
    before, after = (decide_again(rows, one, moment, search=search) for one in pair)
    if not _is_that(body, before):
        found.left_out["not_reproduced"] += 1
    elif _word(before) == _word(after):
        found.same += 1
    else:
        found.changes[_word(before), _word(after)] += 1


def _is_that(body: Any, decision: Decision) -> bool:
    """Whether it is the verdict that was recorded. The last window of a session that proves nothing
    rejects, too."""
    reasons = [reason.value for reason in decision.reasons]
    if decision.step is Step.ACCEPT:
        return bool(body.get("outcome") == "accepted")
    ended = decision.step in (Step.REJECT, Step.TRY_AGAIN)
    return ended and body.get("outcome") == "rejected" and body.get("reasons") == reasons


def _word(decision: Decision) -> str:
    return " ".join((WORDS[decision.step], *(reason.value for reason in decision.reasons)))


def _policies(body: Any) -> dict[str, Policy]:
    """By fingerprint. Fields that this version does not know change the fingerprint, so that such a
    policy is not taken for another."""
    names = {one.name for one in fields(Policy)}
    found = {}
    for told in body.get("policies", {}).values():
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in told["fields"].items()
            if name in names
        }
        policy = Policy(**given)
        if policy.fingerprint() == told["fingerprint"]:
            found[policy.fingerprint()] = policy
    return found
