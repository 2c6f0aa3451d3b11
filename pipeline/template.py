"""Enrolment pooling and 1:1 / 1:N matching over unit vectors.

What is stored of a face, and the one comparison that both searches use. No thresholds (policy.py),
no encryption (server/keys/vault.py), no net.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MAGIC = b"LGT1"


def pooled(embeddings: Sequence[Floats] | Floats) -> Floats:
    """The unit vector along the mean of unit vectors, float32 (d,).

    Averaging before comparing is the rule that was measured (3 against 3 images on ORL: TAR 99.8 %
    at FAR 0.05 %, against 92.6 % for single images); scores rise with averaging, so thresholds in
    policy.py are for pooled vectors only. Raises ValueError for none, or if they cancel out.
    """
    stack: Floats = np.asarray(embeddings, dtype=np.float32)
    if stack.ndim != 2 or not len(stack):
        raise ValueError("pooling needs at least one embedding")
    mean: Floats = np.add.reduce(stack) / np.float32(len(stack))
    norm = sqrt(mean.dot(mean))
    if not isfinite(norm) or norm < 1e-6:
        raise ValueError("the embeddings cancel out")
    return mean / np.float32(norm)


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """What is stored of one face."""

    model_id: str
    """Which embedder made it; templates of different embedders are never compared."""
    embeddings: Floats
    """float32 (n, d), unit rows, as different from one another as enrolment could get."""
    quality: float
    """0..1, mean quality of the frames they came from."""
    added: int = 0
    """How many of the last rows logins added; those before are the first enrolment."""

    @property
    def first(self) -> Template:
        """As it was enrolled."""
        kept = len(self.embeddings) - self.added
        return Template(self.model_id, self.embeddings[:kept], self.quality)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Template)
            and self.model_id == other.model_id
            and (self.quality, self.added) == (other.quality, other.added)
            and np.array_equal(self.embeddings, other.embeddings)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        # A face is a secret: the default repr would print the vectors into any log or traceback.
        return f"Template({self.model_id}, n={len(self.embeddings)})"

    def to_bytes(self) -> bytes:
        """Serialise for encryption: magic, header length, JSON header, little-endian rows."""
        told: dict[str, object] = {
            "model": self.model_id,
            "quality": round(self.quality, 4),
            "shape": list(self.embeddings.shape),
        }
        if self.added:
            told["added"] = self.added
        header = json.dumps(told, sort_keys=True).encode()
        rows = np.ascontiguousarray(self.embeddings, dtype="<f4").tobytes()
        return MAGIC + struct.pack("<I", len(header)) + header + rows

    @classmethod
    def from_bytes(cls, data: bytes) -> Template:
        """Read back what `to_bytes` wrote. Raises ValueError for anything else."""
        try:
            if data[:4] != MAGIC:
                raise ValueError("magic")
            (size,) = struct.unpack_from("<I", data, 4)
            header = json.loads(data[8 : 8 + size])
            n, d = (int(k) for k in header["shape"])
            rows = np.frombuffer(data, "<f4", offset=8 + size)
            if n < 1 or d < 1 or rows.size != n * d or not np.isfinite(rows).all():
                raise ValueError("rows")
            quality = float(header["quality"])
            model_id, added = str(header["model"]), int(header.get("added", 0))
            if not 0 <= added < n:
                raise ValueError("added")
        except (
            ValueError, KeyError, TypeError, OverflowError, RecursionError, struct.error,
        ) as error:  # fmt: skip
            raise ValueError("not a template of this version") from error
        return cls(model_id, rows.reshape(n, d).astype(np.float32), quality, added)


@dataclass(frozen=True, slots=True)
class Match:
    """The best of a gallery for one probe."""

    subject: str
    """Whose template was nearest."""
    score: float
    """Cosine of the pooled vectors, -1..1."""
    margin: float
    """How far the runner-up of another subject is behind, 0..2; 2 where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Pooled templates to compare a probe with: one row for 1:1, a client's all for 1:N."""

    subjects: tuple[str, ...]
    """Owner of each row; a subject owns one row."""
    matrix: Floats
    """float32 (n, d), unit rows, C-contiguous."""

    @classmethod
    def of(cls, templates: Sequence[tuple[str, Template]]) -> Gallery:
        """One pooled row per template. An empty sequence gives an empty gallery."""
        if not templates:
            return cls((), np.zeros((0, 0), np.float32))
        rows = np.stack([pooled(template.embeddings) for _, template in templates])
        return cls(tuple(subject for subject, _ in templates), np.ascontiguousarray(rows))

    def __len__(self) -> int:
        return len(self.subjects)

    def __repr__(self) -> str:
        return f"Gallery(n={len(self)})"

    def copy(self) -> Gallery:
        """One that keeps its rows, whatever becomes of this one's."""
        return Gallery(self.subjects, self.matrix.copy())

    def best(self, probe: Floats) -> Match | None:
        """Nearest row to a pooled probe, float32 (d,); None for an empty gallery.

        The product is kept in float32: a float64 probe costs eight times as much.
        """
        if not len(self):
            return None
        scores = self.matrix @ np.asarray(probe, dtype=np.float32)
        first = int(np.argmax(scores))
        score = float(scores[first])
        if len(scores) == 1:
            return Match(self.subjects[first], score, 2.0)
        scores[first] = -np.inf
        return Match(self.subjects[first], score, score - float(scores.max()))
