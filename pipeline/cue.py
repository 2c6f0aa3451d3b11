"""What every weighed cue is: it takes observations, and says one row about them.

Here: the three things that a window asks of a cue. Not here: which cues there are, and what they
read (session/measurements.py), the cues themselves (cues/). How to add one: docs/adding-a-cue.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from pipeline.decision import Evidence
from pipeline.observation import Observation
from pipeline.policy import Policy


class Cue(ABC):
    """Collects one window's numbers. It is made anew for each window, so nothing leaks over, and it
    knows no time but the observations' own."""

    @abstractmethod
    def add(self, obs: Observation) -> None:
        """Take what there is in one observation; most hold nothing for a given cue."""

    @abstractmethod
    def row(self, policy: Policy) -> Evidence:
        """What it all says. UNKNOWN where too little was measured, never a number instead."""

    def share(self, policy: Policy) -> float:
        """How much of the evidence needed is in, 0..1. A supporting cue is waited for by nobody."""
        return 1.0
