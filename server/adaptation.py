"""A template that follows its person's face, where the operator says so: by a bounded step.

Each step begins at the first enrolment and knows of no step before, so that a thousand come no
farther than one: drift by drift never arrives at another person. It takes a login that is far above
the threshold and answered a challenge. The first enrolment's rows stay, in the sealed template, and
one row of today is behind them. The new seal takes the place of the one that was read, or none: who
enrols or logs in at the same moment wins. Not here: who was accepted (server/session/verdict.py),
sealing (protection.py), what it risks on real faces (benchmarks/adaptation.py).
Source: docs/decisions/adaptation.md.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import acos, asin, radians, sin

import numpy as np

from pipeline.decision import Evidence
from pipeline.events import Decided
from pipeline.reasons import Purpose
from pipeline.refusal import Refusal
from pipeline.template import Floats, Template, pooled
from server.audit.chain import Audit
from server.people import consent
from server.people.protection import Protection, Space
from server.store.port import Conflict, NotFound, SessionRecord, TemplateRecord, Templates

FAR = 0.25
"""How far above `match_score` a probe must be. With SFace that is .75: the greatest of 15,600
pooled impostor scores on ORL was .56, and the benchmark says which genuine ones reach it."""
MOST_DEG = 5.0
"""Between the pool with today's row and the first enrolment's. Any other face gains .088 at most
(2 sin 2.5 degrees), and .074 about `match_score`."""
ANSWERED = ("light", "turn")
"""Challenges whose answer shows that somebody is there; passive evidence alone moves no template.
"""
_ROUNDING_DEG = 0.03
"""What float32 may lose of an angle as small as MOST_DEG."""

_log = logging.getLogger("lookgate.templates")


@dataclass(frozen=True, slots=True)
class Adaptation:
    """Moves the templates of one store, or none."""

    templates: Templates
    protection: Protection
    audit: Audit
    mode: str
    """`never`, or `bounded`: as above."""

    async def follow(self, kept: TemplateRecord, decided: Decided, score: float) -> bool:
        """Let the template that an accepted login was compared with follow what it showed; whether
        it did. Never raises: the login stands, and its template stays as it was.

        `score`: from which a face matches.
        """
        if self.mode == "never" or decided.probe is None:
            return False
        try:
            return await self._follow(kept, decided.probe, decided.acr, score)
        except (Refusal, Conflict, NotFound) as error:
            code = error.code if isinstance(error, Refusal) else type(error).__name__
            _log.warning("a template does not follow a login", extra={"code": code})
        except Exception as error:
            _log.error("bug in a template that follows a login", exc_info=error)
        return False

    async def _follow(
        self, kept: TemplateRecord, probe: Floats, answered: str | None, score: float
    ) -> bool:
        client_id, subject = kept.client_id, kept.subject
        standing = await self.protection.standing(client_id, [subject])
        now = self.protection.opened(kept, standing, Space(None))
        found = adapted(now.first, probe[None], answered=answered, match_score=score)
        if found is None:
            return False
        moved = round(moved_deg(now.first, found), 2)
        told = {"act": "adapt", "template": kept.template_id, "degrees": moved}
        async with self.audit.act("template", client_id=client_id, subject=subject, **told):
            record = await self.protection.seal(
                replace(found, quality=kept.quality),  # as the row has it
                client_id=client_id,
                subject=subject,
                template_id=kept.template_id,
                created_at=kept.created_at,
            )
            vault = self.protection.vault
            record = replace(record, consent=consent.resealed(vault, kept))
            if not await self.templates.reseal([(kept, record)]):
                await self.protection.take_back(record)
                raise Conflict("template")
        await self.protection.settle(record)
        return True


def may_follow(session: SessionRecord, rows: Sequence[Evidence]) -> bool:
    """Whether an accepted session is a login by name that showed no film of an earlier one."""
    replayed = any(row.cue == "replayed" and row.reason == "as_before" for row in rows)
    return session.purpose == Purpose.LOGIN and not replayed


def adapted(
    first: Template, probes: Floats, *, answered: str | None, match_score: float
) -> Template | None:
    """The rows of the first enrolment, unchanged, and behind them one of today; None if this login
    may not move the template.

    `probes`: float32 (n, d), unit rows of the same embedder. `answered`: the challenge that the
    session answered. The row lies on the arc from the first pool to today's, as far along as leaves
    the pool of all within MOST_DEG of the first.
    """
    if answered not in ANSWERED:
        return None
    try:
        start, today = pooled(first.embeddings), pooled(probes)
    except ValueError:
        return None
    score = float(start @ today)
    if not score >= match_score + FAR:
        return None
    angle = acos(min(1.0, score))
    along = min(angle, _most_along(first.embeddings))
    if angle < radians(_ROUNDING_DEG):
        return None  # the same face as it was: nothing to add
    row = (sin(angle - along) * start + sin(along) * today) / sin(angle)
    rows = np.vstack([first.embeddings, (row / np.linalg.norm(row))[None]])
    return Template(first.model_id, rows.astype(np.float32), first.quality, added=1)


def _most_along(rows: Floats) -> float:
    """Radians from the first pool at which one row more moves the pool by MOST_DEG.

    The rows' sum has a length `s`, so that a row at angle `a` moves the pool by `m` where
    tan m = sin a / (s + cos a), which is sin(a - m) = s sin m.
    """
    most = radians(MOST_DEG - _ROUNDING_DEG)
    length = float(np.linalg.norm(rows.sum(axis=0, dtype=np.float64)))
    return most + asin(min(1.0, length * sin(most)))


def moved_deg(first: Template, later: Template) -> float:
    """Degrees between the pools of two templates; by the chord, exact for near ones."""
    gap = pooled(first.embeddings).astype(np.float64) - pooled(later.embeddings)
    return float(np.degrees(2 * asin(min(1.0, float(np.linalg.norm(gap)) / 2))))
