"""All that the core ever says to its shell. The shell encodes, stores or acts; it never decides."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.challenge import Light
from pipeline.reasons import Hint, Phase, Reason
from pipeline.template import Floats, Template


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    """The session moved."""

    phase: Phase
    """Where it is now."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """How much of the evidence is in."""

    fraction: float
    """0..1, rounded to 0.01; falls back to 0 when evidence is thrown away."""


@dataclass(frozen=True, slots=True)
class Hinted:
    """Guidance changed."""

    hint: Hint | None
    """None: nothing to correct."""


@dataclass(frozen=True, slots=True)
class Challenged:
    """A window began that must be answered: paint this."""

    light: Light
    """Colours and times."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The session is over. Emitted exactly once, together with its PhaseChanged."""

    phase: Phase
    """ACCEPTED, REJECTED or EXPIRED."""
    reasons: tuple[Reason, ...] = ()
    """Why not accepted; empty exactly when accepted."""
    subject: str | None = None
    """Whom the face was accepted as (login, identify); None otherwise."""
    template: Template | None = None
    """What to store (enroll, accepted); None otherwise."""
    acr: str | None = None
    """The challenge that was answered, which is the token's level; None: the policy's own."""
    probe: Floats | None = field(default=None, repr=False, compare=False)
    """The pooled face that was accepted (login, identify), float32 (d,); None otherwise. It follows
    from the observations, so that no tape has it and no comparison knows it."""


Event = PhaseChanged | Progressed | Hinted | Challenged | Decided
