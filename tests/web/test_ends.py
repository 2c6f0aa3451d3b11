"""Each end, provoked: what the person is told, what they can do, what a developer reads."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from tests.web.fake_lookgate import Line
from tests.web.firefox import FIREFOX, firefox
from tests.web.pages import (
    CHROMIUM,
    GIVEN,
    Bench,
    bench,
    clean,
    ending,
    framing,
    gathering,
    open_page,
    says,
    seen,
    shot,
    state_is,
)

__all__ = ["bench", "clean"]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
FACE = "document.querySelector('face-login')"
CAUSES = {
    "camera_denied": ("The camera is blocked.", "Allow it in"),
    "camera_dismissed": ("The question about the camera was closed", "Try again, and allow"),
    "camera_policy": ("This page has no permission", "Open this page in a tab"),
    "camera_frame": ("This page is shut off within another", "Open this page in a tab"),
    "camera_missing": ("No camera was found.", "Connect one"),
    "camera_busy": ("The camera is used by another program.", "Close it"),
    "camera_ended": ("The camera was switched off or unplugged.", "Switch it on"),
}


async def start(page: Page) -> None:
    await page.get_by_role("button", name="Start").click()


async def _told(page: Page, code: str) -> None:
    cause, what = CAUSES[code]
    await state_is(page, "failed")
    error = (await seen(page, "error"))[0]
    assert error["code"] == code
    assert error["text"].startswith(cause)
    assert error["do"].startswith(what)
    await expect(says(page)).to_have_text(f"{error['text']} {error['do']}")
    await shot(page, f"end-{code}")


async def test_denied(bench: Bench) -> None:
    page = await open_page(bench, camera=False)  # headless says no at once
    await start(page)
    await _told(page, "camera_denied")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()


async def test_dismissed(bench: Bench) -> None:
    page = await open_page(bench, camera=False, refuse_with="NotAllowedError")
    await page.evaluate("navigator.permissions.query = async () => ({state: 'prompt'})")
    await start(page)
    await _told(page, "camera_dismissed")


@pytest.mark.parametrize(
    ("sandbox", "code"),
    [("", "camera_policy"), ("sandbox='allow-scripts'", "camera_frame")],
)
async def test_within_another_page(bench: Bench, sandbox: str, code: str) -> None:
    page = await open_page(bench)
    elsewhere = bench.app_url.replace("127.0.0.1", "localhost")
    complaints: list[str] = page.complaints  # type: ignore[attr-defined]
    bench.app["around"] = f"<iframe {sandbox} src='{elsewhere}/'></iframe>"
    await page.goto(bench.app_url + "/around")
    inside = page.frame_locator("iframe")
    await inside.get_by_role("button", name="Start").click()
    cause, what = CAUSES[code]
    await expect(inside.get_by_role("status")).to_contain_text(cause)
    await expect(inside.get_by_role("status")).to_contain_text(what)
    assert bench.app["posts"] == []
    await expect(inside.get_by_role("button", name="Reload this page")).to_be_visible()
    assert [line for line in complaints if line.startswith(f"<face-login> {code}:")]


@pytest.mark.parametrize(
    ("name", "code"), [("NotFoundError", "camera_missing"), ("NotReadableError", "camera_busy")]
)
async def test_no_camera_or_one_that_is_busy(bench: Bench, name: str, code: str) -> None:
    page = await open_page(bench, refuse_with=name)
    await start(page)
    await _told(page, code)


async def test_unplugged(bench: Bench) -> None:
    bench.server.script = gathering
    page = await open_page(bench)
    await start(page)
    await state_is(page, "gathering")
    await page.evaluate("tracks[0].dispatchEvent(new Event('ended'))")
    await _told(page, "camera_ended")


async def test_an_odd_browser_that_calls_no_camera_an_unsuitable_one(bench: Bench) -> None:
    page = await open_page(bench, refuse_with="OverconstrainedError")
    await page.evaluate("navigator.mediaDevices.enumerateDevices = async () => []")
    await start(page)
    await _told(page, "camera_missing")


async def test_without_webrtc_nobody_is_asked_for_anything(bench: Bench) -> None:
    page = await open_page(bench)
    await page.evaluate("delete window.RTCPeerConnection")
    await start(page)
    await state_is(page, "failed")
    assert (await seen(page, "error"))[0]["code"] == "browser_unsupported"
    assert await page.evaluate("calls") == 0
    assert bench.app["posts"] == []


async def test_a_session_that_cannot_be_had_is_known_before_the_camera_opens(bench: Bench) -> None:
    bench.app["session"] = lambda: web.Response(status=500)
    page = await open_page(bench)
    await start(page)
    await state_is(page, "failed")
    assert (await seen(page, "error"))[0]["code"] == "ticket_failed"
    assert await page.evaluate("calls") == 0
    complaints: list[str] = page.complaints  # type: ignore[attr-defined]
    (line,) = [line for line in complaints if line.startswith("<face-login>")]
    assert line.startswith("<face-login> ticket_failed: session-url")


async def test_a_lockout_says_for_how_long_and_counts_down(bench: Bench) -> None:
    bench.server.refuse = web.json_response(
        {"error": {"code": "too_many_failures", "text": "...", "retry": True}},
        status=429,
        headers={"Retry-After": "2"},
    )
    page = await open_page(bench)
    await start(page)
    await expect(page.get_by_text("You can try again in 0:02.")).to_be_visible()
    again = page.get_by_role("button", name="Try again")
    await expect(again).to_be_disabled()
    await shot(page, "end-too_many_failures")
    await expect(page.get_by_text("You can try again in 0:01.")).to_be_visible()
    await expect(again).to_be_enabled()
    await expect(page.get_by_text("You can try again")).to_be_hidden()


async def test_a_refusal_that_begins_a_wait_says_for_how_long(bench: Bench) -> None:
    bench.server.script = ending("rejected", reasons=["no_match"], retry=False, wait_s=1)
    page = await open_page(bench)
    await start(page)
    await expect(says(page)).to_contain_text("Wait until the time is over, then try again.")
    await expect(page.get_by_text("You can try again in 0:01.")).to_be_visible()
    await expect(page.get_by_role("button", name="Try again")).to_be_enabled()


async def test_another_way_in_takes_the_place_of_loading_the_page_anew(bench: Bench) -> None:
    bench.server.script = ending("rejected", reasons=["no_match"], retry=False)
    tag = GIVEN.replace("></face-login>", "><a slot=after-refusal href=/>By mail</a></face-login>")
    page = await open_page(bench, tag)
    await start(page)
    await state_is(page, "rejected")
    await expect(page.get_by_role("link", name="By mail")).to_be_visible()
    await expect(page.get_by_role("button")).to_have_count(0)


async def test_the_hint_that_stood_longest_explains_the_end(bench: Bench) -> None:
    go = asyncio.Event()

    async def script(line: Line) -> None:
        await framing(line)
        line.say("hint", hint="more_light")
        await go.wait()
        line.say("hint", hint="come_closer")
        line.say("verdict", outcome="expired", reasons=["timeout"], retry=True)

    bench.server.script = script
    page = await open_page(bench)
    await start(page)
    await expect(says(page)).to_have_text("Too dark. Find more light.")
    await page.wait_for_timeout(100)  # so long it stands
    go.set()
    await expect(says(page)).to_have_text("Time is up. Too dark. Find more light. Try again.")
    assert (await seen(page, "failure"))[0]["hint"] == "more_light"


async def test_a_hint_that_stands_says_more(bench: Bench) -> None:
    async def script(line: Line) -> None:
        await framing(line)
        line.say("hint", hint="more_light")

    bench.server.script = script
    page = await open_page(bench)
    await page.clock.install()
    await start(page)
    await expect(says(page)).to_have_text("Too dark. Find more light.")
    await page.clock.run_for(6_000)
    await expect(says(page)).to_contain_text("Switch on a lamp in front of you")
    await shot(page, "hint-more")


async def test_while_the_camera_is_changed_nothing_is_blamed_on_it(bench: Bench) -> None:
    go = asyncio.Event()

    async def script(line: Line) -> None:
        await framing(line)
        await go.wait()
        line.say("hint", hint="camera_slow")

    bench.server.script = script
    page = await open_page(bench)
    await start(page)
    await state_is(page, "framing")
    choice = page.get_by_label("Camera", exact=True)
    other = await choice.locator("option:not(:checked)").first.get_attribute("value")
    await choice.select_option(other)
    go.set()
    await expect(says(page)).to_have_text("One moment: the camera is being changed.")
    await expect(says(page)).to_have_text("The camera is slow. Close other programs that use it.")


async def test_a_dialog_of_the_page_keeps_its_escape(bench: Bench) -> None:
    bench.server.script = framing
    page = await open_page(bench)
    await start(page)
    await state_is(page, "framing")
    await page.evaluate(
        "document.documentElement.addEventListener('keydown', (e) => e.preventDefault())"
    )
    await page.keyboard.press("Escape")
    assert await page.evaluate(f"{FACE}.state") == "framing"


async def test_without_the_words_of_the_ends_there_is_an_end_all_the_same(bench: Bench) -> None:
    page = await open_page(bench, refuse_with="NotFoundError")
    await page.route("**/web/ends-*", lambda route: route.abort())
    await start(page)
    await state_is(page, "failed")
    await expect(says(page)).to_have_text(
        "Something went wrong. Check your connection, then try again."
    )


FIREFOX_ENDS = [
    ("NotFoundError", "camera_missing"),
    ("NotReadableError", "camera_busy"),
    ("SecurityError", "camera_denied"),
]


@pytest.mark.skipif(not FIREFOX, reason="no Firefox on this machine")
async def test_in_firefox(bench: Bench) -> None:
    bench.app["html"] = (
        "<!doctype html><meta charset=utf-8>"
        f'<script type=module src="{bench.server_url}/web/face-login.js"></script>'
        '<face-login purpose="login" lang=en session-url="/session"></face-login>'
    )
    async with firefox() as browser:
        await browser.goto(bench.app_url + "/")
        for name, code in FIREFOX_ENDS:
            told: Any = await browser.evaluate(
                "customElements.whenDefined('face-login').then((FaceLogin) => new Promise("
                "(done) => {"
                "  FaceLogin.environment = {getUserMedia: async () => {"
                f"    throw new DOMException('', '{name}'); }}}};"
                f"  const face = {FACE};"
                "  face.addEventListener('face-login:error', ({detail}) => setTimeout(() => done("
                "    detail.code + ' ' + face.shadowRoot.querySelector('[role=status]').textContent"
                "  )), {once: true});"
                "  face.start(); }))"
            )
            cause, what = CAUSES[code]
            assert told.startswith(f"{code} {cause} {what}") or told.startswith("camera_dismissed")
