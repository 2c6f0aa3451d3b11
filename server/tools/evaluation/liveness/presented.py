"""What was shown, and what a session about a film or the picture cues of a still made of it.

Not here: rates (evaluate.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.policy import Policy
from pipeline.reasons import Phase, Reason
from server.tools.evaluation.cache import Value
from server.tools.evaluation.folder import LIVE, Item


@dataclass(frozen=True, slots=True)
class Played:
    """One file and what came of it."""

    item: Item
    value: Value
    sha256: str

    @property
    def live(self) -> bool:
        return self.item.label == LIVE

    @property
    def accepted(self) -> bool | None:
        """What a film's session, or a still's sum, said; None for no answer (non-response)."""
        value = self.value
        if value["phase"] == Phase.ACCEPTED:
            return True
        refused = value["phase"] == Phase.REJECTED and Reason.LIVENESS in value["reasons"]
        return False if refused else None

    @property
    def silence(self) -> str:
        """Why there was no answer, a stable code."""
        value = self.value
        if not value["gathered"]:
            return str(value["failure"] or "no_usable_frame")
        return "undecided" if value["phase"] else "film_over"

    @property
    def acquired(self) -> bool:
        """Whether there was a usable frame at all."""
        return bool(self.value["gathered"])

    @property
    def score(self) -> float | None:
        """S of the first whole window; None if there was none."""
        sums = self.value["sums"]
        return float(sums[0]) if sums else None


@dataclass(frozen=True, slots=True)
class Shown:
    """A still: what it is, and whether its picture cues alone would pass the policy's sum."""

    item: Item
    value: Value
    passed: bool | None


Made = tuple[Item, Value, str]
"""A file, what play.py gave for it after `cues.slim`, and the SHA-256 of its content."""


def films(values: Sequence[Made]) -> list[Played]:
    """The films among them, by name."""
    return sorted((Played(*v) for v in values if not v[0].still), key=lambda f: f.item.name)


def stills(values: Sequence[Made], policy: Policy) -> list[Shown]:
    """The stills among them, by name."""
    found = [Shown(i, v, _passed(v, policy)) for i, v, _ in values if i.still]
    return sorted(found, key=lambda shown: shown.item.name)


def wrong(played: Sequence[Played]) -> list[Played]:
    """Attacks accepted and people refused."""
    return [f for f in played if f.accepted is not None and f.accepted is not f.live]


def _passed(value: Value, policy: Policy) -> bool | None:
    total = value.get("sum")
    if total is None:
        return None
    return float(total) >= policy.accept_llr and not value["veto"]
