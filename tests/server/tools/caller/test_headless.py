"""A film logs in: against a small server that speaks the real wire with the real connection."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import pytest
from aiohttp import web

from server.frames.convert import to_bgr
from server.rtc.connection import BadOffer, Connection
from server.rtc.network import Network
from server.tools.caller import headless
from server.tools.caller.http_caller import HOLD_S, HeadlessError, NoPlace
from server.tools.clips import MediaError
from tests.server.pictures import HERE, LOCAL, film, held, number, paint, soon, until
from tests.server.tools.test_clips import film_file, still_file

TICKET = "t-0123456789"
VERDICT = {"type": "verdict", "outcome": "accepted", "reasons": [], "token": "x", "retry": False}


class Gate:
    """The server's half: checks what the page must send, says a verdict after some pictures."""

    def __init__(self, pictures: int = 5, last: str = "verdict") -> None:
        self.pictures = pictures
        self.last = last
        self.heard: list[dict[str, object]] = []
        self.numbers: list[int] = []
        self.sizes: set[tuple[int, int]] = set()
        self.origin: str | None = None
        self.problem: tuple[int, str] | None = None
        self.full = 0
        """Offers yet to be told that there is no place."""
        self.prefer: list[str | None] = []
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def offer(self, request: web.Request) -> web.Response:
        self.origin = request.headers.get("Origin")
        self.prefer.append(request.headers.get("Prefer"))
        if self.full:
            self.full -= 1
            error = {"code": "busy", "text": "full", "retry": True}
            said = {"error": error, "line": {"ahead": self.full, "wait_s": 0.5}}
            return web.json_response(said, status=503, headers={"Retry-After": "0"})
        if self.problem is not None:
            return web.Response(status=self.problem[0], text=self.problem[1])
        if request.headers.get("Authorization") != f"Bearer {TICKET}":
            error = {"code": "ticket_refused", "text": "the ticket is not valid", "retry": False}
            return web.json_response({"error": error}, status=401)
        assert request.match_info["session"] == "s 1"
        body = await request.json()
        assert body["type"] == "offer"
        try:
            connection = await Connection.accept(
                body["sdp"],
                LOCAL,
                on_message=self.hear,
                on_state=lambda state: None,
                clock=time.monotonic,
            )
        except BadOffer as fault:
            error = {"code": fault.code, "text": fault.text, "retry": False}
            return web.json_response({"error": error}, status=400)
        task = asyncio.create_task(self.watch(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return web.json_response({"type": "answer", "sdp": connection.answer_sdp})

    def hear(self, message: str | bytes) -> None:
        self.heard.append(json.loads(message))

    async def watch(self, connection: Connection) -> None:
        await soon(connection.channel_open)
        connection.send("no json")
        connection.send(json.dumps({"type": "welcome", "session": "s 1"}))
        while len(self.numbers) < self.pictures:
            decoded = await connection.frames.get()
            self.numbers.append(number(to_bgr(decoded.picture)))
            self.sizes.add((decoded.picture.width, decoded.picture.height))
        if self.last == "verdict":
            connection.send(json.dumps(VERDICT))
            await soon(connection.closed)
        elif self.last == "silence":
            await connection.closed.wait()
        await connection.close()


@asynccontextmanager
async def gate(pictures: int = 5, last: str = "verdict") -> AsyncIterator[Gate]:
    before = held()
    server = Gate(pictures, last)
    app = web.Application()
    app.router.add_post("/v1/sessions/{session}/offer", server.offer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, HERE, 0)
    await site.start()
    server.url = f"http://{HERE}:{runner.addresses[0][1]}/"
    try:
        yield server
        await until(lambda: not server._tasks)
    finally:
        await runner.cleanup()
    await until(lambda: held()[0] == before[0] and held()[2] == before[2])


async def run(
    server: Gate,
    video: Path | Iterator[tuple[float, av.VideoFrame]],
    *,
    ticket: str = TICKET,
    timeout_s: float = 10,
    loop: bool = False,
    size: int = 640,
    on_message: Callable[[dict[str, object]], None] | None = None,
    wait_on: Callable[[NoPlace], bool] | None = None,
) -> headless.HeadlessResult:
    return await headless.run(
        server_url=server.url,
        session="s 1",
        ticket=ticket,
        video=video,
        origin="https://shop.test",
        timeout_s=timeout_s,
        loop=loop,
        size=size,
        on_message=on_message,
        wait_on=wait_on,
        network=Network((HERE,)),
    )


async def test_a_film_is_played_to_the_verdict(tmp_path: Path) -> None:
    path = film_file(tmp_path / "film.webm", fps=30, count=90)
    seen: list[dict[str, object]] = []
    async with gate(pictures=20) as server:
        result = await run(server, path, on_message=seen.append)
    assert result.verdict == VERDICT
    assert [message["type"] for _, message in result.messages] == ["welcome", "verdict"]
    assert [message for _, message in result.messages] == seen
    stages = ["answer", "connected", "channel", "first_message", "verdict"]
    assert set(result.timeline_ms) == set(stages)
    assert 0 < result.timeline_ms["answer"] < result.timeline_ms["connected"]
    assert result.timeline_ms["connected"] < result.timeline_ms["verdict"] == result.messages[1][0]
    assert server.origin == "https://shop.test"
    assert server.heard[0] == {"type": "hello", "version": 1, "widget": headless.WIDGET}
    assert server.heard[1] == {"type": "ping", "n": 0}
    assert server.numbers == [2 * n for n in range(server.numbers[0] // 2, len(server.numbers))]
    assert result.frames_sent >= 20


async def test_a_short_film_is_repeated_and_made_smaller(tmp_path: Path) -> None:
    path = film_file(tmp_path / "film.mp4", fps=15, count=6)
    async with gate(pictures=14) as server:
        await run(server, path, loop=True, size=240)
    assert server.sizes == {(240, 180)}
    assert len(set(server.numbers)) < len(server.numbers)


async def test_a_still_is_shown_all_the_time(tmp_path: Path) -> None:
    async with gate(pictures=8) as server:
        await run(server, still_file(tmp_path / "still.png", paint(45)))
    assert server.numbers == [45] * 8


async def test_pictures_can_come_from_an_iterator() -> None:
    async with gate() as server:
        assert (await run(server, film())).verdict == VERDICT


async def test_one_who_waits_asks_again_until_there_is_a_place() -> None:
    told: list[int | None] = []
    async with gate() as server:
        server.full = 2
        result = await run(server, film(), wait_on=lambda full: told.append(full.ahead) is None)
    assert result.verdict == VERDICT
    assert told == [1, 0]
    # The first offer learns at once how long the line is; those after it may be held.
    assert server.prefer == [None, f"wait={HOLD_S}", f"wait={HOLD_S}"]
    assert result.held


@pytest.mark.parametrize(
    ("ahead", "held_s", "again_s"),
    [(3, None, 0.0), (3, 8.0, 0.0), (3, 0.2, 7.0), (None, None, 7.0), (None, 8.0, 7.0)],
)
def test_one_in_line_asks_at_once_unless_the_server_does_not_hold(
    ahead: int | None, held_s: float | None, again_s: float
) -> None:
    full = NoPlace("full", again_s=7.0, ahead=ahead, wait_s=None)
    assert headless.again_s(full, held_s=held_s) == again_s


@pytest.mark.parametrize("wait_on", [None, lambda full: False])
async def test_one_who_does_not_wait_learns_that_there_is_no_place(
    wait_on: Callable[[NoPlace], bool] | None,
) -> None:
    async with gate() as server:
        server.full = 1
        with pytest.raises(NoPlace) as caught:
            await run(server, film(), wait_on=wait_on)
    assert caught.value.code == "busy"
    assert len(server.prefer) == 1


async def test_a_problem_keeps_its_code() -> None:
    async with gate() as server:
        with pytest.raises(HeadlessError) as caught:
            await run(server, film(), ticket="wrong")
    assert (caught.value.code, caught.value.text) == ("ticket_refused", "the ticket is not valid")


@pytest.mark.parametrize(
    "problem",
    [(502, "<html>bad gateway"), (200, "{}"), (500, "[]"), (200, '{"sdp": "v=0\\r\\nm=x"}')],
)
async def test_an_answer_that_is_none_has_a_code(problem: tuple[int, str]) -> None:
    async with gate() as server:
        server.problem = problem
        with pytest.raises(HeadlessError) as caught:
            await run(server, film())
    assert caught.value.code == "headless_bad_answer"


async def test_no_server_has_a_code() -> None:
    server = Gate()
    server.url = f"http://{HERE}:9"
    with pytest.raises(HeadlessError) as caught:
        await run(server, film())
    assert caught.value.code == "headless_unreachable"


async def test_silence_ends_in_time_and_says_how_far_it_came() -> None:
    async with gate(pictures=1, last="silence") as server:
        with pytest.raises(HeadlessError) as caught:
            await run(server, film(), timeout_s=1)
    assert caught.value.code == "headless_timeout"
    assert "first_message" in caught.value.text


async def test_a_server_that_is_gone_is_known_long_before_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(headless, "SILENCE_S", 0.5)
    async with gate(pictures=1, last="silence") as server:
        with pytest.raises(HeadlessError) as caught:
            await run(server, film(), timeout_s=60)
    assert caught.value.code == "headless_silent"


async def test_a_hang_up_without_verdict_has_a_code() -> None:
    async with gate(pictures=1, last="nothing") as server:
        with pytest.raises(HeadlessError) as caught:
            await run(server, film())
    assert caught.value.code == "headless_closed"


async def test_a_file_that_is_none_calls_nobody(tmp_path: Path) -> None:
    async with gate() as server:
        with pytest.raises(MediaError) as caught:
            await run(server, tmp_path / "nothing.mp4")
        assert server.origin is None
    assert caught.value.code == "media_missing"


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://127.0.0.1:80", True),
        ("http://localhost", True),
        ("http://[::1]:80/", True),
        ("https://gate.test", False),
        ("https://192.0.2.1", False),
    ],
)
def test_loopback_is_for_servers_on_this_machine(url: str, near: bool) -> None:
    assert headless._near(url).loopback is near
