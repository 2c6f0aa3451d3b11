"""A verdict and its record are one: no token without it, and what it holds names nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.decision import Evidence, Moment, Stand, Topic
from pipeline.events import Decided
from pipeline.reasons import Phase, Reason
from server import life
from server.audit.export import stored
from server.audit.record import read_body
from server.audit.verify import verify
from server.parts import Parts
from server.session.verdict import Said
from server.store.port import SessionRecord
from server.store.sqlite.store import SqliteStore
from tests.pipeline.observations import Camera
from tests.server.stage import CLIENT, POLICY, claimed, close_parts, enrolled, make_parts

ROW = Evidence("spoof", Topic.LIVENESS, Stand.FOR, "live", 1.5, numbers={"margin": float("nan")})
ANN = Decided(Phase.ACCEPTED, subject="ann")
STRANGER = Decided(Phase.REJECTED, (Reason.NO_MATCH,))
REFUSING = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END"


@dataclass
class House:
    parts: Parts
    store: SqliteStore

    async def said(self, decided: Decided) -> tuple[SessionRecord, Said]:
        session = await claimed(self.parts, "login", "ann")
        moment = Moment(1.6, 1.5, 3.0)
        return session, await self.parts.verdicts.record(session, POLICY, decided, [ROW], moment)

    async def bodies(self) -> list[dict[str, Any]]:
        return [read_body(record.body) async for record in stored(self.store.audit)]

    async def whole(self) -> bool:
        found = await verify(stored(self.store.audit), self.parts.audit.seals)
        return not found.faults

    async def sql(self, statement: str) -> None:
        async with self.store.database.transaction() as db:
            await db.execute_fetchall(statement)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    store = SqliteStore(tmp_path / "test.sqlite3")
    parts, _ = await make_parts(tmp_path, Camera(), store=store)
    await enrolled(parts, "ann", 1)
    yield House(parts, store)
    await close_parts(parts)


async def test_a_record_has_what_decides_it_again_and_no_name(house: House) -> None:
    session, said = await house.said(ANN)
    assert said.token is not None
    body = (await house.bodies())[-1]
    assert body["subject"] == house.parts.audit.seals.subject(CLIENT, "ann")
    told = {name: value for name, value in body.items() if name not in ("subject", "at")}
    assert told == {
        "kind": "verdict",
        "client": CLIENT,
        "session": session.session_id,
        "purpose": "login",
        "outcome": "accepted",
        "reasons": [],
        "policy": "standard",
        "fingerprint": POLICY.fingerprint(),
        "model": "test",
        "acr": None,
        "moment": {"elapsed_s": 1.6, "settle_s": 1.5, "window_s": 3.0, "asked": None},
        "table": [{**ROW.to_json(), "numbers": {"margin": None}}],
    }
    assert "ann" not in str(body["table"])


async def test_a_refusal_is_recorded_with_its_reasons(house: House) -> None:
    session, _ = await house.said(STRANGER)
    body = (await house.bodies())[-1]
    assert (body["session"], body["outcome"]) == (session.session_id, "rejected")
    assert body["reasons"] == ["no_match"]


@pytest.mark.parametrize("decided", [ANN, STRANGER])
async def test_a_record_that_cannot_be_written_refuses_and_is_made_up_for(
    house: House, decided: Decided
) -> None:
    await house.sql(REFUSING)
    session, said = await house.said(decided)
    assert (said.phase, said.token, said.error) == (Phase.REJECTED, None, "store_unavailable")
    assert (await house.store.sessions.get(session.session_id)).state == "live"
    await house.sql("DROP TRIGGER full")
    await house.parts.verdicts.settle()
    assert (await house.store.sessions.get(session.session_id)).state == "rejected"
    outcomes = [one["outcome"] for one in await house.bodies() if one["kind"] == "verdict"]
    assert outcomes == ["rejected"]
    # The next one is as before.
    _, said = await house.said(ANN)
    assert said.token is not None
    assert await house.whole()


async def test_a_server_signs_once_an_hour_and_when_it_stops(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "CHECKPOINT_S", 0.01)

    async def kinds() -> list[str]:
        return [body["kind"] for body in await house.bodies()]

    running = life.of(house.parts)
    await anext(running)
    async with asyncio.timeout(10):
        while (await kinds()).count("checkpoint") < 2:  # noqa: ASYNC110 (nothing tells it)
            await asyncio.sleep(0.01)
    await house.store.open()
    with pytest.raises(StopAsyncIteration):
        await anext(running)
    await house.store.open()  # it was closed with the server
    found = await kinds()
    assert found[:2] == ["open", "settings"]
    assert found[-1] == "close"
    assert await house.whole()
