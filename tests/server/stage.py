"""A server in a test: real store and keys, a fake connection, a synthetic camera."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.frame import Frame
from pipeline.nets.embed import Embedder
from pipeline.policy import POLICIES, Policy
from pipeline.template import Gallery
from server.app import build
from server.keys.vault import Vault
from server.life import open_parts
from server.parts import Parts
from server.people.consent import Consent, shipped
from server.session import whom
from server.session.lockout import Caller
from server.session.occupancy import Holder
from server.session.peer import Peer
from server.settings.load import Settings, load
from server.store.port import Client, SessionRecord, Store, Unavailable
from server.store.sqlite.store import SqliteStore
from tests.pipeline.observations import Camera, template
from tests.server.fake_connection import FakeConnection

CLIENT = "shop"
ORIGIN = "https://shop.example"
SECRET = "s" * 43
POLICY = POLICIES["standard"]
KEY = bytes(32)
VAULT = Vault([KEY])
"""That of every server made here."""
PIXELS = np.zeros((4, 4, 3), np.uint8)


def settings(folder: Path, **changed: str) -> Settings:
    """Defaults, with the data in `folder`."""
    given = {f"LOOKGATE_{name.upper()}": value for name, value in changed.items()}
    return load({"HOME": str(folder), "LOOKGATE_DATA_DIR": str(folder), **given})


@dataclass
class Alarm:
    """What `Clock.call_later` gives."""

    at_s: float
    call: Callable[[], None]
    over: bool = False

    def cancel(self) -> None:
        self.over = True


@dataclass
class Clock:
    """Both clocks, as far as the test turns them, and the timers that hang on them."""

    s: float = 100.0
    began: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)
    alarms: list[Alarm] = field(default_factory=list)

    def __call__(self) -> float:
        return self.s

    def now(self) -> datetime:
        return self.began + timedelta(seconds=self.s - 100.0)

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Alarm:
        """As that of an event loop."""
        self.alarms.append(Alarm(self.s + delay_s, call))
        return self.alarms[-1]

    def next_s(self) -> float:
        """When the next timer goes off; infinite if there is none."""
        return min((alarm.at_s for alarm in self.alarms if not alarm.over), default=math.inf)

    def advance(self, seconds: float) -> None:
        """Let time pass; timers go off at their times."""
        until_s = self.s + seconds
        while (due_s := self.next_s()) <= until_s:
            self.s = max(self.s, due_s)
            alarm = next(one for one in self.alarms if not one.over and one.at_s == due_s)
            alarm.over = True
            alarm.call()
        self.s = until_s


async def make_parts(
    folder: Path, camera: Camera, *, store: Store | None = None, **changed: str
) -> tuple[Parts, Clock]:
    """The parts of an open server with one client, who looks with `camera`."""
    clock = Clock()
    key = base64.b64encode(KEY).decode()
    parts = build(
        settings(folder, master_key=key, **{"workers": "1", **changed}),
        lambda frame, ask: camera.shot(ask),
        store=store or SqliteStore(folder / "test.sqlite3"),
        embedder=Embedder("test", 128),
        clock=clock,
        now=clock.now,
        call_later=clock.call_later,
    )
    await open_parts(parts)
    client = Client(
        client_id=CLIENT,
        secret_hash=hashlib.sha256(SECRET.encode()).digest(),
        origins=(ORIGIN,),
        policy="standard",
        created_at=clock.now(),
    )
    await add_client(parts, client)
    return parts, clock


async def add_client(parts: Parts, client: Client) -> None:
    """As the operator adds one."""
    await parts.clients.add(client)


async def change_client(parts: Parts, **changes: Any) -> None:
    """As the operator changes the one."""
    was = await parts.store.clients.get(CLIENT)
    await parts.clients.change(was, replace(was, **changes))


async def close_parts(parts: Parts) -> None:
    """Let go of peers, threads and files."""
    await parts.peers.stop(0.0)
    await parts.inference.close()
    with contextlib.suppress(Unavailable):
        await parts.audit.close()
    await parts.store.close()


async def enrolled(parts: Parts, subject: str, person: int) -> None:
    """Give a subject the template of a synthetic person."""
    record = await parts.protection.seal(
        template(person),
        client_id=CLIENT,
        subject=subject,
        template_id=secrets.token_hex(8),
        created_at=parts.now(),
    )
    await parts.store.templates.put(record, replace=True)
    await parts.protection.settle(record)


def agreed_to(session_id: str, client_id: str = CLIENT) -> str:
    """A session's consent to the shipped text, as the server records it."""
    one = shipped()[0][0]
    words = {"text_id": one.text_id, "version": one.version, "language": one.language}
    at = "2026-01-01T12:00:00.000Z"
    return Consent(
        **words, sha256=one.sha256, purpose=one.purpose, at=at, client=client_id, session=session_id
    ).to_json()


