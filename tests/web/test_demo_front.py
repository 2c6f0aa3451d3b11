"""How the demo app takes connections, what it logs, how it starts and stops."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.web.relying_app import CHEAP, SECRET
from web.demo.app import make_app
from web.demo.config import Settings
from web.demo.front import Caps, Door, listening
from web.demo.logs import OncePerSecond
from web.demo.people.passwords import MAX_WAITING, Hashers
from web.demo.refusals import Refused

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def front(settings: Settings, caps: Caps) -> AsyncIterator[int]:
    app = make_app(settings, hashers=Hashers(CHEAP))
    async with listening(app, host="127.0.0.1", port=0, caps=caps) as port:
        yield port


async def ask(port: int, sent: bytes, within_s: float = 10.0) -> bytes:
    """All that comes back until the other side closes, or an answer's end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        async with asyncio.timeout(within_s):
            return await reader.read(65536)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-a: "])
async def test_half_a_head_is_closed(sent: bytes, settings: Settings) -> None:
    async with front(settings, Caps(head_s=0.2)) as port:
        assert await ask(port, sent) == b""
        assert b"200 OK" in await ask(port, HEALTH)


async def test_a_connection_that_is_used_again_gets_the_same_time(settings: Settings) -> None:
    async with front(settings, Caps(head_s=0.3)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(HEALTH)
            assert b"200 OK" in await reader.readuntil(b'"ok": true}')
        writer.write(HEALTH[:20])
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_half_a_form_is_told_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.demo.guard.BODY_S", 0.2)
    head = (
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\ncsrf="
    )
    async with front(settings, Caps()) as port:
        answer = await ask(port, head.encode())
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"request_too_slow" in answer


async def test_connections_of_one_address_are_capped(settings: Settings) -> None:
    async with front(settings, Caps(connections=10, connections_of_address=3)) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        assert await ask(port, HEALTH) == b""
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(10):
            while b"200 OK" not in await ask(port, HEALTH):
                pass


def test_the_door_counts_those_inside() -> None:
    door = Door(Caps(connections=3, connections_of_address=2))
    assert [door.enter(who) for who in ("a", "a", "a", "b", "b")] == [
        True, True, False, True, False,
    ]  # fmt: skip
    door.leave("a")
    assert door.enter("c")
    assert not door.enter("a")
    proxied = Door(Caps(connections=3, connections_of_address=None))
    assert [proxied.enter("proxy") for _ in range(4)] == [True, True, True, False]


def test_an_office_fits_through_the_door() -> None:
    door = Door(Caps())
    assert all(door.enter("office") for _ in range(30 * 6))
    assert door.enter("another")


@pytest.mark.parametrize(
    "sent",
    [
        b"FOO /\x00secret HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX bad header secret\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_no_http_learns_nothing(sent: bytes, settings: Settings) -> None:
    async with front(settings, Caps(head_s=2)) as port:
        answer = await ask(port, sent)
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert b"Server: lantern" in answer
    assert b"secret" not in answer
    assert b"aiohttp" not in answer.lower()


async def test_a_body_is_never_unpacked(settings: Settings) -> None:
    head = (
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Encoding: gzip\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\nabc"
    )
    async with front(settings, Caps()) as port:
        answer = await ask(port, head.encode())
    assert answer.startswith(b"HTTP/1.1 403 ")  # read as it came: a form without its token


def test_one_line_a_second_for_one_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5.0]
    monkeypatch.setattr("web.demo.logs.time.monotonic", lambda: now[0])
    once = OncePerSecond()

    def line(number: int, who: str) -> bool:
        return once.filter(
            logging.LogRecord("demo", logging.INFO, "x.py", number, "m %s", (who,), None)
        )

    assert [line(1, "a"), line(1, "b"), line(2, "a")] == [True, False, True]
    now[0] = 6.0
    assert [line(1, "b"), line(1, "b")] == [True, False]


# ------------------------------------------------------------------------------------ argon2


async def test_the_queue_before_argon2_ends() -> None:
    hashers = Hashers(CHEAP)
    tries = [hashers.hash("correct horse") for _ in range(60)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    refused = [r for r in results if isinstance(r, Refused)]
    assert {r.code for r in refused} == {"app_busy"}
    assert len(refused) == 60 - MAX_WAITING["register"]
    assert (await hashers.hash("correct horse")).startswith("$argon2id$")  # there is room again


async def test_nobody_waits_for_those_of_another_lane() -> None:
    hashers = Hashers(CHEAP)
    stored = await hashers.hash("correct horse")
    ended: list[str] = []

    async def register() -> None:
        await hashers.hash("another one")
        ended.append("register")

    async def log_in() -> None:
        assert await hashers.fits(stored, "correct horse", "known")
        ended.append("login")

    async with asyncio.TaskGroup() as group:
        for _ in range(MAX_WAITING["register"]):
            group.create_task(register())
        group.create_task(log_in())
    assert ended.index("login") <= 3


# ------------------------------------------------------------------------------------ the process


async def test_it_starts_and_stops(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "web.demo", "--port", "0", "--secret-file", str(secret),
        "--database", str(tmp_path / "d"),
        cwd=Path(__file__).parents[2], env={"PATH": ""}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    async with asyncio.timeout(20):
        line = (await process.stderr.readline()).decode()
        port = int(line.rpartition(":")[2])
        assert b"200 OK" in await ask(port, HEALTH)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
