"""The galleries that a session searches in: one person's template, or a client's all in memory.

What is kept follows the store row by row: each search asks it for the gallery's version, and reads
what changed since then. What is kept stays rotated. Not here: sealing (protection.py), what a
template is held against (anchors.py), the matrix (rows.py), comparing (pipeline/template.py),
thresholds (pipeline/policy.py), the decoy of an unknown subject (server/session/whom.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.template import Floats, Gallery, pooled
from server.keys.vault import VaultError
from server.metrics import Counter
from server.people.protection import Protection, Space, space_of
from server.people.rows import Rows
from server.people.standing import Standing
from server.store.gallery import Changes, GalleryVersion, VectorRecord
from server.store.port import TemplateRecord, Templates

GALLERIES_KEPT = 64
"""Clients whose pooled rows stay in memory: at 128-d, 0.5 kB a person."""
READS = 3
"""Of a template and what it is held against: who enrols in between makes them differ for once."""
TURNED_BACK = ("anchor_missing", "anchor_rolled_back", "template_rolled_back")
"""Why a template that opens does not count."""
PAGE = 250
"""Rows that are read and opened at a time, some 2 ms in a thread. The thread holds the interpreter
for most of that, so larger pages keep the event loop waiting (`python -m benchmarks.gallery`)."""

_log = logging.getLogger("lookgate.templates")


@dataclass(frozen=True, slots=True)
class _Kept:
    """A client's rows as of a version."""

    version: GalleryVersion
    rows: Rows
    gallery: Gallery
    space: Space


@dataclass(slots=True)
class _Unused:
    """What was left out."""

    foreign: int = 0
    """Templates of another embedder."""
    broken: int = 0
    """Templates that do not open."""
    turned_back: int = 0
    """Templates that are not the newest of their subject, as far as is known."""


