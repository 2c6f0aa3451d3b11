"""From rows of evidence to accept, reject, go on or try again. Pure; default deny.

A row says what one cue found; the decision is the table of rows against a policy. Absence of
evidence never accepts: every required cue must be FOR, none may be AGAINST, and the clipped
log-likelihood ratios of liveness must add up. Sequential in the sense of Wald (1945): it stops at
the first moment the evidence is enough, either way, and at the end of the window at the latest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.policy import Policy
from pipeline.reasons import Reason


class Stand(StrEnum):
    """Which way a row points."""

    FOR = "for"
    AGAINST = "against"
    UNKNOWN = "unknown"


class Topic(StrEnum):
    """What question a row answers."""

    LIVENESS = "liveness"
    IDENTITY = "identity"
    QUALITY = "quality"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One cue's row."""

    cue: str
    """Name of the cue, stable."""
    topic: Topic
    """Which question it answers."""
    stand: Stand
    """Which way it points."""
    reason: str
    """Why, a stable code of the cue's own."""
    llr: float = 0.0
    """Clipped natural log-likelihood ratio, positive for live; 0 unless measured for liveness."""
    certain: bool = False
    """AGAINST so clearly that more frames of this window cannot change it."""
    numbers: dict[str, float] = field(default_factory=dict)
    """The measurements behind it, never an embedding."""

    def to_json(self) -> dict[str, object]:
        """A row for the session record."""
        return {
            "cue": self.cue,
            "topic": self.topic.value,
            "stand": self.stand.value,
            "reason": self.reason,
            "llr": round(self.llr, 3),
            "certain": self.certain,
            "numbers": {name: round(value, 4) for name, value in self.numbers.items()},
        }


class Step(StrEnum):
    """What a decision tells the session to do."""

    ACCEPT = "accept"
    REJECT = "reject"
    GO_ON = "go_on"
    TRY_AGAIN = "try_again"
    """The window is over and proved nothing: gather afresh."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from the rows."""

    step: Step
    reasons: tuple[Reason, ...] = ()


def decide(
    rows: Sequence[Evidence], policy: Policy, *, elapsed_s: float, settle_s: float, window_s: float
) -> Decision:
    """Judge one window of evidence.

    `elapsed_s` counts from the first usable frame. Before `settle_s` nothing is decided: a window
    shorter than that was never measured. From `window_s` on a decision is forced: a row AGAINST
    rejects, all FOR accepts, anything unknown means gathering afresh. Identity refuses only what
    is certainly live: else a photo would be an oracle for whose face it shows.
    """
    if elapsed_s < settle_s:
        return Decision(Step.GO_ON)
    late = elapsed_s >= window_s
    liveness = [row for row in rows if row.topic is Topic.LIVENESS]
    if _refuses(liveness, late=late):
        return Decision(Step.REJECT, (Reason.LIVENESS,))
    live = bool(liveness) and all(row.stand is Stand.FOR for row in liveness)
    for topic, reason in ((Topic.IDENTITY, Reason.NO_MATCH), (Topic.QUALITY, Reason.QUALITY)):
        if live and _refuses([row for row in rows if row.topic is topic], late=late):
            return Decision(Step.REJECT, (reason,))
    stands = {row.cue: row.stand for row in rows}
    # The lower sum was measured on `policy.window_s`; an enrolment may go on for longer.
    measured = elapsed_s >= policy.window_s
    needed = policy.accept_late_llr if measured else policy.accept_llr
    if (
        policy.required  # a policy that requires nothing accepts nobody
        and all(stands.get(cue) is Stand.FOR for cue in policy.required)
        and all(row.stand is not Stand.AGAINST for row in rows)
        and sum(row.llr for row in liveness) >= needed
    ):
        return Decision(Step.ACCEPT)
    if not late:
        return Decision(Step.GO_ON)
    usable = all(row.stand is Stand.FOR for row in rows if row.topic is Topic.QUALITY)
    return Decision(Step.TRY_AGAIN, (Reason.LIVENESS if usable and not live else Reason.QUALITY,))


def _refuses(rows: Sequence[Evidence], *, late: bool) -> bool:
    return any(row.stand is Stand.AGAINST and (late or row.certain) for row in rows)
