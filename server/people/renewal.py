"""Templates carried over while servers run: to counters, to a new secret, to a new master key.

Each row is opened, turned into the new space, sealed anew and compared and set, so who enrols
meanwhile wins. What is done is skipped the next time, so one that was killed is run again. Nothing
is ever missing, because a row opens under every secret and key that is still kept, and these go
last. Not here: who asks (server/commands/protect_verbs.py), what a row is (templates.py), which
counter counts (anchors.py). Source: docs/template-protection.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from pipeline.refusal import Refusal
from server.keys.signing_key import resealed
from server.keys.vault import VaultError, sealed_by
from server.people import consent
from server.people.protection import Protection, space_of
from server.people.sealed_people import all_sealed
from server.people.standing import Head, part_of
from server.people.templates import open_template, seal_template
from server.store.gallery import VectorRecord
from server.store.keys import KeyRecord
from server.store.port import Store, TemplateRecord

PAGE = 250
"""Rows that are read, and written in one act where the store can."""
LATE = timedelta(seconds=150)
"""A verdict that was won before a renewal is stored by then, also if its process died: the others
settle it within two looks of a minute (server/life.py)."""

Tell = Callable[[int, int], None]
"""Told how many rows are done, of how many."""

_log = logging.getLogger("lookgate.templates")


def _nobody(done: int, of: int) -> None: ...


@dataclass(slots=True)
class Carried:
    """What came of the rows of one client."""

    rows: int = 0
    """Sealed anew."""
    unknown: set[str] = field(default_factory=set)
    """Master keys that are not here, and sealed rows that were left as they are."""
    broken: int = 0
    """Rows that do not open otherwise: left as they are, as every login leaves them."""


class Renewal:
    """Carries over the rows of one store."""

    def __init__(self, store: Store, protection: Protection, *, page: int = PAGE) -> None:
        self._store = store
        self._protection = protection
        self.ledger = protection.ledger
        self._page = page

    async def renew(self, client_id: str, tell: Tell = _nobody) -> Carried:
        """A new secret for a client, and every row rotated by it: what was stolen before matches
        nothing any more. `retire` is the end of it, when LATE is over.

        One that was interrupted is finished. Raises Unavailable, VaultError, NotFound.
        """
        head = await self.ledger.found(client_id, first=await self._nobody_yet(client_id))
        if len(head.secrets) == 1:
            head = await self.ledger.renew(client_id)
        await self._store.templates.renewed(client_id)  # every process reads all rows again
        return await self.carry(client_id, tell)

    async def retire(self, client_id: str) -> Carried:
        """Carry over who came late, then let go of the old secrets. Raises as `renew`."""
        carried = await self.carry(client_id)
        if not carried.unknown:
            await self.ledger.retire(client_id)
        return carried

    async def carry(self, client_id: str, tell: Tell = _nobody) -> Carried:
        """Every row that is not counted, not of the newest secret or not of the newest master key.

        Raises Unavailable, VaultError, NotFound.
        """
        carried, left = Carried(), set[str]()
        while True:
            head = await self.ledger.found(client_id, first=await self._nobody_yet(client_id))
            due = [subject for subject in await self._due(client_id, head) if subject not in left]
            if not due:
                break
            for start in range(0, len(due), self._page):
                some = due[start : start + self._page]
                done = await self._carry_some(client_id, some, carried)
                left |= set(some) - done  # or they enrolled meanwhile, and are as they should be
                tell(min(start + self._page, len(due)), len(due))
        await self.ledger.reseal(client_id)
        if not head.adopted and not carried.unknown:
            await self.ledger.adopted(client_id)
        return carried

    async def accept(self, client_id: str) -> tuple[int, int]:
        """Believe that the rows that are there are the newest, whatever the anchors say; how many,
        and how many do not open. The operator's word, after a part of a database was restored.

        Raises Unavailable, VaultError `anchor_missing`.
        """
        stored: dict[str, int] = {}
        after, refused = "", 0
        while True:
            page = await self._store.templates.vectors(client_id, after=after, most=self._page)
            subjects = [row.subject for row in page]
            for record in await self._store.templates.of_subjects(client_id, subjects):
                try:
                    open_template(self._protection.vault, record)
                except VaultError:
                    refused += 1
                else:
                    stored[record.subject] = record.counter
            if len(page) < self._page:
                break
            after = page[-1].subject
        if any(stored.values()) or (await self._protection.standing(client_id, [])).head:
            await self.ledger.accept(client_id, stored)
        return len(stored), refused

    async def _nobody_yet(self, client_id: str) -> bool:
        return not await self._store.templates.vectors(client_id, after="", most=1)

    async def _due(self, client_id: str, head: Head) -> list[str]:
        """Subjects to carry over, those of one part together."""
        due, after = [], ""
        while True:
            page = await self._store.templates.vectors(client_id, after=after, most=self._page)
            due += [row.subject for row in page if not self._is_done(row, head)]
            if len(page) < self._page:
                return sorted(due, key=part_of)
            after = page[-1].subject

    def _is_done(self, row: VectorRecord, head: Head) -> bool:
        sealed = None if row.vector is None else sealed_by(row.vector)
        of_now = (head.epoch, self._protection.vault.key_id)
        return row.counter > 0 and (row.epoch, sealed) == of_now

    async def _carry_some(
        self, client_id: str, subjects: Sequence[str], carried: Carried
    ) -> set[str]:
        """Those that were carried over, or were changed by somebody else meanwhile."""
        records = await self._store.templates.of_subjects(client_id, subjects)
        uncounted = [record.subject for record in records if not record.counter]
        given: dict[str, int] = {}
        if uncounted:
            _, given = await self.ledger.announce(client_id, uncounted)
        standing = await self._protection.standing(client_id, subjects)
        left: set[str] = set()

        def sealed_anew() -> list[tuple[TemplateRecord, TemplateRecord]]:
            changes = []
            for record in records:
                try:
                    template = self._protection.opened(record, standing, space_of(standing.head))
                except VaultError as error:
                    left.add(record.subject)
                    self._left(record, error, carried)
                    continue
                now = seal_template(
                    self._protection.vault,
                    replace(template, quality=record.quality),  # as the row has it
                    client_id=client_id,
                    subject=record.subject,
                    template_id=record.template_id,
                    created_at=record.created_at,
                    counter=record.counter or given[record.subject],
                    epoch=space_of(standing.head).epoch,
                )
                now = replace(now, consent=consent.resealed(self._protection.vault, record))
                changes.append((record, now))
            return changes

        changes = await asyncio.to_thread(sealed_anew)
        carried.rows += await self._store.templates.reseal(changes)
        if uncounted:
            after = await self._store.templates.of_subjects(client_id, uncounted)
            stored = {record.subject: record.counter for record in after if record.counter}
            if stored:
                await self.ledger.settle(client_id, stored)
        return set(subjects) - left

    def _left(self, record: TemplateRecord, error: VaultError, carried: Carried) -> None:
        if error.code == "vault_key_unknown":
            carried.unknown.add(record.key_id)
        else:
            carried.broken += 1
            told = {"template_id": record.template_id, "code": error.code}
            _log.error("a template cannot be carried over", extra=told)

    # All of a store

    async def adopt(self) -> None:
        """Carry over the templates of versions that did not rotate or count. Never raises; what was
        not done is done the next time."""
        try:
            for client in await self._store.clients.all():
                standing = await self._protection.standing(client.client_id, [])
                if standing.head is not None and standing.head.adopted:
                    continue
                if await self._nobody_yet(client.client_id):
                    continue
                carried = await self.carry(client.client_id)
                told = {"client": client.client_id, "templates": carried.rows}
                _log.info("templates are rotated and counted", extra=told)
        except Refusal as error:
            _log.warning("templates are not rotated yet", extra={"code": error.code})

    async def rotate_keys(self) -> tuple[int, set[str]]:
        """Seal the signing keys anew under the newest master key; how many, and keys not here."""
        done, unknown = 0, set[str]()
        for record in await self._store.keys.all():
            if sealed_by(record.sealed_private) == self._protection.vault.key_id:
                continue
            try:
                sealed = resealed(self._protection.vault, record)
            except VaultError:
                unknown.add(_sealer(record))
                continue
            done += await self._store.keys.reseal(record, sealed)
        return done, unknown

    async def needed(self) -> dict[str, dict[str, int]]:
        """What is sealed by which master key, by what it is: all that this database needs."""
        found: dict[str, dict[str, int]] = {}

        def count(key_id: str | None, what: str) -> None:
            kinds = found.setdefault(key_id or "unreadable", {})
            kinds[what] = kinds.get(what, 0) + 1

        for client in await self._store.clients.all():
            if client.seal is not None:
                count(sealed_by(client.seal), "relying apps")
            for anchor in await self._store.anchors.of(client.client_id):
                count(sealed_by(anchor.sealed), "anchors")
            async for beside in all_sealed(self._store, client.client_id):
                count(sealed_by(beside.sealed), beside.kind)
            after = ""
            while True:
                page = await self._store.templates.vectors(
                    client.client_id, after=after, most=self._page
                )
                bare = [row.subject for row in page if row.vector is None]
                for row in page:
                    if row.vector is not None:
                        count(sealed_by(row.vector), "templates")
                for record in await self._store.templates.of_subjects(client.client_id, bare):
                    count(sealed_by(record.sealed), "templates")
                if len(page) < self._page:
                    break
                after = page[-1].subject
        for key in await self._store.keys.all():
            count(sealed_by(key.sealed_private), "signing keys")
        place: tuple[str, int] = ("", 0)
        while chains := await self._store.audit.records(after=place, most=1):
            count(chains[0].chain.partition(".")[0], "chains of the audit")
            place = (chains[0].chain, 2**62)
        return found


def _sealer(record: KeyRecord) -> str:
    return sealed_by(record.sealed_private) or "unreadable"
