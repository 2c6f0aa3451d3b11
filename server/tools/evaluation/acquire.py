"""One file of one identity: its embeddings, and why there are none.

Here: files through `see`. Not here: which embeddings are good enough (match.py), comparisons.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline import quality
from pipeline.frame import Frame
from pipeline.observation import Ask, Observation
from server.frames.convert import to_frame
from server.tools.clips import MediaError, read_clip
from server.tools.evaluation.cache import Value
from server.tools.evaluation.folder import Item

Floats = NDArray[np.float32]
See = Callable[[Frame, Ask], Observation]

FPS = 3.0
"""Pictures of a clip that are looked at: a session embeds as often (Policy.embed_period_s)."""
MOST_S = 15.0
"""Of a clip."""
ASK = Ask(detect=True, embed_above=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One picture with a face."""

    quality: float
    """0..1."""
    fault: str
    """What lowers it most, a code of `quality`."""
    rival: float
    """Width of the largest other face over this one's."""
    embedding: Floats
    """float32 (d,), unit norm."""


@dataclass(frozen=True, slots=True, eq=False)
class Acquired:
    """What a file showed."""

    failure: str
    """Why there is nothing to see, a stable code; empty if at least one picture has a face."""
    pictures: int
    views: tuple[View, ...]

    def to_json(self) -> Value:
        """For the cache: holds embeddings."""
        return {
            "failure": self.failure,
            "pictures": self.pictures,
            "views": [
                [v.quality, v.fault, v.rival, base64.b64encode(v.embedding.tobytes()).decode()]
                for v in self.views
            ],
        }

    @classmethod
    def from_json(cls, value: Value) -> Acquired:
        """Read back."""
        views = [
            View(q, f, r, np.frombuffer(base64.b64decode(e), np.float32))
            for q, f, r, e in value["views"]
        ]
        return cls(value["failure"], value["pictures"], tuple(views))


def acquire(item: Item, see: See) -> Acquired:
    """Every picture of a still, three a second of a clip. Never raises on what a file holds."""
    views, pictures = [], 0
    try:
        for at_s, picture in read_clip(item.path, fps=FPS, max_s=MOST_S):
            seen = see(to_frame(picture, pictures, at_s, at_s), ASK)
            pictures += 1
            face = seen.face
            if face is None or face.embedding is None:
                continue
            if not math.isfinite(face.quality) or not np.isfinite(face.embedding).all():
                continue
            views.append(View(face.quality, quality.fault(face), seen.rival, face.embedding.copy()))
    except MediaError as problem:
        if not pictures:  # what came before the damage counts
            return Acquired(problem.code, 0, ())
    except OSError:
        return Acquired("media_unreadable", 0, ())
    return Acquired("" if views else "no_face", pictures, tuple(views))
