"""All that the core is ever told by its shell, as events.py is all that it says. Facts, no orders.

Here: one dataclass for each thing that can happen to a session. Not here: what follows from it
(session/), how it is written on a tape (tape/kinds.py). Times are the server's monotonic seconds.
Source: the sans-IO way of h11 and aioquic, whose events are values, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.cues.camera import Claim
from pipeline.observation import Observation


@dataclass(frozen=True, slots=True)
class Began:
    """The channel to the page is open: the session says where things stand."""


@dataclass(frozen=True, slots=True)
class Introduced:
    """The page said hello."""

    still: bool
    """Its person wants no motion on the screen."""
    claim: Claim | None = None
    """What it says of its camera; only the first claim counts."""


@dataclass(frozen=True, slots=True)
class PaintedStep:
    """The page says that it painted a step of a challenge."""

    n: int
    """Which challenge of the session, from 1."""
    step: int
    """Which of its steps, from 0."""
    ms: float
    """When it was painted: milliseconds after the challenge came, by the page's clock."""
    now_s: float
    """When the page said so."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame was measured. Frames are told in the order of their arrival."""

    obs: Observation
    """What was measured; its time is `obs.arrival_s`."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Time went by without a frame."""

    now_s: float


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The person gave up."""

    now_s: float


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The peer is gone."""

    now_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The shell made a mistake or stops: nobody is accepted by an exception."""

    now_s: float


Input = Began | Introduced | PaintedStep | Seen | TimePassed | Cancelled | Disconnected | Failed
