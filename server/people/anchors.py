"""What a client's templates are held against: its secrets, and which template of a subject counts.

A sealed template alone does not say that it is the newest: who can write the database can put an
older one back. So every template of a client has a counter, and which counters count is kept beside
the templates, sealed, in parts by subject. Each part has a version, and the client's head says what
every part may not be older than. Who turns one row back meets its part, who turns the part back
meets the head, and who turns the head back as well contradicts every part that was changed since,
and each process that saw it. The head says as well how new the client's row is (sealed_clients.py).
Who turns a client's rows back all together is noticed by marks.py alone.

An enrolment is announced before it is stored, and settled after; a process that dies between leaves
two counters that count. Not here: the rows (server/store/anchors.py), sealing and rotating
templates (templates.py, protection.py). Source: docs/decisions/anchors.md.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from server.keys.rotation import SECRET_BYTES
from server.keys.vault import Vault, VaultError, sealed_by
from server.people.standing import Counters, Head, Standing, part_of
from server.store.anchors import HEAD, AnchorRecord, Anchors
from server.store.port import Conflict, Unavailable

TRIES = 100
"""Of a compare-and-set that meets others; each loss is another's success."""

OVER = 2**62
"""The version of a head whose name another took: no head is so new."""


class Ledger:
    """Reads and writes the anchors of all clients."""

    def __init__(
        self,
        anchors: Anchors,
        vault: Vault,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        seen: Mapping[str, int] | None = None,
    ) -> None:
        """`seen`: what processes before this one saw of heads (marks.py)."""
        self._anchors = anchors
        self._vault = vault
        self._now = now
        self._random_bytes = random_bytes
        self.seen: Mapping[str, int] = dict(seen or {})
        """The newest version of each head, by its name. A new one with each change, so that a read
        is held against what was seen before it began."""
        self.rows_counted = False
        """Whether every client's row has a turn (sealed_clients.py)."""

    async def standing(self, client_id: str, subjects: Iterable[str] | None) -> Standing:
        """Of these subjects, or all. Read it after the templates that are held against it.

        Raises Unavailable.
        """
        wanted = None if subjects is None else [HEAD, *{part_of(subject) for subject in subjects}]
        before = self.seen
        read = await self._anchors.of(client_id, wanted)
        if wanted is None:  # a second for a million people
            return await asyncio.to_thread(self._opened, read, None, before)
        return self._opened(read, wanted, before)

    def _opened(
        self,
        read: Sequence[AnchorRecord],
        wanted: Sequence[int] | None,
        before: Mapping[str, int],
    ) -> Standing:
        records = {one.part: one for one in read}
        first = records.pop(HEAD, None)
        if first is None:
            return Standing(None, {})
        try:
            head = self._head(first)
        except VaultError:
            return Standing(None, {}, turned_back=True)
        if head.version > self.seen.get(head.name, 0):
            self.seen = {**self.seen, head.name: head.version}
        counters: dict[str, tuple[int, ...]] = {}
        stale = set()
        for part in records if wanted is None else wanted[1:]:
            if part not in records and part not in head.floors:
                continue  # nobody is there yet
            try:
                counters |= self._counters(records[part], head)
            except (KeyError, VaultError):
                stale.add(part)
        if wanted is None:
            stale |= set(head.floors) - set(records)
        return Standing(head, counters, frozenset(stale), head.version < before.get(head.name, 0))

    def _head(self, record: AnchorRecord) -> Head:
        return Head.from_bytes(
            record.version, self._vault.open(record.sealed, owner=_owner(record))
        )

    def _counters(self, record: AnchorRecord, head: Head) -> dict[str, tuple[int, ...]]:
        """Raises VaultError `anchor_rolled_back`."""
        if record.version < head.floors.get(record.part, 0):
            raise VaultError("anchor_rolled_back", TURNED_BACK)
        plain = self._vault.open(record.sealed, owner=_owner(record, head.name))
        return {subject: tuple(kept) for subject, kept in json.loads(plain).items()}

    async def announce(
        self, client_id: str, subjects: Sequence[str], *, first: bool = True
    ) -> tuple[Head, dict[str, int]]:
        """The head, and a new counter for each subject, which counts beside those that do.

        `first`: whether the client has no template yet, should it have no head. Raises Unavailable,
        VaultError, NotFound (no such client).
        """
        head = await self.found(client_id, first=first)
        given: dict[str, int] = {}
        for part, names in _by_part(subjects):

            def with_new(
                now: Counters, version: int, head: Head, names: Sequence[str] = names
            ) -> Counters:
                before = () if head.adopted else (0,)
                return {**now, **{name: (*now.get(name, before), version) for name in names}}

            version = await self._change(client_id, part, with_new)
            given |= dict.fromkeys(names, version)
        return head, given

    async def settle(self, client_id: str, stored: Mapping[str, int]) -> None:
        """These templates are stored: no older one of theirs counts any more.

        Raises Unavailable, VaultError, NotFound.
        """
        for part, names in _by_part(list(stored)):

            def without_old(
                now: Counters, version: int, head: Head, names: Sequence[str] = names
            ) -> Counters:
                left = {
                    name: tuple(
                        sorted({stored[name], *(k for k in now.get(name, ()) if k > stored[name])})
                    )
                    for name in names
                }
                return {**now, **left}

            await self._raise(client_id, part, await self._change(client_id, part, without_old))

    async def forget(self, client_id: str, subject: str) -> None:
        """No template of theirs counts any more. Raises Unavailable, VaultError."""
        standing = await self.standing(client_id, [subject])
        if standing.turned_back or standing.stale:
            raise VaultError("anchor_rolled_back", TURNED_BACK)
        if standing.head is None or subject not in standing.counters:
            return

        def without(now: Counters, version: int, head: Head) -> Counters:
            return {name: kept for name, kept in now.items() if name != subject}

        part = part_of(subject)
        await self._raise(client_id, part, await self._change(client_id, part, without))

    async def take_back(self, client_id: str, subject: str, counter: int) -> None:
        """What was announced is not stored: its counter counts no more, and who has no other is
        not named. Raises Unavailable, VaultError."""

        def without(now: Counters, version: int, head: Head) -> Counters:
            left = tuple(kept for kept in now.get(subject, ()) if kept != counter)
            others = {name: kept for name, kept in now.items() if name != subject}
            nobody = not left or (left == (0,) and not head.adopted)
            return others if nobody else {**others, subject: left}

        part = part_of(subject)
        await self._raise(client_id, part, await self._change(client_id, part, without))

    async def renew(self, client_id: str) -> Head:
        """A new secret rotates what is sealed from now on; the old ones stay until `retire`."""

        def renewed(head: Head) -> Head:
            epoch = head.epoch + 1
            known = {**head.secrets, epoch: self._random_bytes(SECRET_BYTES)}
            return replace(head, epoch=epoch, secrets=known, since=self._now())

        return await self._change_head(client_id, renewed)

    async def retire(self, client_id: str) -> Head:
        """Only the newest secret is kept: what others rotated cannot be compared any more."""
        return await self._change_head(
            client_id, lambda head: replace(head, secrets={head.epoch: head.secret})
        )

    async def adopted(self, client_id: str) -> Head:
        """No template without a counter is believed from now on."""
        return await self._change_head(client_id, lambda head: replace(head, adopted=True))

    async def raise_row(self, client_id: str, turn: int) -> None:
        """No older row of the client counts any more. Raises Unavailable, VaultError."""
        await self._change_head(client_id, lambda head: replace(head, row=max(turn, head.row)))

    async def found(self, client_id: str, *, first: bool) -> Head:
        """The head, made if there is none. `first`: as for `announce`."""
        standing = await self.standing(client_id, [])
        if standing.turned_back:
            raise VaultError("anchor_rolled_back", TURNED_BACK)
        return standing.head or await self._found(client_id, first)

    async def reseal(self, client_id: str) -> int:
        """Seal under the newest master key what another one sealed; how many parts."""
        done = 0
        for record in await self._anchors.of(client_id):
            if sealed_by(record.sealed) == self._vault.key_id:
                continue
            done += 1
            if record.part == HEAD:
                await self._change_head(client_id, lambda head: head)
            else:
                await self._change(client_id, record.part, lambda now, version, head: now)
        return done

    async def accept(self, client_id: str, stored: Mapping[str, int]) -> None:
        """Believe that these templates count and no others, whatever the parts say.

        The head gets another name, by which nothing opens that was sealed for it before. Again does
        the same, also if it was interrupted. Raises Unavailable, VaultError `anchor_missing`.
        """
        lists: dict[int, dict[str, tuple[int, ...]]] = {}
        for subject, counter in stored.items():
            lists.setdefault(part_of(subject), {})[subject] = (counter,)
        name, before = self._random_bytes(8).hex(), await self.standing(client_id, [])
        head = await self._change_head(
            client_id, lambda head: replace(head, name=name, floors={}), anyhow=True
        )
        if before.head is not None:
            self.seen = {**self.seen, before.head.name: OVER}
        there = {one.part: one.version for one in await self._anchors.of(client_id)}
        for part in sorted(set(lists) | set(there) - {HEAD}):
            version = max(there.get(part, 0), 0) + 1
            plain = json.dumps(lists.get(part, {})).encode()
            await self._anchors.put(self._sealed(client_id, part, version, plain, head.name))
            await self._raise(client_id, part, version)

    # One document at a time, compared and set

    async def _found(self, client_id: str, first: bool) -> Head:
        head = Head(
            name=self._random_bytes(8).hex(),
            version=1,
            epoch=1,
            since=self._now(),
            secrets={1: self._random_bytes(SECRET_BYTES)},
            floors={},
            adopted=first,
        )
        try:
            await self._anchors.put(self._sealed(client_id, HEAD, 1, head.to_bytes()))
        except Conflict:  # another was first
            known = (await self.standing(client_id, [])).head
            if known is None:
                raise Unavailable("the anchors change too fast") from None
            return known
        return head

    def _sealed(
        self, client_id: str, part: int, version: int, plain: bytes, name: str = ""
    ) -> AnchorRecord:
        """`name`: of the head, for a part that is another."""
        record = AnchorRecord(client_id, part, version, b"")
        return replace(record, sealed=self._vault.seal(plain, owner=_owner(record, name)))

    async def _change_head(
        self, client_id: str, change: Callable[[Head], Head], *, anyhow: bool = False
    ) -> Head:
        for _ in range(TRIES):
            standing = await self.standing(client_id, [])
            if standing.turned_back and not (anyhow and standing.head):
                raise VaultError("anchor_rolled_back", TURNED_BACK)
            if standing.head is None:
                raise _missing()
            head = replace(change(standing.head), version=standing.head.version + 1)
            try:
                await self._anchors.put(
                    self._sealed(client_id, HEAD, head.version, head.to_bytes())
                )
            except Conflict:
                continue
            return head
        raise Unavailable(f"a change met others {TRIES} times")

    async def _change(
        self, client_id: str, part: int, change: Callable[[Counters, int, Head], Counters]
    ) -> int:
        """Its new version, which `change` is told beside what is there and the head."""
        for _ in range(TRIES):
            records = {one.part: one for one in await self._anchors.of(client_id, [HEAD, part])}
            if HEAD not in records:
                raise _missing()
            head, now = self._head(records[HEAD]), {}
            version = 1
            if part in records:
                now, version = self._counters(records[part], head), records[part].version + 1
            elif part in head.floors:
                raise VaultError("anchor_rolled_back", TURNED_BACK)
            plain = json.dumps(change(now, version, head)).encode()
            try:
                await self._anchors.put(self._sealed(client_id, part, version, plain, head.name))
            except Conflict:
                continue
            return version
        raise Unavailable(f"a change met others {TRIES} times")

    async def _raise(self, client_id: str, part: int, version: int) -> None:
        """Let the head say that the part is not older than this."""

        def raised(head: Head) -> Head:
            return replace(
                head, floors={**head.floors, part: max(version, head.floors.get(part, 0))}
            )

        await self._change_head(client_id, raised)


TURNED_BACK = (
    "What says which templates of this client count is older than it was. If you restored a part of"
    " the database, `lookgate client accept-state` believes it as it is; if not, somebody else"
    " changed the database."
)


def _missing() -> VaultError:
    return VaultError(
        "anchor_missing",
        "What says which templates of this client count is gone. Restore the database as a whole;"
        " without it, everybody of this client must enrol again.",
    )


def _owner(record: AnchorRecord, name: str = "") -> tuple[str, ...]:
    return ("anchor", record.client_id, name, str(record.part), str(record.version))


def _by_part(subjects: Sequence[str]) -> list[tuple[int, list[str]]]:
    parts: dict[int, list[str]] = {}
    for subject in subjects:
        parts.setdefault(part_of(subject), []).append(subject)
    return list(parts.items())
