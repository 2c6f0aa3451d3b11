"""From an offer to a peer: the ticket is taken late, and whatever fails gives all of it back.

Over HTTP: tests/server/http/test_offers.py. With a real connection: tests/server/test_app.py.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from server.parts import Parts
from server.problems import Problem
from server.rtc.connection import Connection, NoAddress
from server.rtc.lines import BadOffer
from server.session import opening
from server.session.lockout import Caller
from server.session.occupancy import Room
from server.store.port import NotFound, SessionRecord, Unavailable
from server.store.tries import IN_A_ROW, Tally
from tests.pipeline.observations import Camera
from tests.server.fake_connection import FakeConnection
from tests.server.stage import CLIENT, POLICY, close_parts, failed, failures, make_parts

TICKET = hashlib.sha256(b"ticket").digest()


@dataclass
class Answered(FakeConnection):
    answer_sdp: str = "answer"


@dataclass
class Door:
    """An opening where offers are good and connections fake, unless a test says otherwise."""

    parts: Parts
    made: list[Answered] = field(default_factory=list)
    fault: BaseException | None = None

    async def accept(self, *_: Any, **__: Any) -> Answered:
        if self.fault is not None:
            raise self.fault
        self.made.append(Answered())
        return self.made[-1]

    async def session(self, session_id: str = "s") -> SessionRecord:
        now = self.parts.now()
        record = SessionRecord(
            session_id=session_id,
            client_id=CLIENT,
            purpose="login",
            subject="ann",
            nonce="n" * 20,
            ticket_hash=TICKET,
            state="new",
            created_at=now,
            expires_at=now + timedelta(seconds=60),
        )
        await self.parts.store.sessions.add(record)
        return record

    async def answer(
        self, record: SessionRecord, ticket_hash: bytes = TICKET, address: str = "127.0.0.1"
    ) -> str:
        caller = Caller(address)
        return await self.parts.opening.answer(record, ticket_hash, "offer", POLICY, caller)

    async def refused(
        self, record: SessionRecord, ticket_hash: bytes = TICKET, address: str = "127.0.0.1"
    ) -> str:
        with pytest.raises(Problem) as refusal:
            await self.answer(record, ticket_hash, address)
        return refusal.value.code

    async def state(self, record: SessionRecord) -> str:
        return (await self.parts.store.sessions.get(record.session_id)).state

    @property
    def taken(self) -> tuple[int, int]:
        """Places and peers."""
        return len(self.parts.opening.admission.occupancy), len(self.parts.peers)


@pytest.fixture
async def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    parts, _ = await make_parts(tmp_path, Camera(), max_sessions="1")
    door = Door(parts)
    monkeypatch.setattr(opening, "check_offer", lambda sdp: sdp)
    monkeypatch.setattr(Connection, "accept", door.accept)
    yield door
    await close_parts(door.parts)


async def test_an_offer_is_answered_and_its_peer_lives_until_it_is_stopped(door: Door) -> None:
    record = await door.session()
    assert await door.answer(record) == "answer"
    assert door.taken == (1, 1)
    assert await door.state(record) == "live"
    await door.parts.peers.stop(0.0)
    assert door.taken == (0, 0)
    assert door.made[0].closings == 1


async def test_a_malformed_offer_burns_no_ticket(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad(sdp: str) -> str:
        raise BadOffer("sdp_malformed", "no")

    record = await door.session()
    with monkeypatch.context() as broken:
        broken.setattr(opening, "check_offer", bad)
        assert await door.refused(record) == "sdp_malformed"
    assert (door.taken, await door.state(record)) == ((0, 0), "new")
    await door.answer(record)


async def test_a_full_server_burns_no_ticket(door: Door) -> None:
    first, second = await door.session("s1"), await door.session("s2")
    await door.answer(first)
    assert await door.refused(second, address="127.0.0.2") == "busy"
    assert (door.taken, await door.state(second)) == ((1, 1), "new")


async def test_a_newer_session_of_the_same_person_at_the_address_takes_over(door: Door) -> None:
    older, newer = await door.session("s1"), await door.session("s2")
    await door.answer(older)
    assert await door.refused(newer, bytes(32)) == "ticket_invalid"
    assert await door.state(older) == "live"
    await door.answer(newer)
    async with asyncio.timeout(5):
        while await door.state(older) == "live":  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    assert (await door.parts.store.sessions.get("s1")).reasons == ("cancelled",)
    assert await door.state(newer) == "live"
    assert [one["error"]["code"] for one in door.made[0].of("error")] == ["session_replaced"]
    assert door.taken[0] == 1


async def test_a_person_at_too_many_addresses_burns_no_ticket(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door.parts.opening.admission.occupancy, "room", Room(8, 8, 2, 8))
    for n in range(2):
        await door.answer(await door.session(f"s{n}"), address=f"10.0.0.{n}")
    record = await door.session()
    assert await door.refused(record, address="10.0.0.9") == "too_many_sessions"
    assert (door.taken, await door.state(record)) == ((2, 2), "new")


async def test_a_lock_burns_no_ticket_and_is_told_to_its_holder_alone(door: Door) -> None:
    record = await door.session()
    for _ in range(IN_A_ROW):
        await failed(door.parts, "ann")
    assert await door.refused(record) == "too_many_failures"
    assert await door.refused(record, bytes(32)) == "ticket_invalid"
    assert (door.taken, await door.state(record)) == ((0, 0), "new")


async def test_of_eight_offers_at_once_only_those_before_the_limit_look_at_a_face(
    door: Door, tmp_path: Path
) -> None:
    """All eight saw four failures when they came in."""
    room = {"max_sessions": "20", "max_connecting": "20", "subject_addresses": "20"}
    await close_parts(door.parts)
    door.parts, _ = await make_parts(tmp_path / "room", Camera(), **room)
    occupancy: Any = door.parts.opening.admission.occupancy  # type: ignore[attr-defined]
    occupancy.limit = lambda: 20
    for _ in range(IN_A_ROW - 1):
        await failed(door.parts, "ann")
    records = [await door.session(f"s{n}") for n in range(8)]
    said = await asyncio.gather(
        *(door.answer(record, address=f"10.0.0.{n}") for n, record in enumerate(records)),
        return_exceptions=True,
    )
    assert said.count("answer") == 1
    codes = {one.code for one in said if isinstance(one, Problem)}
    assert "too_many_failures" in codes
    assert codes <= {"too_many_failures", "busy"}  # a place may be between two holders
    assert (len(door.made), door.taken) == (1, (1, 1))


async def test_what_fails_after_the_try_was_taken_gives_it_back(door: Door) -> None:
    door.fault = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await door.answer(await door.session())
    assert await failures(door.parts, "ann") == 0


async def test_a_removed_client_takes_no_try(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: Any) -> Tally:
        raise NotFound

    record = await door.session()
    monkeypatch.setattr(type(door.parts.store.tries), "take", gone)
    assert await door.refused(record) == "ticket_invalid"
    assert (door.taken, await door.state(record)) == ((0, 0), "expired")


async def test_a_wrong_or_used_ticket_takes_no_place(door: Door) -> None:
    record = await door.session()
    assert await door.refused(record, bytes(32)) == "ticket_invalid"
    assert door.taken == (0, 0)
    await door.answer(record)
    await door.parts.peers.stop(0.0)
    assert await door.refused(record) == "ticket_used"
    assert door.taken == (0, 0)


async def test_a_store_that_is_down_takes_no_place(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: Any) -> SessionRecord:
        raise Unavailable

    record = await door.session()
    monkeypatch.setattr(door.parts.store.sessions, "claim", down)
    with pytest.raises(Unavailable):
        await door.answer(record)
    assert door.taken == (0, 0)


@pytest.mark.parametrize(
    ("fault", "code"),
    [(NoAddress(), "busy"), (BadOffer("sdp_no_fingerprint", "no"), "sdp_no_fingerprint")],
)
async def test_what_fails_after_the_claim_ends_the_session(
    door: Door, fault: Exception, code: str
) -> None:
    record = await door.session()
    door.fault = fault
    assert await door.refused(record) == code
    assert (door.taken, await door.state(record)) == ((0, 0), "expired")


async def test_a_bug_after_the_claim_ends_the_session(door: Door) -> None:
    record = await door.session()
    door.fault = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await door.answer(record)
    assert (door.taken, await door.state(record)) == ((0, 0), "expired")


async def test_a_ticket_is_kept_while_it_asks_but_not_for_ever(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock: Any = door.parts.clock
    record, codes = await door.session(), list[str]()
    occupancy = door.parts.opening.admission.occupancy  # type: ignore[attr-defined]
    monkeypatch.setattr(occupancy, "limit", lambda: 0)
    for _ in range(100):
        clock.s += 10.0
        codes.append(await door.refused(await door.parts.store.sessions.get(record.session_id)))
    kept = codes.index("ticket_invalid") * 10.0
    assert set(codes[:88]) == {"busy"}
    assert kept == pytest.approx(opening.LONGEST_S, abs=20.0)
    assert set(codes[91:]) == {"ticket_invalid"}
