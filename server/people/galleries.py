"""The galleries that a session searches in: one person's template, or a client's all, cached.

Not here: sealing (templates.py), comparing (pipeline/template.py), thresholds (pipeline/policy.py),
the decoy of an unknown subject (server/session/whom.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.template import Gallery, Template
from server.keys.vault import Vault, VaultError
from server.metrics import Counter
from server.people.templates import open_template
from server.store.port import NotFound, TemplateRecord, Templates

GALLERIES_KEPT = 64
"""Clients whose pooled rows stay in memory: at 128-d, 0.5 kB a person."""

_log = logging.getLogger("lookgate.templates")


@dataclass(frozen=True, slots=True)
class _Cached:
    version: int
    gallery: Gallery


@dataclass(frozen=True, slots=True)
class _Opened:
    gallery: Gallery
    foreign: int
    """Templates of another embedder."""
    broken: int
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
        unused: Counter | None = None,
    ) -> None:
        """`model_id`: the embedder that runs now; `unused` counts what is left out, by reason."""
        self._templates = templates
        self._vault = vault
        self._model_id = model_id
        self._kept = kept
        self._unused = unused
        self._cache: OrderedDict[str, _Cached] = OrderedDict()
        self._loading: dict[str, asyncio.Lock] = {}

    async def of_subject(self, client_id: str, subject: str) -> Gallery:
        """One row for 1:1, always read anew; empty for an unknown subject.

        Raises Unavailable.
        """
        try:
            record = await self._templates.get(client_id, subject)
        except NotFound:
            return Gallery.of([])
        opened = self._opened([record])
        self._tell(client_id, opened)
        return opened.gallery

    async def of_client(self, client_id: str) -> Gallery:
        """A row per person for 1:N, from memory unless a template changed, in whatever process.

        Raises Unavailable.
        """
        lock = self._loading.setdefault(client_id, asyncio.Lock())
        try:
            async with lock:
                # Before the templates: a change that comes in between is then seen the next time.
                version = await self._templates.gallery_version(client_id)
                cached = self._cache.get(client_id)
                if cached is None or cached.version != version:
                    records = await self._templates.of_client(client_id)
                    # Microseconds each, but there may be many.
                    opened = await asyncio.to_thread(self._opened, records)
                    self._tell(client_id, opened)
                    cached = self._cache[client_id] = _Cached(version, opened.gallery)
                self._cache.move_to_end(client_id)
                while len(self._cache) > self._kept:
                    self._cache.popitem(last=False)
                return cached.gallery
        finally:
            if not lock.locked():
                self._loading.pop(client_id, None)

    def _opened(self, records: Sequence[TemplateRecord]) -> _Opened:
        opened: list[tuple[str, Template]] = []
        foreign = broken = 0
        for record in records:
            if record.model_id != self._model_id:
                foreign += 1
                continue
            try:
                opened.append((record.subject, open_template(self._vault, record)))
            except VaultError as error:
                broken += 1
                _log.error(
                    "a template cannot be opened",
                    extra={"template_id": record.template_id, "code": error.code},
                )
        return _Opened(Gallery.of(opened), foreign, broken)

    def _tell(self, client_id: str, opened: _Opened) -> None:
        if opened.foreign:
            _log.warning(
                "templates of another embedder are not used; these people must enrol again",
                extra={
                    "client": client_id,
                    "templates": opened.foreign,
                    "embedder": self._model_id,
                },
            )
        if self._unused is not None:
            for reason, count in (("embedder", opened.foreign), ("unreadable", opened.broken)):
                if count:
                    self._unused.add(reason, by=count)
