"""A face that is enrolled under a second name of the same client.

In 1:N the two rows are each other's runner-up, so neither is found any more. The limit is the one
from which 1:N finds anybody (`identify_score` of pipeline/policy.py, with its reason and n): nearer
than that they are confused. The client's backend is told that there is one, never which: it may be
a twin, or somebody else's face by mistake, and a page is in anybody's hands. Two enrolments at the
same moment do not see each other. Not here: what follows (server/session/verdict.py), comparing
(pipeline/template.py). Source: docs/privacy.md, "One face, two names".
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from pipeline.decision import Evidence, Stand, Topic
from pipeline.policy import Policy
from pipeline.template import Template, pooled
from server.people.galleries import Galleries

MARK = Evidence("duplicate", Topic.IDENTITY, Stand.UNKNOWN, "another subject has this face")
"""In the session's decision table, where the backend's question looks for it."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Looks whether a face has another name, as the setting says."""

    galleries: Galleries
    mode: str
    """`off`: nobody looks; `allow`: told; `refuse`: told, and not enrolled."""

    async def found(self, client_id: str, subject: str, template: Template, policy: Policy) -> bool:
        """Whether somebody else of the client has this face. Raises Unavailable, VaultError."""
        if self.mode == "off":
            return False
        gallery = await self.galleries.of_client(client_id)
        match = await asyncio.to_thread(gallery.best, pooled(template.embeddings))
        if match is None:
            return False
        # Each subject has one row, so who stands behind one's own row is somebody else.
        score = match.score - match.margin if match.subject == subject else match.score
        return score >= policy.identify_score


def is_marked(evidence: str) -> bool:
    """Whether a session's decision table, as it is stored, has the mark."""
    return any(row.get("cue") == MARK.cue for row in json.loads(evidence))
