"""Which counters a session's try is taken from, and what their refusal is to the page.

A login on a known device counts there alone, so that strangers cannot lock it. Any other counts
with the strangers of its subject and at its address; who names nobody counts at the address and
with the relying app. Subjects without a template are counted in places of a table, by a keyed hash:
no name is kept, and a place that is needed forgets whose it was. Not here: the rules and the verbs
(server/store/tries.py), what counts as a failure (verdict.py).
Source: docs/decisions/lockout.md.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.reasons import Purpose
from server.keys.token import base64url
from server.problems import Problem
from server.store.port import NotFound, SessionRecord, Templates
from server.store.tries import LIMITS, Counter, Kind, Limits, Refused, Tries

PLACES = 4096
"""Of each table and client: with so many names or addresses at once a limit holds no more, and the
database must (as Buckets in server/limits.py)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who comes with a ticket."""

    address: str
    """As limits count it."""
    device: str | None = None
    """Id of the device that its cookie names, if that was sealed for this client and subject."""


@dataclass(frozen=True, slots=True)
class Lockout:
    """The counters of one store."""

    tries: Tries
    templates: Templates
    secret: Callable[[], bytes]
    """Key of the hashes, the same in all servers on the store."""
    now: Callable[[], datetime]
    limits: Limits = field(default_factory=lambda: LIMITS)
    """The same as the store's."""

    async def counters(self, record: SessionRecord, caller: Caller) -> tuple[Counter, ...]:
        """What this session's try is taken from. Raises Unavailable."""
        client_id, subject = record.client_id, record.subject
        match Purpose(record.purpose):
            case Purpose.ENROLL:
                return ()  # the relying app knows whom it lets enrol, and nothing is compared
            case Purpose.IDENTIFY:
                named = Counter(client_id, Kind.CLIENT, "")
                return (self.of_address(client_id, caller), named)
            case Purpose.LOGIN:
                return await self.of_person(client_id, subject or "", caller)

    async def of_person(self, client_id: str, subject: str, caller: Caller) -> tuple[Counter, ...]:
        """What a try in this person's name is taken from. Raises Unavailable."""
        if caller.device is not None:
            device = device_counter(client_id, subject, caller.device)
            if await self.tries.knows_device(device, self.now()):
                return (device,)
        return (await self.strangers(client_id, subject), self.of_address(client_id, caller))

    def of_address(self, client_id: str, caller: Caller) -> Counter:
        """Of whoever comes from this address and names nobody."""
        return self._place(Kind.ADDRESS, client_id, caller.address)

    async def check(self, counters: tuple[Counter, ...]) -> None:
        """Refuse early, before a place is taken. Raises Problem, Unavailable."""
        for counter in counters:
            tally = await self.tries.tally(counter)
            _pass(tally.refusal(self.now(), self.limits[counter.kind]))

    async def take(self, session_id: str, counters: tuple[Counter, ...]) -> None:
        """Take the try. Raises Problem, NotFound, Unavailable."""
        if counters:
            _pass(await self.tries.take(session_id, counters, self.now()))

    async def locks(self, client_id: str, subject: str) -> bool:
        """Whether a stranger could not log in as this subject now, by whatever way."""
        counter = await self.strangers(client_id, subject)
        tally = await self.tries.tally(counter)
        return tally.refusal(self.now(), self.limits[counter.kind]) is not None

    def word(self, record: SessionRecord) -> str:
        """What an accepted session's page shows to get its device's cookie; 43 characters."""
        return base64url(self._hashed("word", record.session_id))

    def device_id(self, record: SessionRecord) -> str:
        """Of the device that this session makes known: one, however often its page asks."""
        return base64url(self._hashed("device", record.session_id)[:16])

    async def strangers(self, client_id: str, subject: str) -> Counter:
        """The counter of whoever is on no known device. Raises Unavailable."""
        try:
            await self.templates.get(client_id, subject)
        except NotFound:
            return self._place(Kind.NAME, client_id, subject)
        return Counter(client_id, Kind.STRANGERS, subject, subject)

    def _place(self, kind: Kind, client_id: str, name: str) -> Counter:
        drawn = self._hashed(kind, f"{len(client_id)}|{client_id}|{name}")
        place = int.from_bytes(drawn[:8], "big") % PLACES
        return Counter(client_id, kind, str(place), None, drawn[8:16].hex())

    def _hashed(self, what: str, text: str) -> bytes:
        return hmac.new(self.secret(), f"{what}|{text}".encode(), hashlib.sha256).digest()


def device_counter(client_id: str, subject: str, device_id: str) -> Counter:
    """That of one known device."""
    return Counter(client_id, Kind.DEVICE, device_id, subject)


def code_counter(client_id: str, subject: str) -> Counter:
    """That of somebody's wrong one-time and recovery codes. A face or a known device begins it
    never anew, because a code is asked for where these are not enough."""
    return Counter(client_id, Kind.CODE, subject, subject)


def _pass(refused: Refused | None) -> None:
    if refused is None:
        return
    if refused.disabled:
        raise Problem("face_disabled")
    raise Problem("too_many_failures", retry_after_s=refused.wait_s)
