"""Templates of a client behind its secret: rotated and counted before they are sealed, and opened.

What is opened stays rotated, and a probe is rotated to be compared with it. Not here: the cipher
and its layouts (templates.py), which counter counts (anchors.py), the matrix
(server/keys/rotation.py), who is compared with whom (galleries.py), whom the
decoys are for (server/session/whom.py). Source: docs/template-protection.md.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from pipeline.refusal import Refusal
from pipeline.template import Floats, Gallery, Match, Template
from server.keys.rotation import rotation_of
from server.keys.vault import Vault, VaultError
from server.people.anchors import Ledger
from server.people.standing import Head, Standing
from server.people.templates import open_template, open_vector, seal_template
from server.store.gallery import VectorRecord
from server.store.port import NotFound, Store, TemplateRecord, Templates

MATRICES = 64
"""Kept in memory, as many as galleries: 64 kB each at 128 numbers, 1 MB at 512. Making one takes
1 to 30 ms (`python -m benchmarks.template_protection`)."""

_log = logging.getLogger("lookgate.templates")
_matrix = functools.lru_cache(MATRICES)(rotation_of)


@dataclass(frozen=True, slots=True)
class Space:
    """Where the vectors of a gallery lie: what a client's secret makes of them."""

    secret: bytes | None
    """None: nothing, as for a client whose templates no version that rotates has stored."""
    epoch: int = 0

    def __repr__(self) -> str:
        return f"Space({self.epoch})"

    def rotation(self, model_id: str, dimensions: int) -> Floats | None:
        """Float32 (d, d); rows (n, d) get there by `rows @ rotation`."""
        return None if self.secret is None else _matrix(self.secret, model_id, dimensions)

    def gallery(self, gallery: Gallery, model_id: str) -> Gallery:
        """Rows that lie here, as a gallery that is asked with probes that do not."""
        rotation = None
        if len(gallery):
            rotation = self.rotation(model_id, gallery.matrix.shape[1])
        if rotation is None:
            return gallery
        return RotatedGallery(gallery.subjects, gallery.matrix, rotation)


def space_of(head: Head | None) -> Space:
    """That of what is sealed now."""
    return Space(None) if head is None else Space(head.secret, head.epoch)


@dataclass(frozen=True, eq=False)
class RotatedGallery(Gallery):
    """Rotated rows, compared with a probe that is not."""

    rotation: Floats
    """Float32 (d, d)."""

    def best(self, probe: Floats) -> Match | None:
        """As Gallery.best."""
        return super().best(np.asarray(probe, dtype=np.float32) @ self.rotation)

    def copy(self) -> Gallery:
        """One for a tape: its rows turned back, so that no secret is on it."""
        return Gallery(self.subjects, np.ascontiguousarray(self.matrix @ self.rotation.T))


class Protection:
    """Seals and opens the templates of all clients."""

    def __init__(self, templates: Templates, ledger: Ledger, vault: Vault) -> None:
        self._templates = templates
        self.ledger = ledger
        self.vault = vault

    async def standing(self, client_id: str, subjects: Iterable[str] | None) -> Standing:
        """What templates of these subjects, or of all, are held against. Read it after them.

        Raises Unavailable.
        """
        return await self.ledger.standing(client_id, subjects)

    async def seal(
        self,
        template: Template,
        *,
        client_id: str,
        subject: str,
        template_id: str,
        created_at: datetime,
    ) -> TemplateRecord:
        """The record to store, announced; `settle` comes after it was stored, or was not.

        Raises Unavailable, VaultError, NotFound (no such client).
        """
        first = not await self._templates.vectors(client_id, after="", most=1)
        head, counters = await self.ledger.announce(client_id, [subject], first=first)
        space = space_of(head)
        return seal_template(
            self.vault,
            turned(template, Space(None), space),
            client_id=client_id,
            subject=subject,
            template_id=template_id,
            created_at=created_at,
            counter=counters[subject],
            epoch=space.epoch,
        )

    async def settle(self, record: TemplateRecord) -> None:
        """Let no older template of the subject count, if this one is there. Never raises: until it
        is done both count, and the next enrolment or start does it."""
        try:
            stored = await self._templates.get(record.client_id, record.subject)
            if stored.counter == record.counter:
                await self.ledger.settle(record.client_id, {record.subject: record.counter})
        except NotFound:
            return
        except Refusal as error:
            _log.warning("an enrolment is not settled yet", extra={"code": error.code})

    async def take_back(self, record: TemplateRecord) -> None:
        """The store refused it, and will not have it later: it counts no more, and who has no other
        template is not named. Never raises."""
        try:
            await self.ledger.take_back(record.client_id, record.subject, record.counter)
        except (NotFound, Refusal) as error:
            code = error.code if isinstance(error, Refusal) else "not_found"
            _log.warning("an enrolment is not taken back yet", extra={"code": code})

    def opened(self, record: TemplateRecord, standing: Standing, space: Space) -> Template:
        """The template in a record, rotated into `space`.

        Raises VaultError, as `open_template`, and as `Standing.fault` names it.
        """
        fault = standing.fault(record.subject, record.counter)
        if fault is not None:
            raise VaultError(fault, "A template is not the newest of its subject.")
        template = open_template(self.vault, record)
        return turned(template, _space(standing, record.epoch), space)

    def opened_vector(
        self, client_id: str, record: VectorRecord, standing: Standing, space: Space
    ) -> Floats | None:
        """The pooled vector in a record, rotated into `space`, float32 (d,); None without one that
        opens and counts. Then its template says more."""
        if standing.fault(record.subject, record.counter) is not None:
            return None
        vector = open_vector(self.vault, client_id, record)
        if vector is None or record.epoch == space.epoch:
            return vector
        try:
            now = _space(standing, record.epoch)
        except VaultError:
            return None
        row: Floats = _turned(vector.reshape(1, -1), record.model_id, now, space)[0]
        return row


def protection_of(
    store: Store,
    vault: Vault,
    now: Callable[[], datetime],
    seen: Mapping[str, int] | None = None,
) -> Protection:
    """That of a store. `seen`: as Ledger takes it."""
    return Protection(store.templates, Ledger(store.anchors, vault, now=now, seen=seen), vault)


def _space(standing: Standing, epoch: int) -> Space:
    """Raises VaultError `epoch_unknown`."""
    if not epoch:
        return Space(None)
    secret = None if standing.head is None else standing.head.secrets.get(epoch)
    if secret is None:
        raise VaultError(
            "epoch_unknown",
            "A template was rotated by a secret that is not there any more: it was revoked.",
        )
    return Space(secret, epoch)


def turned(template: Template, now: Space, into: Space) -> Template:
    """The same template in another space."""
    if now.epoch == into.epoch:
        return template
    rows = _turned(template.embeddings, template.model_id, now, into)
    return replace(template, embeddings=rows)


def _turned(rows: Floats, model_id: str, now: Space, into: Space) -> Floats:
    """By way of the vectors as the net gave them."""
    back, there = (space.rotation(model_id, rows.shape[1]) for space in (now, into))
    if back is not None:
        rows = np.matmul(rows, back.T)
    if there is not None:
        rows = np.matmul(rows, there)
    return rows
