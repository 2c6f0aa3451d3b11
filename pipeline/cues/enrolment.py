"""Several good, varied embeddings of one person: what becomes a template."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.decision import Evidence, Stand, Topic
from pipeline.observation import Observation
from pipeline.policy import Policy
from pipeline.template import Template, pooled

Floats = NDArray[np.float32]


class Enrolment:
    """Collects embeddings of one window; keeps those that add something, the best of those that
    do not."""

    def __init__(self, model_id: str, since_s: float) -> None:
        """`since_s`: when the window began."""
        self._model_id = model_id
        self._since_s = since_s
        self._kept: list[tuple[float, Floats]] = []
        self._spare: list[tuple[float, Floats]] = []
        self._last_s = float("-inf")

    def add(self, obs: Observation, policy: Policy) -> None:
        """Take one observation's embedding, if it has one."""
        face = obs.face
        if face is None or face.embedding is None:
            return
        self._last_s = obs.arrival_s
        nearest = max((float(row @ face.embedding) for _, row in self._kept), default=-1.0)
        novel = nearest < policy.enroll_variety and len(self._kept) < policy.enroll_most
        (self._kept if novel else self._spare).append((face.quality, face.embedding))
        self._spare.sort(key=lambda pair: -pair[0])
        del self._spare[policy.enroll_most :]

    def probe(self, obs: Observation, policy: Policy) -> None:
        """Nobody is looked for."""
        return None

    def share(self, policy: Policy) -> float:
        """How much of the evidence needed is in, 0..1."""
        return min(1.0, (len(self._kept) + len(self._spare)) / policy.enroll_embeddings)

    def steady(self, policy: Policy) -> bool:
        """True if more of the same pose will not help: the person may turn the head a little."""
        return len(self._kept) < policy.enroll_embeddings <= len(self._kept) + len(self._spare)

    def row(self, policy: Policy, now_s: float) -> Evidence:
        """FOR with enough varied embeddings, or enough of any kind once patience is over."""
        n, varied = len(self._kept) + len(self._spare), len(self._kept)
        numbers = {"embeddings": float(n), "varied": float(varied)}
        if n < policy.enroll_embeddings:
            return self._say(Stand.UNKNOWN, "too_few_embeddings", numbers)
        coherence = self._cohere(policy)
        numbers["coherence"] = coherence
        if coherence < policy.enroll_coherence:
            return self._say(Stand.AGAINST, "incoherent", numbers)
        if varied < policy.enroll_embeddings and now_s - self._since_s < policy.enroll_patience_s:
            return self._say(Stand.UNKNOWN, "too_uniform", numbers)
        if now_s - self._last_s > policy.fresh_embedding_s:
            return self._say(Stand.UNKNOWN, "embedding_too_old", numbers)
        return self._say(Stand.FOR, "varied" if varied == n else "steady", numbers)

    def subject(self) -> None:
        """Who is enrolled is named by the client, not found."""
        return None

    def pool(self) -> None:
        """Nobody is compared."""
        return None

    def template(self, policy: Policy) -> Template:
        """What to store. Only after `row` said FOR."""
        chosen = self._chosen(policy)
        quality = float(np.mean([quality for quality, _ in chosen]))
        rows = np.stack([row for _, row in chosen]).astype(np.float32)
        return Template(self._model_id, rows, quality)

    def _cohere(self, policy: Policy) -> float:
        """Least cosine of an embedding and their mean."""
        rows = [row for _, row in self._chosen(policy)]
        centre = pooled(rows)
        return min(float(row @ centre) for row in rows)

    def _chosen(self, policy: Policy) -> list[tuple[float, Floats]]:
        wanted = max(0, policy.enroll_embeddings - len(self._kept))
        return self._kept + self._spare[:wanted]

    @staticmethod
    def _say(stand: Stand, reason: str, numbers: dict[str, float]) -> Evidence:
        return Evidence("identity", Topic.QUALITY, stand, reason, numbers=numbers)