class Galleries:
    """Whom a probe is compared with: one person's row, or a client's all.

    Templates of another embedder are left out, they are never compared; so is one that was tampered
    with. Both are told to the operator: that person is refused, nobody else is.
    """

    def __init__(
        self,
        templates: Templates,
        protection: Protection,
        *,
        model_id: str,
        kept: int = GALLERIES_KEPT,
        page: int = PAGE,
        unused: Counter | None = None,
    ) -> None:
        """`model_id`: the embedder that runs now; `unused` counts what is left out, by reason."""
        self._templates = templates
        self._protection = protection
        self._model_id = model_id
        self._most = kept
        self._page = page
        self._unused = unused
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._loading: dict[str, asyncio.Lock] = {}

    async def of_subject(self, client_id: str, subject: str) -> Gallery:
        """One row for 1:1, always read anew; empty for an unknown subject.

        Raises Unavailable.
        """
        unused = _Unused()
        records, standing = await self._read(client_id, [subject])
        space = space_of(standing.head)
        vectors = [self._pooled(record, standing, space, unused) for record in records]
        self._tell(client_id, unused)
        if not vectors or vectors[0] is None:
            return Gallery.of([])
        return space.gallery(Gallery((subject,), vectors[0].reshape(1, -1)), self._model_id)

    async def of_client(self, client_id: str) -> Gallery:
        """A row per person for 1:N, from memory but for what changed, in whatever process.

        Raises Unavailable.
        """
        lock = self._loading.setdefault(client_id, asyncio.Lock())
        try:
            async with lock:
                kept = await self._followed(client_id)
                self._kept[client_id] = kept
                self._kept.move_to_end(client_id)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
                return kept.gallery
        finally:
            if not lock.locked():
                self._loading.pop(client_id, None)

    async def _followed(self, client_id: str) -> _Kept:
        """What is kept, brought to where the store is."""
        kept = self._kept.get(client_id)
        # Before the rows: a change that comes in between is then seen the next time.
        version = await self._templates.gallery_version(client_id)
        if kept is None:
            return await self._loaded(client_id, version)
        if version == kept.version and not version.open:
            return kept
        changes = await self._templates.changes(client_id, kept.version)
        if changes is None:
            return await self._loaded(client_id, version)
        names = [row.subject for row in changes.rows]
        standing = await self._protection.standing(client_id, names)
        if space_of(standing.head).epoch != kept.space.epoch:
            return await self._loaded(client_id, version)
        # Who is cancelled while rows change leaves nothing half done: it is read again as a whole.
        del self._kept[client_id]
        rows, unused = kept.rows, _Unused()
        changed = await asyncio.to_thread(_forget, rows, changes)
        for start in range(0, len(changed), self._page):
            page = changed[start : start + self._page]
            await self._take(client_id, rows, page, standing, kept.space, unused)
        self._tell(client_id, unused)
        return await self._as_kept(changes.version, rows, kept.space)

    async def _loaded(self, client_id: str, version: GalleryVersion) -> _Kept:
        """All that there is, page by page, so that nobody else waits and little is held twice."""
        rows, unused, after = Rows(), _Unused(), ""
        # Before the rows, for want of a better time: who enrols meanwhile is looked at twice.
        standing = await self._protection.standing(client_id, None)
        space = space_of(standing.head)
        while True:
            page = await self._templates.vectors(client_id, after=after, most=self._page)
            await self._take(client_id, rows, page, standing, space, unused)
            if len(page) < self._page:
                break
            after = page[-1].subject
        self._tell(client_id, unused)
        return await self._as_kept(version, rows, space)

    async def _as_kept(self, version: GalleryVersion, rows: Rows, space: Space) -> _Kept:
        gallery = await asyncio.to_thread(rows.gallery)
        return _Kept(version, rows, space.gallery(gallery, self._model_id), space)

    async def _take(
        self,
        client_id: str,
        rows: Rows,
        page: Sequence[VectorRecord],
        standing: Standing,
        space: Space,
        unused: _Unused,
    ) -> None:
        """Put a page's vectors into the rows, in a thread: microseconds each, but many."""

        def put_vectors() -> list[str]:
            """Subjects whose template has to be asked: its vector is none, or does not open, or
            does not count."""
            left = []
            for record in page:
                rows.drop_subject(record.subject)  # whatever is there now, it is not what was
                if record.model_id != self._model_id:
                    unused.foreign += 1
                    continue
                vector = self._protection.opened_vector(client_id, record, standing, space)
                if vector is None:
                    left.append(record.subject)
                else:
                    self._put(rows, record, vector, unused)
            return left

        left = await asyncio.to_thread(put_vectors)
        if left:
            records, newer = await self._read(client_id, left)

            def put_templates() -> None:
                for record in records:
                    vector = self._pooled(record, newer, space, unused)
                    if vector is not None:
                        self._put(rows, record, vector, unused)

            await asyncio.to_thread(put_templates)

    async def _read(
        self, client_id: str, subjects: Sequence[str]
    ) -> tuple[Sequence[TemplateRecord], Standing]:
        """Their templates, then what these are held against; again if somebody enrolled between."""
        for _ in range(READS):
            records = await self._templates.of_subjects(client_id, subjects)
            standing = await self._protection.standing(client_id, subjects)
            if not any(standing.fault(one.subject, one.counter) for one in records):
                break
        return records, standing

    def _put(
        self, rows: Rows, record: VectorRecord | TemplateRecord, vector: Floats, unused: _Unused
    ) -> None:
        try:
            rows.put(record.subject, record.template_id, vector)
        except ValueError:
            self._broken(record.template_id, "template_version", unused)

    def _pooled(
        self, record: TemplateRecord, standing: Standing, space: Space, unused: _Unused
    ) -> Floats | None:
        """The vector of a template that may be compared, in `space`."""
        if record.model_id != self._model_id:
            unused.foreign += 1
            return None
        try:
            return pooled(self._protection.opened(record, standing, space).embeddings)
        except VaultError as error:
            self._broken(record.template_id, error.code, unused)
        except ValueError:
            self._broken(record.template_id, "template_version", unused)
        return None

    def _broken(self, template_id: str, code: str, unused: _Unused) -> None:
        told = {"template_id": template_id, "code": code}
        if code in TURNED_BACK:
            unused.turned_back += 1
            _log.error("a template was turned back; see docs/backups.md", extra=told)
        else:
            unused.broken += 1
            _log.error("a template cannot be opened", extra=told)

    def _tell(self, client_id: str, unused: _Unused) -> None:
        if unused.foreign:
            _log.warning(
                "templates of another embedder are not used; these people must enrol again",
                extra={
                    "client": client_id,
                    "templates": unused.foreign,
                    "embedder": self._model_id,
                },
            )
        if self._unused is not None:
            for reason, count in (
                ("embedder", unused.foreign),
                ("unreadable", unused.broken),
                ("turned_back", unused.turned_back),
            ):
                if count:
                    self._unused.add(reason, by=count)


def _forget(rows: Rows, changes: Changes) -> Sequence[VectorRecord]:
    """Drop who went; the rows that are to be put then.

    Who was looked up and has the template that is known stays: sessions may be comparing with it.
    """
    for template_id in changes.removed:
        rows.drop_template(template_id)
    looked_up = set(changes.looked_up)
    same = {
        row.subject
        for row in changes.rows
        if row.subject in looked_up and rows.template_of(row.subject) == row.template_id
    }
    for subject in looked_up - same:
        rows.drop_subject(subject)
    return [row for row in changes.rows if row.subject not in same]
