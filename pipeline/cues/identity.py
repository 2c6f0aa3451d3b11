"""Whose face is it: pooled embeddings of this window against the gallery, 1:1 or 1:N."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.decision import Evidence, Stand, Topic
from pipeline.observation import Observation
from pipeline.policy import Policy
from pipeline.template import Gallery, Match, pooled

Floats = NDArray[np.float32]

MOST = 12
"""Embeddings pooled at most; the newest count, as the decision is about the face that is there."""


class Identity:
    """Collects the embeddings of one window and finds their owner."""

    def __init__(self, gallery: Gallery, *, search: bool) -> None:
        """`search`: 1:N with the stricter threshold and a margin; else 1:1."""
        self._gallery = gallery
        self._search = search
        self._embeddings: list[Floats] = []
        self._last_s = float("-inf")
        self._known: list[Match | None] = []
        """What `match` found for these embeddings, if it looked: several rows need it."""

    def add(self, obs: Observation, policy: Policy) -> None:
        """Take one observation's embedding, if it has one."""
        if obs.face is not None and obs.face.embedding is not None:
            self._embeddings.append(obs.face.embedding)
            self._last_s = obs.arrival_s
            del self._embeddings[:-MOST]
            self._known.clear()

    def probe(self, obs: Observation, policy: Policy) -> Floats | None:
        """What `match` will look for after `add`; None if it will not be asked to."""
        face = obs.face
        if face is None or face.embedding is None or len(self._embeddings) + 1 < policy.embeddings:
            return None
        return pooled([*self._embeddings, face.embedding][-MOST:])

    def share(self, policy: Policy) -> float:
        """How much of the evidence needed is in, 0..1."""
        return min(1.0, len(self._embeddings) / policy.embeddings)

    def match(self) -> Match | None:
        """Nearest template; None without embeddings or gallery."""
        if not self._embeddings:
            return None
        if not self._known:
            self._known.append(self._gallery.best(pooled(self._embeddings)))
        return self._known[0]

    def row(self, policy: Policy, now_s: float) -> Evidence:
        """FOR above the threshold, AGAINST below it, UNKNOWN with too few embeddings."""
        n = len(self._embeddings)
        if n < policy.embeddings:
            return _say(Stand.UNKNOWN, "too_few_embeddings", {"embeddings": float(n)})
        match = self.match()
        if match is None:
            return _say(Stand.AGAINST, "nobody_enrolled", {"embeddings": float(n)})
        numbers = {"embeddings": float(n), "score": match.score, "margin": match.margin}
        old = now_s - self._last_s > policy.fresh_embedding_s
        return judged(numbers, policy, search=self._search, old=old)

    def steady(self, policy: Policy) -> bool:
        """No other pose is asked for: the template has them."""
        return False

    def subject(self) -> str:
        """Whom the face was accepted as. Only after `row` said FOR."""
        match = self.match()
        assert match is not None, "FOR without a match"
        return match.subject

    def pool(self) -> Floats:
        """The face that was compared, float32 (d,). Only after `row` said FOR."""
        return pooled(self._embeddings)

    def template(self, policy: Policy) -> None:
        """Nothing is stored of somebody who is known."""
        return None


def judged(numbers: dict[str, float], policy: Policy, *, search: bool, old: bool) -> Evidence:
    """The row that these measurements make. `search`: somebody is looked for among many. `old`: the
    newest embedding is."""
    score = numbers["score"]
    certain = score < policy.mismatch_score
    if score < (policy.identify_score if search else policy.match_score):
        return _say(Stand.AGAINST, "no_match", numbers, certain=certain)
    if search and numbers["margin"] < policy.identify_margin:
        return _say(Stand.AGAINST, "ambiguous", numbers)
    if old:
        return _say(Stand.UNKNOWN, "embedding_too_old", numbers)
    return _say(Stand.FOR, "match", numbers)


def _say(
    stand: Stand, reason: str, numbers: dict[str, float], *, certain: bool = False
) -> Evidence:
    return Evidence("identity", Topic.IDENTITY, stand, reason, certain=certain, numbers=numbers)
