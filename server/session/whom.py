"""Whom a session's face is compared with: one template, a client's all, nobody, or a decoy.

Not here: opening templates and caching (server/people/galleries.py), comparing
(pipeline/template.py).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

import numpy as np

from pipeline.policy import Policy
from pipeline.reasons import Purpose
from pipeline.template import Gallery
from server.people.galleries import Galleries
from server.session.searching import for_session
from server.store.port import SessionRecord


@dataclass(frozen=True, slots=True)
class Decoys:
    """Galleries of nobody, for subjects without a usable template."""

    key: bytes
    """32 random bytes of this process."""
    dimensions: int
    """Numbers in a vector of the embedder that runs."""

    def of(self, client_id: str, subject: str) -> Gallery:
        """One unit vector that is nobody's, always the same for a subject.

        In SFace's 128 dimensions a random direction has a cosine of 0 +- 0.09 to any face: 5 sigma
        below the match threshold; and verdict.py asks again before it accepts.
        """
        text = f"{len(client_id)}|{client_id}|{subject}".encode()
        seed = hmac.new(self.key, text, hashlib.sha256).digest()
        drawn = np.random.default_rng(list(seed)).standard_normal(self.dimensions)
        row = drawn.astype(np.float32)
        return Gallery((subject,), (row / np.linalg.norm(row)).reshape(1, -1).astype(np.float32))


async def gallery_for(galleries: Galleries, decoys: Decoys, record: SessionRecord) -> Gallery:
    """What to compare with. Raises Unavailable, VaultError.

    A subject without a usable template gets a decoy: the session then costs, lasts and ends as one
    of another person does, so that nobody can ask this server who is enrolled.
    """
    match Purpose(record.purpose):
        case Purpose.ENROLL:
            return Gallery.of([])
        case Purpose.IDENTIFY:
            return for_session(await galleries.of_client(record.client_id))
        case Purpose.LOGIN:
            subject = record.subject or ""
            found = await galleries.of_subject(record.client_id, subject)
            nobody = decoys.of(record.client_id, subject)
            return found if len(found) else nobody


def policy_seconds(policy: Policy) -> float:
    """How long a claimed session may last until its record counts as abandoned."""
    return policy.time_limit_s + 30.0
