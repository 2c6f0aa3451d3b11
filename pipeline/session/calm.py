"""Who sits so calmly that only freshness is missing: whom to ask for a turn of the head.

Here: whether a table that proved nothing would have been enough with a face that moves more. Not
here: what moves too little (cues/freshness.py), what an answer must show (cues/turn.py), when
somebody is asked (session.py). Nobody is accepted by it: the turn is required beside everything
else, freshness included. Measured: docs/freshness.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.decision import Evidence, Stand, Step, decide
from pipeline.policy import Policy

HARDLY = "hardly_moves"
"""The reason of freshness that a person can change. What shakes, repeats or is only noise is left
as it is."""


def calm(rows: Sequence[Evidence], policy: Policy) -> bool:
    """Whether a whole window wants nothing but more motion. Whose face it is plays no part: else
    the question would tell a photo whom it shows."""
    told = [row for row in rows if row.cue != "identity"]
    moving = [replace(row, stand=Stand.FOR) if row.reason == HARDLY else row for row in told]
    if moving == told:
        return False
    anybody = replace(policy, required=tuple(cue for cue in policy.required if cue != "identity"))
    whole = {"elapsed_s": policy.window_s, "window_s": policy.window_s, "settle_s": 0.0}
    return decide(moving, anybody, **whole).step is Step.ACCEPT
