"""The <face-login> element waits in line and starts anew, in a real Chromium, without a click.

Marked e2e: needs a Chromium. The server is scripted and answers by docs/protocol.md.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from tests.web.fake_lookgate import TICKET, Line, Turn, no_place
from tests.web.pages import (
    CHROMIUM,
    GIVEN,
    Bench,
    bench,
    camera_is_off,
    clean,
    ending,
    framing,
    gathering,
    open_page,
    says,
    seen,
    shot,
    state_is,
    ticket,
    until,
)

__all__ = ["bench", "clean"]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
ACCEPT = ending("accepted", token="the.jwt.here", expires_in_s=120)
EXPIRED = Turn(401, {"error": {"code": "ticket_invalid", "text": "...", "retry": False}})
WAITED_AND_IN = [
    "asking_camera",
    "connecting",
    "waiting",
    "waiting",
    "connecting",
    "framing",
    "gathering",
    "accepted",
]
"""The phases of somebody who was told twice to wait."""
ROOT = "document.querySelector('face-login').shadowRoot"
KEEP_TOLD = f"""
window.told = [];
new MutationObserver(() => told.push({ROOT}.querySelector('.told').textContent))
  .observe({ROOT}.querySelector('.told'), {{childList: true}});
"""


async def press_start(page: Page) -> None:
    await page.get_by_role("button", name="Start").click()


def place(page: Page) -> Any:
    return page.locator("face-login [part=wait]")


async def phases(page: Page) -> list[str]:
    return [detail["phase"] for detail in await seen(page, "phase")]


async def told(page: Page) -> list[dict[str, Any]]:
    """The phases with what is said of them, but for the camera."""
    return [{**detail, "camera": None} for detail in await seen(page, "phase")]


async def test_who_waits_is_told_and_gets_in_without_a_click(bench: Bench) -> None:
    moved, free = asyncio.Event(), asyncio.Event()
    bench.server.script = ACCEPT
    bench.server.line = [
        no_place(3, 12.4),
        no_place(2, 8.2, until=moved),
        Turn(0, until=free),
    ]
    page = await open_page(bench)
    await page.evaluate(KEEP_TOLD)
    await press_start(page)
    await state_is(page, "waiting")
    await expect(says(page)).to_have_text(
        "Many people are here right now. Please wait. It starts by itself."
    )
    await expect(place(page)).to_have_text("3 people are before you. It takes about 10 seconds.")
    assert await page.evaluate("tracks.map(t => t.readyState)") == ["live"]
    assert await page.evaluate(f"!{ROOT}.querySelector('video').paused")
    moved.set()
    await expect(place(page)).to_have_text("2 people are before you. It takes about 10 seconds.")
    assert len(bench.server.peers) == 0
    free.set()
    await state_is(page, "accepted")
    await expect(place(page)).to_be_hidden()
    assert await phases(page) == WAITED_AND_IN
    waits = [d for d in await told(page) if d["phase"] == "waiting"]
    assert waits == [
        {"phase": "waiting", "camera": None, "ahead": 3, "wait_s": 12.4},
        {"phase": "waiting", "camera": None, "ahead": 2, "wait_s": 8.2},
    ]
    # 2 of 3 is no milestone for a listener; the empty text is that the wait is over.
    assert await page.evaluate("told") == [
        "3 people are before you. It takes about 10 seconds.",
        "",
    ]
    assert len(bench.app["posts"]) == 1
    assert [offer["prefer"] for offer in bench.server.offers] == [None, "wait=8", "wait=8"]
    assert {(o["authorization"], o["sdp"]) for o in bench.server.offers} == {
        (f"Bearer {TICKET}", bench.server.offers[0]["sdp"])
    }
    assert len(await seen(page, "success")) == 1
    assert [m for m in page.complaints if "503" not in m] == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("code", ["busy", "too_many_sessions"])
async def test_where_the_line_is_full_it_asks_later(bench: Bench, code: str) -> None:
    bench.server.script = ACCEPT
    bench.server.line = [no_place(code=code)]
    page = await open_page(bench, GIVEN)  # one ticket is enough
    began_s = time.monotonic()
    await press_start(page)
    await state_is(page, "waiting")
    await expect(place(page)).to_be_hidden()
    await state_is(page, "accepted")
    assert time.monotonic() - began_s >= 1
    waits = [d for d in await told(page) if d["phase"] == "waiting"]
    assert waits == [{"phase": "waiting", "camera": None, "ahead": None, "wait_s": None}]


async def test_who_cancels_in_line_leaves_it(bench: Bench) -> None:
    bench.server.line = [no_place(1, 5), no_place(1, 5, until=asyncio.Event())]
    page = await open_page(bench)
    await press_start(page)
    await state_is(page, "waiting")
    await page.keyboard.press("Escape")
    await state_is(page, "cancelled")
    await camera_is_off(page)
    assert await seen(page, "error") == []
    assert await seen(page, "cancel") == [{}]
    await expect(place(page)).to_be_hidden()


async def test_a_ticket_that_ran_out_in_line_is_replaced_once(bench: Bench) -> None:
    bench.server.script = ACCEPT
    bench.server.line = [no_place(1, 5), EXPIRED, no_place(2, 9)]
    page = await open_page(bench)
    await press_start(page)
    await state_is(page, "accepted")
    assert len(bench.app["posts"]) == 2
    assert await phases(page) == WAITED_AND_IN
    assert await page.evaluate("tracks.length") == 1
    bench.server.line = [no_place(1, 5), EXPIRED, no_place(1, 5), EXPIRED]
    await page.evaluate("document.querySelector('face-login').start()")
    await state_is(page, "failed")
    assert [e["code"] for e in await seen(page, "error")] == ["ticket_invalid"]


async def test_the_patience_is_one_for_all_tickets_of_an_attempt(bench: Bench) -> None:
    bench.server.line = [no_place(retry_after_s=100), EXPIRED, no_place(retry_after_s=30)]
    page = await open_page(bench)
    await page.clock.install()
    await press_start(page)
    await state_is(page, "waiting")
    await page.clock.fast_forward(100_000)
    await state_is(page, "failed")  # 130 s would be more than two minutes
    assert [e["code"] for e in await seen(page, "error")] == ["busy"]
    assert len(bench.app["posts"]) == 2


async def test_a_ticket_of_the_page_cannot_be_replaced(bench: Bench) -> None:
    bench.server.line = [no_place(1, 5), EXPIRED]
    page = await open_page(bench, GIVEN)
    await press_start(page)
    await state_is(page, "failed")
    assert [e["code"] for e in await seen(page, "error")] == ["ticket_invalid"]


async def _breaks(line: Line) -> None:
    await gathering(line)
    await line.wait_for("ping")
    await line.peer.close()


async def _stops(line: Line) -> None:
    await gathering(line)
    line.say("error", error={"code": "server_stopping", "text": "x", "retry": True})
    line.say("verdict", outcome="expired", reasons=["internal"], retry=True)


async def _gives_way(line: Line) -> None:
    await framing(line)
    line.say("error", error={"code": "busy", "text": "x", "retry": True})
    line.say("verdict", outcome="expired", reasons=["disconnected"], retry=True)


@pytest.mark.parametrize(
    ("loss", "code"),
    [(_breaks, "connection_lost"), (_stops, "server_stopping"), (_gives_way, "busy")],
)
async def test_a_loss_starts_anew_without_a_click(bench: Bench, loss: Any, code: str) -> None:
    go = asyncio.Event()

    async def script(line: Line) -> None:
        if len(bench.server.lines) == 1:
            await loss(line)
        else:
            await go.wait()
            await ACCEPT(line)

    bench.server.script = script
    page = await open_page(bench)
    await press_start(page)
    await expect(says(page)).to_have_text("That was interrupted. It starts again by itself…")
    await shot(page, "lost")
    assert await page.evaluate("[tracks.length, tracks[0].readyState]") == [1, "live"]
    go.set()
    await state_is(page, "accepted")
    heard = await told(page)
    assert {"phase": "connecting", "camera": None, "lost": code} in heard
    assert [d for d in heard if d["phase"] == "accepted"] == [{"phase": "accepted", "camera": None}]
    assert await seen(page, "error") == []
    assert await seen(page, "failure") == []
    assert len(bench.app["posts"]) == 2
    await camera_is_off(page)


async def test_a_silent_server_is_known_and_asked_anew_within_5_s(bench: Bench) -> None:
    died_s, again_s = 0.0, 0.0

    async def script(line: Line) -> None:
        nonlocal died_s, again_s
        if len(bench.server.lines) == 1:
            await framing(line)
            async with asyncio.timeout(8), line.changed:
                await line.changed.wait_for(lambda: len(line.heard) >= 3)
            bench.server.pongs = False
            died_s = time.monotonic()
        else:
            bench.server.pongs = True
            await ACCEPT(line)

    def session() -> web.Response:
        nonlocal again_s
        again_s = time.monotonic()
        return web.json_response(ticket(bench.server_url))

    bench.app["session"] = session
    bench.server.script = script
    page = await open_page(bench)
    await press_start(page)
    await state_is(page, "accepted")
    assert {"phase": "connecting", "camera": None, "lost": "server_silent"} in await told(page)
    assert 0 < again_s - died_s < 5


async def test_a_server_that_comes_back_later_is_asked_until_then(bench: Bench) -> None:
    async def script(line: Line) -> None:
        await (_breaks if len(bench.server.lines) == 1 else ACCEPT)(line)

    def session() -> web.Response:
        if len(bench.app["posts"]) == 2:  # the backend cannot reach it
            return web.json_response(
                {"error": {"code": "lookgate_down", "text": "...", "retry": True}}, status=502
            )
        if len(bench.app["posts"]) == 3:  # nor can the page
            return web.json_response({**ticket("http://127.0.0.1:9")})
        return web.json_response(ticket(bench.server_url))

    bench.app["session"] = session
    bench.server.script = script
    page = await open_page(bench)
    await press_start(page)
    await state_is(page, "accepted")
    assert len(bench.app["posts"]) == 4


async def test_the_third_loss_is_an_end(bench: Bench) -> None:
    bench.server.script = _stops
    page = await open_page(bench)
    await press_start(page)
    await state_is(page, "failed")
    assert len(bench.app["posts"]) == 3
    assert [e["code"] for e in await seen(page, "error")] == ["server_stopping"]
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    await camera_is_off(page)


async def test_a_loss_gives_the_page_back(bench: Bench) -> None:
    """What a challenge painted goes with the session that asked for it."""

    async def script(line: Line) -> None:
        if len(bench.server.lines) == 1:
            await gathering(line)
            line.say("challenge", n=1, steps=[{"color": "#aaaaaa", "ms": 2000}] * 20)
            await line.wait_for("painted")
            line.say("error", error={"code": "server_stopping", "text": "x", "retry": True})

    bench.server.script = script
    page = await open_page(bench)
    await press_start(page)
    while len(bench.server.lines) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await state_is(page, "connecting")
    assert await page.evaluate(f"{ROOT}.querySelector('.light').hidden")


async def test_a_verdict_is_never_asked_again(bench: Bench) -> None:
    bench.server.script = ending("expired", reasons=["disconnected"], retry=True)
    page = await open_page(bench)
    await press_start(page)
    await state_is(page, "expired")
    assert len(bench.app["posts"]) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("lang", "direction", "width"),
    [("en", "ltr", 420), ("de", "ltr", 320), ("en", "rtl", 320), ("de", "ltr", 280)],
)
async def test_it_fits(bench: Bench, scheme: str, lang: str, direction: str, width: int) -> None:
    bench.server.line = [no_place(12, 47), no_place(12, 47, until=asyncio.Event())]
    page = await open_page(
        bench,
        f'<div dir={direction}><face-login session-url="/session" lang={lang} auto-start>'
        "</face-login></div>",
        color_scheme=scheme,
        viewport={"width": width, "height": 700},
    )
    await state_is(page, "waiting")
    await until(page, f"{ROOT}.querySelector('video').videoWidth > 0")
    await expect(place(page)).to_contain_text("12")
    await shot(page, f"waiting-{scheme}-{lang}-{direction}-{width}")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    box = await page.get_by_role(
        "button", name="Cancel" if lang == "en" else "Abbrechen"
    ).bounding_box()
    assert box is not None
    assert box["height"] >= 44
