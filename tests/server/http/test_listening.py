"""The listening socket: deadlines, caps, and answers to what is no HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from server.http import listening, middleware, requests, routes
from server.http.connections import Connections
from server.http.listening import Deadlines, Site
from server.http.requests import PARTS
from server.parts import Parts
from tests.server.http.asking import AUTH

HERE = "127.0.0.1"
LONG = Deadlines(60.0, 60.0, 60.0)


class Held:
    """A route that answers when the test says so."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    async def route(self, request: web.Request) -> web.Response:
        self.asked.set()
        await self.answer.wait()
        return web.Response(text="at last")


@pytest.fixture
async def held() -> Held:
    return Held()


@pytest.fixture
async def listen(parts: Parts, held: Held) -> AsyncIterator[Callable[..., Any]]:
    """Starts a server with these deadlines and caps, and gives its port."""
    runners: list[web.AppRunner] = []

    async def start(
        deadlines: Deadlines = LONG, most: int = 10, of_address: int = 10, proxied: bool = False
    ) -> int:
        app = web.Application(middlewares=[listening.begun, middleware.headers, middleware.errors])
        app[PARTS] = parts
        routes.add(app)
        app.router.add_get("/held", held.route)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        connections = Connections(most, of_address)
        site = Site(runner, HERE, 0, connections=connections, proxied=proxied, deadlines=deadlines)
        await site.start()
        return int(runner.addresses[0][1])

    yield start
    held.answer.set()
    for runner in runners:
        await runner.cleanup()


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(port: int, address: str = HERE) -> AsyncIterator[Pair]:
    reader, writer = await asyncio.open_connection(HERE, port, local_addr=(address, 0))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def said(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower case) and body of an answer."""
    async with asyncio.timeout(5):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *rest = head.strip().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in rest)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return int(first.split()[1]), headers, body


async def ended(reader: asyncio.StreamReader) -> bytes:
    """The rest, once the server has closed the connection."""
    async with asyncio.timeout(5):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def flood(writer: asyncio.StreamWriter) -> None:
    """64 MB, as far as they are taken."""
    for _ in range(1000):
        writer.write(bytes(65536))
        await writer.drain()


GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("begin", [b"", b"GET /hea", GET[:-2], b"\r\n"])
async def test_a_head_is_due(listen: Any, begin: bytes) -> None:
    port = await listen(Deadlines(head_s=0.2, request_s=60, idle_s=60))
    async with connected(port) as (reader, writer):
        writer.write(begin)
        assert await ended(reader) == b""


async def test_a_head_is_due_however_busily_it_is_sent(listen: Any) -> None:
    port = await listen(Deadlines(head_s=0.3, request_s=60, idle_s=60))
    async with connected(port) as (reader, writer):
        over = asyncio.create_task(ended(reader))
        writer.write(GET[:-2])
        for _ in range(500):
            if over.done():
                break
            writer.write(b"X-a: b\r\n")
            await asyncio.wait([over], timeout=0.02)
        assert await over == b""


async def test_the_head_of_a_second_request_is_due_too(listen: Any) -> None:
    port = await listen(Deadlines(head_s=0.3, request_s=60, idle_s=60))
    async with connected(port) as (reader, writer):
        writer.write(GET)
        assert (await said(reader))[0] == 200
        writer.write(GET[:10])
        assert await ended(reader) == b""


async def test_one_between_two_requests_may_take_longer(listen: Any, held: Held) -> None:
    port = await listen(Deadlines(head_s=0.2, request_s=60, idle_s=60))
    async with connected(port) as (reader, writer), connected(port) as (other, _):
        writer.write(GET)
        assert (await said(reader))[0] == 200
        assert await ended(other) == b"", "this one's head was due"
        writer.write(GET)
        assert (await said(reader))[0] == 200


async def test_it_may_not_wait_for_ever(listen: Any) -> None:
    port = await listen(Deadlines(head_s=60, request_s=60, idle_s=0.2))
    async with connected(port) as (reader, writer):
        writer.write(GET)
        assert (await said(reader))[0] == 200
        assert await ended(reader) == b""


async def test_an_answer_is_not_cut_off_when_its_head_was_due(listen: Any, held: Held) -> None:
    port = await listen(Deadlines(head_s=0.2, request_s=60, idle_s=60))
    async with connected(port) as (reader, writer), connected(port) as (other, _):
        writer.write(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        await held.asked.wait()
        assert await ended(other) == b"", "this one's head was due"
        held.answer.set()
        assert (await said(reader))[2] == b"at last"


async def test_an_answer_is_due_too(listen: Any, held: Held) -> None:
    port = await listen(Deadlines(head_s=60, request_s=0.2, idle_s=60))
    async with connected(port) as (reader, writer):
        writer.write(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await ended(reader) == b""


async def test_a_body_is_due(listen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_S", 0.2)
    port = await listen()
    async with connected(port) as (reader, writer):
        head = (
            f"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTH['Authorization']}\r\n"
        )
        writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        status, _, body = await said(reader)
    assert (status, json.loads(body)["error"]["code"]) == (408, "request_too_slow")


async def test_a_body_without_end_is_not_read(listen: Any) -> None:
    port = await listen()
    async with connected(port) as (reader, writer):
        writer.write(b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        status, _, _ = await said(reader)
        assert status == 405
        with pytest.raises(ConnectionError):
            await flood(writer)


async def test_a_connection_too_many_is_told_so(listen: Any, held: Held) -> None:
    port = await listen(most=1)
    async with connected(port) as (busy, writer):
        writer.write(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        await held.asked.wait()
        async with connected(port) as (reader, _):
            status, headers, body = await said(reader)
            assert await ended(reader) == b""
        assert status == 503
        assert json.loads(body)["error"] == {
            "code": "too_many_connections",
            "text": "There are too many connections at this moment.",
            "retry": True,
        }
        assert headers["retry-after"] == "2"
        assert headers["server"] == "lookgate"
        held.answer.set()
        assert (await said(busy))[0] == 200
        async with connected(port) as (reader, writer):  # the one that waits gives way
            writer.write(GET)
            assert (await said(reader))[0] == 200
        assert await ended(busy) == b""


async def test_an_address_has_its_cap_unless_it_is_the_proxys(listen: Any, held: Held) -> None:
    for proxied, expected in ((False, 503), (True, 200)):
        held.asked.clear()
        port = await listen(of_address=1, proxied=proxied)
        async with connected(port) as (_, writer):
            writer.write(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
            await held.asked.wait()
            async with connected(port) as (reader, mine):
                mine.write(GET)
                assert (await said(reader))[0] == expected
            async with connected(port, "127.0.0.9") as (reader, mine):
                mine.write(GET)
                assert (await said(reader))[0] == 200


VECTORS = Path(__file__).parents[2] / "vectors" / "http"
NO_HTTP = [json.loads(path.read_text()) for path in sorted(VECTORS.glob("*.json"))]


@pytest.mark.parametrize("vector", NO_HTTP, ids=lambda vector: vector["name"])
async def test_what_is_no_http_is_told_so_in_our_shape(
    listen: Any, vector: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    port = await listen()
    async with connected(port) as (reader, writer):
        for text, times in vector["sent"]:
            writer.write(text.encode("latin-1") * times)
        status, headers, body = await said(reader)
    expected = vector["expect"]
    assert (status, json.loads(body)["error"]["code"]) == (expected["status"], expected["code"])
    assert headers["content-type"].startswith("application/json")
    assert headers["server"] == "lookgate"
    assert headers["x-content-type-options"] == "nosniff"
    assert b"s3cret" not in body
    assert "s3cret" not in str(headers)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x", "identity", ""])
@pytest.mark.parametrize("first", ["POST /v1/sessions", "GET /nowhere", "POST /healthz"])
async def test_a_coded_body_is_refused(listen: Any, first: str, coding: str) -> None:
    port = await listen()
    async with connected(port) as (reader, writer):
        head = f"{first} HTTP/1.1\r\nHost: x\r\nContent-Encoding: {coding}\r\n"
        writer.write(f"{head}Content-Length: 1\r\n\r\nx".encode())
        status, headers, body = await said(reader)
    assert (status, json.loads(body)["error"]["code"]) == (415, "request_encoded")
    assert headers["accept-encoding"] == "identity"


CHUNKED = b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize("body", [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}xx", b"-1\r\n"])
async def test_a_body_that_cannot_be_read_is_no_bug_of_ours(
    listen: Any, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    port = await listen()
    async with connected(port) as (reader, writer):
        writer.write(CHUNKED + f"Authorization: {AUTH['Authorization']}\r\n\r\n".encode())
        await writer.drain()
        writer.write(body)
        status, _, answered = await said(reader)
    assert status == 400
    assert json.loads(answered)["error"]["code"] in ("request_malformed", "request_bad")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_what_comes_past_all_handlers_is_a_bug_and_says_nothing(
    listen: Any, parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("s3cret")

    port = await listen()
    monkeypatch.setattr(web.Response, "prepare", broken)
    async with connected(port) as (reader, writer):
        writer.write(GET)
        assert b"s3cret" not in await ended(reader)
    assert "s3cret" not in "".join(record.getMessage() for record in caplog.records)
