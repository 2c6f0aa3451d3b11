"""Were there enough usable pictures of a face at all? The capture-validity row."""

from __future__ import annotations

from pipeline.decision import Evidence, Stand, Topic
from pipeline.policy import Policy

USABLE_SHARE = 0.6
"""Least share of usable frames in a window. Not measured: a window that is mostly unusable was
not what any of the other thresholds was calibrated on."""


class FaceSeen:
    """Counts usable frames of one window."""

    def __init__(self) -> None:
        self._seen = 0
        self._usable = 0

    def add(self, *, usable: bool) -> None:
        """Count one frame; `usable` is what the framing hint says of it."""
        self._seen += 1
        self._usable += usable

    def row(self, policy: Policy) -> Evidence:
        """FOR when frames enough were usable, UNKNOWN otherwise: bad light is no attack."""
        numbers = {"frames": float(self._seen), "usable": float(self._usable)}
        enough = self._usable >= policy.min_frames * USABLE_SHARE
        if enough and self._usable >= USABLE_SHARE * self._seen:
            return Evidence("face", Topic.QUALITY, Stand.FOR, "usable", numbers=numbers)
        reason = "poor_frames" if self._seen >= policy.min_frames else "too_few_frames"
        return Evidence("face", Topic.QUALITY, Stand.UNKNOWN, reason, numbers=numbers)