async def claimed(
    parts: Parts, purpose: str, subject: str | None, *, replace: bool = False
) -> SessionRecord:
    """A session whose ticket and try were just taken."""
    ticket_hash = hashlib.sha256(secrets.token_bytes(8)).digest()
    session_id = secrets.token_urlsafe(32)
    record = SessionRecord(
        session_id=session_id,
        client_id=CLIENT,
        purpose=purpose,
        subject=subject,
        nonce="n" * 20,
        ticket_hash=ticket_hash,
        state="new",
        created_at=parts.now(),
        expires_at=parts.now() + timedelta(seconds=60),
        replace=replace,
        consent=agreed_to(session_id) if purpose == "enroll" else None,
    )
    await parts.store.sessions.add(record)
    counters = await parts.opening.lockout.counters(record, Caller("192.0.2.1"))
    await parts.opening.lockout.take(record.session_id, counters)
    return await parts.store.sessions.claim(record.session_id, ticket_hash, parts.now())


async def failed(parts: Parts, subject: str, times: int = 1) -> None:
    """A stranger failed to log in as this subject."""
    for _ in range(times):
        record = await claimed(parts, "login", subject)
        counters = [await parts.opening.lockout.strangers(CLIENT, subject)]
        await parts.store.tries.end(record.session_id, counters, failed=True, at=parts.now())


async def failures(parts: Parts, subject: str) -> int:
    """How often strangers failed in a row."""
    counter = await parts.opening.lockout.strangers(CLIENT, subject)
    return (await parts.store.tries.tally(counter)).n


async def gallery_of(parts: Parts, record: SessionRecord) -> Gallery:
    """What its server compares a session's face with."""
    return await whom.gallery_for(parts.opening.galleries, parts.opening.decoys, record)


@dataclass
class Stage:
    """A peer with its fake connection, and the camera that plays to it."""

    parts: Parts
    clock: Clock
    camera: Camera
    peer: Peer
    connection: FakeConnection
    task: asyncio.Task[None]

    @classmethod
    def of(
        cls,
        parts: Parts,
        clock: Clock,
        camera: Camera,
        record: SessionRecord,
        gallery: Gallery,
        policy: Policy = POLICY,
    ) -> Stage:
        """As server.session.opening does it, with a fake connection."""
        place = parts.opening.admission.occupancy.enter(
            Holder(CLIENT, record.subject, "127.0.0.1"), clock.s
        )
        peer = parts.opening.new_peer(record, policy, gallery, place)
        connection = FakeConnection()
        camera.now_s = clock.s
        task = parts.peers.start(peer, peer.run(connection))
        return cls(parts, clock, camera, peer, connection, task)

    async def until(self, wanted: Any) -> None:
        """Wait, in real time, until `wanted()`."""
        async with asyncio.timeout(5):
            while not wanted():  # noqa: ASYNC110 (many things to wait for, none has an event)
                await asyncio.sleep(0.002)

    async def open(self) -> None:
        """The channel opens."""
        self.connection.channel_open.set()
        await self.until(lambda: self.connection.of("welcome"))

    async def show(self, frames: int) -> None:
        """Play so many frames, each when the one before was looked at; stops at the verdict."""
        for _ in range(frames):
            if self.task.done() or self.connection.of("verdict"):
                return
            seen = self.parts.metrics.frames.value()
            self.clock.advance(1.0 / self.camera.fps)
            self.connection.frames.put(Frame(PIXELS, self.camera.seq, self.clock.s, 0.0))
            # A picture is judged in the same breath in which it is counted.
            await self.until(
                lambda seen=seen: (
                    self.parts.metrics.frames.value() > seen or self.connection.of("verdict")
                )
            )

    async def end(self) -> dict[str, Any]:
        """The verdict, once the peer has gone."""
        async with asyncio.timeout(5):
            await self.task
        return self.connection.verdict
