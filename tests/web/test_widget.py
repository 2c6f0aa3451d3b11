"""The <face-login> element in a real Chromium, against real WebRTC and a scripted session.

Marked e2e: needs a Chromium. Not here: waiting and starting anew (test_waiting.py).
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import expect

from tests.web.fake_lookgate import TICKET, WELCOME, Line
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
    renamed,
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


async def test_accepted_gives_the_token_and_frees_the_camera(bench: Bench) -> None:
    bench.server.script = ending("accepted", token="the.jwt.here", expires_in_s=120)
    page = await open_page(bench)
    await shot(page, "idle")
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "accepted")
    await shot(page, "accepted")
    (success,) = await seen(page, "success")
    assert success.pop("camera") != ""
    assert success == {"token": "the.jwt.here", "expiresIn": 120}
    phases = [d["phase"] for d in await seen(page, "phase")]
    assert phases == ["asking_camera", "connecting", "framing", "gathering", "accepted"]
    await camera_is_off(page)
    line = bench.server.lines[0]
    assert (line.label, line.protocol) == ("lookgate", "lookgate.v1")  # type: ignore[attr-defined]
    hello = await line.wait_for("hello")
    assert hello["version"] == 1
    assert hello["camera"]["width"] == 640
    # The ticket travels in one header and nowhere else.
    assert [o["authorization"] for o in bench.server.offers] == [f"Bearer {TICKET}"]
    assert bench.server.offers[0]["path"] == "/v1/sessions/s1/offer"
    assert not bench.server.offers[0]["query"]
    assert TICKET not in await page.content()
    assert page.complaints == []  # type: ignore[attr-defined]  # CSP and Trusted Types included


async def test_hints_progress_and_recording_are_shown(bench: Bench) -> None:
    go = asyncio.Event()

    async def script(line: Line) -> None:
        line.say(**renamed({**WELCOME, "recorded": True}))
        line.say("hint", hint="come_closer")
        await go.wait()
        line.say("hint", hint="tilt_head_new_code")
        line.say("flash", colour="red")
        line.say("phase", phase="gathering")
        line.say("hint", hint=None)
        line.say("progress", fraction=0.4)

    bench.server.script = script
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await expect(says(page)).to_have_text("Come closer.")
    await expect(page.get_by_text("This session is recorded.")).to_be_visible()
    await shot(page, "framing-hint")
    go.set()
    await expect(says(page)).to_have_text("Good. Keep looking at the camera.")
    await expect(page.locator("face-login [role=progressbar]")).to_have_attribute(
        "aria-valuenow", "40"
    )
    await shot(page, "gathering")
    assert [d["hint"] for d in await seen(page, "hint")] == [
        "come_closer",
        "tilt_head_new_code",
        None,
    ]
    assert (
        await page.evaluate(
            "document.querySelector('face-login').shadowRoot.querySelector('video').videoWidth"
        )
        == 640
    )


async def test_whoever_declines_a_recording_goes_on_without(bench: Bench) -> None:
    asked = []

    async def script(line: Line) -> None:
        line.say(**renamed({**WELCOME, "recorded": True}))
        asked.append(await line.wait_for("decline"))
        line.say("recording", recorded=False)
        line.say("phase", phase="gathering")

    bench.server.script = script
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await expect(page.get_by_text("This session is recorded.")).to_be_visible()
    await page.get_by_role("button", name="Do not record").click()
    await state_is(page, "gathering")
    await expect(page.get_by_text("This session is recorded.")).to_be_hidden()
    await expect(page.get_by_role("button", name="Do not record")).to_be_hidden()
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Try again").click()
    await state_is(page, "gathering")  # the script goes on only when declined again
    assert asked == [{"type": "decline"}] * 2


STEPS = [
    {"color": "#aaaaaa", "ms": 400},
    {"color": "#ff70ff", "ms": 300},
    {"color": "#00c400", "ms": 260},
]
LONG_STEPS = [{"color": "#aaaaaa", "ms": 2000}] * 20
LAYER = "document.querySelector('face-login').shadowRoot.querySelector('.light')"


KEEP_COLOURS = f"""
window.colours = [];
new MutationObserver(() => {{
  const now = {LAYER}.style.backgroundColor;
  if (now && now !== colours.at(-1)) colours.push(now);
}}).observe({LAYER}, {{attributes: true}});
"""


async def test_a_challenge_is_painted_and_reported(bench: Bench) -> None:
    painted = asyncio.Event()

    async def script(line: Line) -> None:
        await line.wait_for("hello")
        await gathering(line)
        line.say("challenge", n=1, steps=STEPS)
        async with asyncio.timeout(8), line.changed:
            await line.changed.wait_for(
                lambda: sum(m["type"] == "painted" for m in line.heard) == 3
            )
        painted.set()

    bench.server.script = script
    page = await open_page(bench)
    await page.evaluate(KEEP_COLOURS)
    await page.get_by_role("button", name="Start").click()
    await asyncio.wait_for(painted.wait(), 12)
    await until(page, f"{LAYER}.hidden")
    (line,) = bench.server.lines
    told = [m for m in line.heard if m["type"] == "painted"]
    assert [(m["n"], m["step"]) for m in told] == [(1, 0), (1, 1), (1, 2)]
    assert all(due - 1 <= m["ms"] <= due + 600 for m, due in zip(told, (0, 400, 700), strict=True))
    # A busy page tells in one frame of a step that it left out.
    colours = ("rgb(170, 170, 170)", "rgb(255, 112, 255)", "rgb(0, 196, 0)")
    last_in_frame = {m["ms"]: colour for m, colour in zip(told, colours, strict=True)}
    assert await page.evaluate("colours") == list(last_in_frame.values())
    hello = await line.wait_for("hello")
    assert hello["reduced_motion"] is False
    assert hello["camera"]["kind"] == "virtual"  # Chromium's own fake device says that it is one
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_evidence_thrown_away_and_a_cancel_give_the_page_back(bench: Bench) -> None:
    thrown_away, once_more = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await line.wait_for("hello")
        await gathering(line)
        line.say("challenge", n=1, steps=LONG_STEPS)
        await thrown_away.wait()
        line.say("phase", phase="framing")
        line.say("phase", phase="gathering")
        await once_more.wait()
        line.say("challenge", n=2, steps=LONG_STEPS)

    bench.server.script = script
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await until(page, f"{LAYER}.style.backgroundColor === 'rgb(170, 170, 170)'")
    await expect(says(page)).to_contain_text("changes its colour")
    await shot(page, "challenge")
    box = await page.evaluate(f"{LAYER}.getBoundingClientRect().toJSON()")
    assert (box["left"], box["top"], box["width"], box["height"]) == (0, 0, 420, 700)
    # The video and the way out stay on top of the colour.
    for part in ("video", "button cancel"):
        on_top = await page.evaluate(
            """(part) => {
              const root = document.querySelector('face-login').shadowRoot;
              const one = root.querySelector(`[part="${part}"]`), box = one.getBoundingClientRect();
              return root.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2) !==
                root.querySelector('.light');
            }""",
            part,
        )
        assert on_top, part
    thrown_away.set()
    await until(page, f"{LAYER}.hidden")
    once_more.set()
    await until(page, f"!{LAYER}.hidden")
    await page.get_by_role("button", name="Cancel").click()
    await state_is(page, "cancelled")
    assert await page.evaluate(f"{LAYER}.hidden")


async def test_who_asked_for_less_motion_says_so_and_sees_no_colours(bench: Bench) -> None:
    async def script(line: Line) -> None:
        await line.wait_for("hello")
        await gathering(line)
        line.say("challenge", n=1, steps=STEPS)
        line.say("hint", hint="turn_left")

    bench.server.script = script
    page = await open_page(bench, reduced_motion="reduce")
    await page.get_by_role("button", name="Start").click()
    await expect(says(page)).to_contain_text("Turn your head to your left")
    assert await page.evaluate(f"{LAYER}.hidden")
    (line,) = bench.server.lines
    assert (await line.wait_for("hello"))["reduced_motion"] is True
    assert not [m for m in line.heard if m["type"] == "painted"]


async def test_rejected_says_why_and_retry_takes_a_new_ticket(bench: Bench) -> None:
    bench.server.script = ending("rejected", reasons=["no_match"], retry=True)
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "rejected")
    await expect(says(page)).to_contain_text("Your face was not recognised.")
    await shot(page, "rejected")
    await camera_is_off(page)
    assert await seen(page, "failure") == [
        {
            "outcome": "rejected",
            "reasons": ["no_match"],
            "do": "Look straight into the camera, in even light, then try again.",
            "retry": True,
        }
    ]
    bench.server.script = ending("accepted", token="a.b.c", expires_in_s=60)
    await page.get_by_role("button", name="Try again").click()
    await state_is(page, "accepted")
    assert len(bench.app["posts"]) == 2


async def test_a_verdict_without_retry_offers_no_new_attempt(bench: Bench) -> None:
    bench.server.script = ending("rejected", reasons=["liveness"], retry=False)
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "rejected")
    await expect(page.get_by_role("button")).to_have_text(["Reload this page"])


async def test_expired(bench: Bench) -> None:
    bench.server.script = ending("expired", reasons=["timeout"], retry=True)
    page = await open_page(
        bench, '<face-login session-url="/session" auto-start lang="de"></face-login>'
    )
    await state_is(page, "expired")
    await expect(says(page)).to_have_text(
        "Die Zeit ist abgelaufen. Es hat zu lange gedauert."
        " Bringen Sie Ihr Gesicht in das Oval und versuchen Sie es noch einmal."
    )
    await shot(page, "expired-de")


async def test_cancel_tells_the_server_and_frees_the_camera(bench: Bench) -> None:
    bench.server.script = framing
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "framing")
    await shot(page, "framing")
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("Escape")  # wherever the focus is
    await state_is(page, "cancelled")
    await shot(page, "cancelled")
    await camera_is_off(page)
    await bench.server.lines[0].wait_for("cancel")
    assert await seen(page, "cancel") == [{}]
    assert await seen(page, "error") == []


async def test_removal_frees_the_camera_and_a_move_does_not(bench: Bench) -> None:
    bench.server.script = framing
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "framing")
    await page.evaluate(
        "document.body.append(Object.assign(document.createElement('div'), {id: 'd'}));"
        "window.el = document.querySelector('face-login'); d.append(el)"
    )
    await page.wait_for_timeout(50)
    assert await page.evaluate("[el.state, tracks[0].readyState]") == ["framing", "live"]
    await page.evaluate("el.remove()")
    await camera_is_off(page)


@pytest.mark.parametrize(
    ("name", "code"),
    [("NotFoundError", "camera_missing"), ("NotReadableError", "camera_busy"),
     ("OverconstrainedError", "camera_unsuitable"), ("TypeError", "camera_failed")],
)  # fmt: skip
async def test_camera_errors(bench: Bench, name: str, code: str) -> None:
    page = await open_page(bench, refuse_with=name)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "failed")
    error = (await seen(page, "error"))[0]
    assert (error["code"], error["retry"]) == (code, True)
    assert len(error["text"]) > 15
    assert len(error["do"]) > 10


async def test_camera_denied_by_the_person(bench: Bench) -> None:
    page = await open_page(bench, refuse_with="NotAllowedError")
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "failed")
    assert (await seen(page, "error"))[0]["code"] == "camera_denied"
    await shot(page, "camera-denied")


async def test_insecure_page(bench: Bench) -> None:
    page = await open_page(bench)
    await page.evaluate(
        "Object.defineProperty(navigator, 'mediaDevices', {value: undefined});"
        "Object.defineProperty(window, 'isSecureContext', {value: false})"
    )
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "failed")
    error = (await seen(page, "error"))[0]
    assert (error["code"], error["retry"]) == ("camera_insecure", False)


async def test_camera_unplugged(bench: Bench) -> None:
    bench.server.script = gathering
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "gathering")
    await page.evaluate("tracks[0].dispatchEvent(new Event('ended'))")
    await state_is(page, "failed")
    assert (await seen(page, "error"))[0]["code"] == "camera_ended"


async def test_another_camera_is_taken_over_without_a_new_session(bench: Bench) -> None:
    bench.server.script = framing
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "framing")
    choice = page.get_by_label("Camera", exact=True)
    await expect(choice.locator("option")).to_have_count(2)
    await shot(page, "two-cameras")
    other = await choice.locator("option:not(:checked)").first.get_attribute("value")
    await choice.select_option(other)
    await until(page, "tracks.length === 2 && tracks[0].readyState === 'ended'")
    await state_is(page, "framing")
    assert await page.evaluate("tracks[1].getSettings().deviceId") == other
    assert len(bench.server.offers) == 1


async def test_server_falls_silent(bench: Bench) -> None:
    bench.server.script = framing
    bench.server.pongs = False
    page = await open_page(bench, GIVEN)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "failed")
    assert (await seen(page, "error"))[0]["code"] == "server_silent"
    await camera_is_off(page)


async def test_server_closes_without_a_verdict(bench: Bench) -> None:
    async def script(line: Line) -> None:
        await framing(line)
        await line.wait_for("ping")
        await line.peer.close()

    bench.server.script = script
    page = await open_page(bench, GIVEN)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "failed")
    error = (await seen(page, "error"))[0]
    assert (error["code"], error["retry"]) == ("connection_lost", True)


async def test_the_servers_own_problems_keep_their_code(bench: Bench) -> None:
    bench.server.refuse = web.json_response(
        {"error": {"code": "too_many_failures", "text": "...", "retry": True}}, status=429
    )
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "failed")
    assert (await seen(page, "error"))[0] == {
        "code": "too_many_failures",
        "text": "Too many failed attempts.",
        "do": "Wait until the time is over, then try again.",
        "retry": True,
    }
    assert len(bench.server.offers) == 1


async def test_a_problem_over_the_channel_ends_but_a_refused_message_does_not(bench: Bench) -> None:
    go = asyncio.Event()

    async def script(line: Line) -> None:
        await framing(line)
        line.say("error", error={"code": "message_invalid", "text": "x", "retry": False})
        await go.wait()
        line.say("error", error={"code": "store_unavailable", "text": "x", "retry": True})

    bench.server.script = script
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "framing")
    go.set()
    await state_is(page, "failed")
    assert [e["code"] for e in await seen(page, "error")] == ["store_unavailable"]


async def test_server_not_there(bench: Bench) -> None:
    bench.app["session"] = lambda: web.json_response(
        {**ticket("http://127.0.0.1:9"), "server": bench.app_url + "/nowhere"}
    )
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "failed")
    assert (await seen(page, "error"))[0]["code"] == "server_answer"


BUSY = {"error": {"code": "too_many_requests", "text": "t", "retry": True}}
BAD_SERVER = {"session": "s1", "ticket": "t", "server": "javascript:alert(1)"}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda: web.json_response(BUSY, status=429), "too_many_requests"),
        (lambda: web.Response(text="<h1>oops", status=500), "ticket_failed"),
        (lambda: web.json_response({"session": "s1"}), "ticket_failed"),
        (lambda: web.json_response(BAD_SERVER), "ticket_failed"),
    ],
)
async def test_session_url_failures(bench: Bench, answer: Any, code: str) -> None:
    bench.app["session"] = answer
    page = await open_page(
        bench, '<face-login session-url="/session" csrf-token="c5rf"></face-login>'
    )
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "failed")
    assert (await seen(page, "error"))[0]["code"] == code
    headers, body = bench.app["posts"][0]
    assert headers["X-CSRF-Token"] == "c5rf"
    assert body == {}
    assert await page.evaluate("calls") == 0


async def test_ticket_attribute_is_read_once_and_retry_asks_the_page(bench: Bench) -> None:
    bench.server.script = ending("rejected", reasons=["quality"], retry=True)
    page = await open_page(
        bench, f'<face-login session="s1" ticket="{TICKET}" ice-servers="[]"></face-login>'
    )
    assert (
        await page.evaluate("document.querySelector('face-login').hasAttribute('ticket')") is False
    )
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "rejected")
    await page.get_by_role("button", name="Try again").click()
    assert await seen(page, "retry") == [{}]
    await state_is(page, "rejected")
    bench.server.script = ending("accepted", token="a.b.c", expires_in_s=60)
    await page.evaluate(
        "const e = document.querySelector('face-login'); e.setAttribute('session', 's2');"
        "e.setAttribute('ticket', 'second')"
    )
    await state_is(page, "accepted")
    assert [o["authorization"] for o in bench.server.offers] == [
        f"Bearer {TICKET}",
        "Bearer second",
    ]
    assert bench.server.offers[1]["path"] == "/v1/sessions/s2/offer"


async def test_properties_set_before_the_definition_count(bench: Bench) -> None:
    bench.server.script = ending("rejected", reasons=["no_match"], retry=True)
    page = await open_page(bench, "<p></p>")
    await page.evaluate(
        """async (server) => {
          const e = document.createElement('face-login');
          e.getTicket = async () => ({server, session: 's7', ticket: 'mine', ice_servers: []});
          e.texts = {reason_no_match: 'Who are you?'};
          e.setAttribute('auto-start', '');
          document.body.append(e);
        }""",
        bench.server_url,
    )
    await state_is(page, "rejected")
    await expect(says(page)).to_contain_text("Who are you?")
    assert bench.server.offers[0]["path"] == "/v1/sessions/s7/offer"


@pytest.mark.parametrize("below", ["", "/below/a/path"])
async def test_the_server_is_where_the_module_came_from(bench: Bench, below: str) -> None:
    """Its path included, because a proxy may serve it below one."""
    given = {name: value for name, value in ticket("").items() if name != "server"}
    bench.app["session"] = lambda: web.json_response(given)
    bench.server.script = ending("accepted", token="t", expires_in_s=60)
    page = await open_page(bench, below=below)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "accepted")
    assert [offer["path"] for offer in bench.server.offers] == [f"{below}/v1/sessions/s1/offer"]


async def test_leaving_the_page_ends_the_session(bench: Bench) -> None:
    bench.server.script = framing
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "framing")
    await page.evaluate(
        "window.dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))"
    )
    await state_is(page, "failed")
    assert (await seen(page, "error"))[0]["code"] == "page_hidden"
    await camera_is_off(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [280, 320, 900])
async def test_nothing_overflows(bench: Bench, scheme: str, width: int) -> None:
    bench.server.script = ending("rejected", reasons=["liveness", "quality"], retry=True)
    page = await open_page(
        bench,
        color_scheme=scheme,
        viewport={"width": width, "height": 700},
        reduced_motion="reduce",
    )
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "rejected")
    await shot(page, f"rejected-{scheme}-{width}")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    box = await page.get_by_role("button", name="Try again").bounding_box()
    assert box is not None
    assert box["height"] >= 44


async def test_the_keyboard_alone_is_enough(bench: Bench) -> None:
    bench.server.script = ending("rejected", reasons=["quality"], retry=True)
    page = await open_page(bench)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await state_is(page, "rejected")
    assert (
        await page.evaluate(
            "document.querySelector('face-login').shadowRoot.activeElement.textContent"
        )
        == "Try again"
    )
    await shot(page, "focus")
