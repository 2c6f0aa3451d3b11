"""The galleries that a session searches in: one person's template, or a client's all in memory.

What is kept follows the store row by row: each search asks it for the gallery's version, and reads
what changed since then. Not here: sealing (templates.py), the matrix (rows.py), comparing
(pipeline/template.py), thresholds (pipeline/policy.py), the decoy of an unknown subject
(server/session/whom.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.template import Floats, Gallery, pooled
from server.keys.vault import Vault, VaultError
from server.metrics import Counter
from server.people.rows import Rows
from server.people.templates import open_template, open_vector
from server.store.gallery import Changes, GalleryVersion, VectorRecord
from server.store.port import NotFound, TemplateRecord, Templates

GALLERIES_KEPT = 64
"""Clients whose pooled rows stay in memory: at 128-d, 0.5 kB a person."""
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


@dataclass(slots=True)
class _Unused:
    """What was left out."""

    foreign: int = 0
    """Templates of another embedder."""
    broken: int = 0
    """Templates that do not open."""


class Galleries:
    """Whom a probe is compared with: one person's row, or a client's all.

    Templates of another embedder are left out, they are never compared; so is one that was tampered
    with. Both are told to the operator: that person is refused, nobody else is.
    """

    def __init__(
        self,
        templates: Templates,
        vault: Vault,
        *,
        model_id: str,
        kept: int = GALLERIES_KEPT,
        page: int = PAGE,
        unused: Counter | None = None,
    ) -> None:
        """`model_id`: the embedder that runs now; `unused` counts what is left out, by reason."""
        self._templates = templates
        self._vault = vault
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
        try:
            record = await self._templates.get(client_id, subject)
        except NotFound:
            return Gallery.of([])
        unused = _Unused()
        vector = self._pooled(record, unused)
        self._tell(client_id, unused)
        return Gallery.of([]) if vector is None else Gallery((subject,), vector.reshape(1, -1))

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
        # Who is cancelled while rows change leaves nothing half done: it is read again as a whole.
        del self._kept[client_id]
        rows, unused = kept.rows, _Unused()
        changed = await asyncio.to_thread(_forget, rows, changes)
        for start in range(0, len(changed), self._page):
            await self._take(client_id, rows, changed[start : start + self._page], unused)
        self._tell(client_id, unused)
        return _Kept(changes.version, rows, await asyncio.to_thread(rows.gallery))

    async def _loaded(self, client_id: str, version: GalleryVersion) -> _Kept:
        """All that there is, page by page, so that nobody else waits and little is held twice."""
        rows, unused, after = Rows(), _Unused(), ""
        while True:
            page = await self._templates.vectors(client_id, after=after, most=self._page)
            await self._take(client_id, rows, page, unused)
            if len(page) < self._page:
                break
            after = page[-1].subject
        self._tell(client_id, unused)
        return _Kept(version, rows, await asyncio.to_thread(rows.gallery))

    async def _take(
        self, client_id: str, rows: Rows, page: Sequence[VectorRecord], unused: _Unused
    ) -> None:
        """Put a page's vectors into the rows, in a thread: microseconds each, but many."""
        left = await asyncio.to_thread(self._put_vectors, client_id, rows, page, unused)
        if left:
            records = await self._templates.of_subjects(client_id, left)
            await asyncio.to_thread(self._put_templates, rows, records, unused)

    def _put_vectors(
        self, client_id: str, rows: Rows, page: Sequence[VectorRecord], unused: _Unused
    ) -> list[str]:
        """Subjects whose template has to be asked: it has no vector, or none that opens."""
        left = []
        for record in page:
            rows.drop_subject(record.subject)  # whatever is there now, it is not what was
            if record.model_id != self._model_id:
                unused.foreign += 1
                continue
            vector = open_vector(self._vault, client_id, record)
            if vector is None:
                left.append(record.subject)
            else:
                self._put(rows, record, vector, unused)
        return left

    def _put_templates(
        self, rows: Rows, records: Sequence[TemplateRecord], unused: _Unused
    ) -> None:
        for record in records:
            vector = self._pooled(record, unused)
            if vector is not None:
                self._put(rows, record, vector, unused)

    def _put(
        self, rows: Rows, record: VectorRecord | TemplateRecord, vector: Floats, unused: _Unused
    ) -> None:
        try:
            rows.put(record.subject, record.template_id, vector)
        except ValueError:
            self._broken(record.template_id, "template_version", unused)

    def _pooled(self, record: TemplateRecord, unused: _Unused) -> Floats | None:
        """The vector of a template that may be compared."""
        if record.model_id != self._model_id:
            unused.foreign += 1
            return None
        try:
            return pooled(open_template(self._vault, record).embeddings)
        except VaultError as error:
            self._broken(record.template_id, error.code, unused)
        except ValueError:
            self._broken(record.template_id, "template_version", unused)
        return None

    def _broken(self, template_id: str, code: str, unused: _Unused) -> None:
        unused.broken += 1
        _log.error("a template cannot be opened", extra={"template_id": template_id, "code": code})

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
            for reason, count in (("embedder", unused.foreign), ("unreadable", unused.broken)):
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
