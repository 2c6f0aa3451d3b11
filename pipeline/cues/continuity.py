"""One face, the same face, without a jump: says when evidence must be thrown away.

Otherwise a live accomplice could warm the session up for a photo of somebody else. This is no row:
a break ends the window, so nothing that was gathered before it can count after it.
"""

from __future__ import annotations

from enum import StrEnum
from math import hypot

import numpy as np
from numpy.typing import NDArray

from pipeline.observation import Face, Observation
from pipeline.policy import Policy
from pipeline.template import pooled

Floats = NDArray[np.float32]

SIZE_JUMP = 1.5
"""Factor by which a face box may grow or shrink within `lost_s`: a step towards the camera is
slower, a swap of faces is not."""
SLOW_FRAME_S = 0.5
"""Frames further apart than this do not continue each other, whatever they show."""


class Break(StrEnum):
    """Why the evidence is void."""

    LOST = "lost"
    JUMPED = "jumped"
    ANOTHER_FACE = "another_face"
    SECOND_FACE = "second_face"


class Continuity:
    """Follows one face for as long as it is certainly the same."""

    def __init__(self) -> None:
        self._face: Face | None = None
        self._seen_s = float("-inf")
        self._embeddings: list[Floats] = []

    def broken(self, obs: Observation, policy: Policy) -> Break | None:
        """Judge one observation against what was followed so far, then follow it."""
        face, before = obs.face, self._face
        gap_s = obs.arrival_s - self._seen_s
        if face is None:
            return Break.LOST if before is not None and gap_s > policy.lost_s else None
        self._face, self._seen_s = face, obs.arrival_s
        if face.embedding is not None:
            self._embeddings.append(face.embedding)
            del self._embeddings[:-8]
        if obs.rival >= policy.max_rival:
            return Break.SECOND_FACE
        if before is None:
            return None
        if not face.same or gap_s > max(policy.lost_s, SLOW_FRAME_S):
            return Break.LOST
        if _jump(before, face) > policy.max_jump or _growth(before, face) > SIZE_JUMP:
            return Break.JUMPED
        if face.embedding is not None and len(self._embeddings) > 1:
            others = pooled(self._embeddings[:-1])
            if float(others @ face.embedding) < policy.same_face:
                return Break.ANOTHER_FACE
        return None


def _centre(face: Face) -> tuple[float, float]:
    x, y, w, h = face.box_px
    return x + w / 2, y + h / 2


def _jump(before: Face, now: Face) -> float:
    """Distance between centres in face widths."""
    (x0, y0), (x1, y1) = _centre(before), _centre(now)
    return hypot(x1 - x0, y1 - y0) / max(before.box_px[2], 1.0)


def _growth(before: Face, now: Face) -> float:
    """Ratio of box widths, >= 1."""
    a, b = max(before.box_px[2], 1.0), max(now.box_px[2], 1.0)
    return max(a / b, b / a)
