"""Consent in a real Chromium: read and given before the camera opens, or no camera opens.

Marked e2e: needs a Chromium. The server is scripted (fake_lookgate.py); what a real one asks, takes
and refuses is in tests/server/http/test_consents.py and tests/e2e.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from server.people.consent import shipped
from tests.web.fake_lookgate import TICKET
from tests.web.pages import (
    CHROMIUM,
    Bench,
    bench,
    camera_is_off,
    clean,
    ending,
    framing,
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

EN, DE = (
    {
        "text_id": one.text_id,
        "version": one.version,
        "language": one.language,
        "purpose": one.purpose,
        "body": one.body,
        "sha256": one.sha256,
    }
    for one in shipped()[0]
)
WORD = {name: EN[name] for name in ("text_id", "version", "language", "sha256")}
ENROL = '<face-login session-url="/session"></face-login>'
AGREE = 'face-login button[part~="agree"]'
CONSENT = 'face-login [part="consent"]'


def asking(bench: Bench, consent: Any = EN, *, told: bool | None = True) -> None:
    """The next sessions are enrolments; `told`: what the page's backend hands on of it."""
    bench.server.consent = consent

    def session() -> web.Response:
        given = {**ticket(bench.server_url), "consent": told}
        return web.json_response({k: v for k, v in given.items() if v is not None})

    bench.app["session"] = session


async def no_camera(page: Page) -> None:
    assert await page.evaluate("[calls, tracks.length]") == [0, 0]


async def test_it_is_read_and_given_before_the_camera_opens(bench: Bench) -> None:
    asking(bench)
    bench.server.script = ending("accepted", token="a.b.c", expires_in_s=60)
    page = await open_page(bench, ENROL)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "consenting")
    await expect(says(page)).to_have_text("Please read this before the camera opens.")
    consent = page.locator(CONSENT)
    await expect(consent.get_by_role("heading")).to_have_text(EN["purpose"])
    for paragraph in EN["body"].split("\n\n"):
        await expect(consent.get_by_text(paragraph)).to_be_attached()
    await expect(consent).to_contain_text("lookgate/1/en")
    await expect(page.locator("face-login [part=stage]")).to_be_hidden()
    await no_camera(page)
    assert bench.server.offers == []
    await page.locator(AGREE).click()
    await state_is(page, "accepted")
    assert await page.evaluate("calls") == 1
    await expect(consent).to_be_hidden()
    (offer,) = bench.server.offers
    assert offer["consent"] == WORD
    (asked,) = bench.server.asked
    assert asked["Authorization"] == f"Bearer {TICKET}"
    assert len(bench.app["posts"]) == 1  # the ticket that was asked with is the one that is used
    phases = [d["phase"] for d in await seen(page, "phase")]
    assert phases[:4] == ["preparing", "consenting", "asking_camera", "connecting"]
    assert page.complaints == []  # type: ignore[attr-defined]  # CSP and Trusted Types included


@pytest.mark.parametrize("how", ["button", "Escape"])
async def test_who_does_not_agree_opens_no_camera(bench: Bench, how: str) -> None:
    asking(bench)
    page = await open_page(bench, ENROL)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "consenting")
    if how == "button":
        await page.get_by_role("button", name="Cancel").click()
    else:
        await page.keyboard.press("Escape")
    await state_is(page, "cancelled")
    await expect(page.locator(CONSENT)).to_be_hidden()
    await expect(page.locator(AGREE)).to_be_hidden()
    await no_camera(page)
    assert bench.server.offers == []
    # Nothing is remembered: the next attempt asks again.
    await page.get_by_role("button", name="Try again").click()
    await state_is(page, "consenting")
    await no_camera(page)


async def test_a_keyboard_reads_and_agrees(bench: Bench) -> None:
    asking(bench)
    bench.server.script = framing
    page = await open_page(bench, ENROL)
    await page.get_by_role("button", name="Start").focus()
    await page.keyboard.press("Enter")
    await state_is(page, "consenting")
    part = "document.querySelector('face-login').shadowRoot.activeElement.getAttribute('part')"
    await until(page, f"{part} === 'consent-text'")  # reading goes on from here
    await expect(page.get_by_role("group", name=EN["purpose"])).to_be_focused()
    await page.keyboard.press("Tab")
    assert await page.evaluate(part) == "button agree"
    await page.keyboard.press("Enter")
    await state_is(page, "framing")
    assert await page.evaluate(part) == "button cancel"


async def test_a_page_that_hands_nothing_on_asks_the_server(bench: Bench) -> None:
    asking(bench, told=None)
    page = await open_page(bench, ENROL)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "consenting")
    await no_camera(page)
    asking(bench, None, told=None)  # a login
    bench.server.script = framing
    page = await open_page(bench, ENROL)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "framing")
    assert "consent" not in bench.server.offers[0]


async def test_a_login_asks_nothing_and_loads_nothing(bench: Bench) -> None:
    bench.server.script = framing
    for tag in ('<face-login purpose="login" session-url="/session"></face-login>', ENROL):
        page = await open_page(bench, tag)
        loaded: list[str] = []
        page.on("request", lambda request, urls=loaded: urls.append(request.url))  # type: ignore[misc]
        await page.get_by_role("button", name="Start").click()
        await state_is(page, "framing")
        assert not [url for url in loaded if "consent" in url]
    assert bench.server.asked == []


async def test_a_page_that_says_login_and_enrols_is_refused(bench: Bench) -> None:
    asking(bench)
    page = await open_page(
        bench, '<face-login purpose="login" session-url="/session"></face-login>'
    )
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "failed")
    (error,) = await seen(page, "error")
    assert (error["code"], error["retry"]) == ("consent_needed", True)
    await camera_is_off(page)
    assert bench.server.offers == []


async def test_a_text_that_changed_meanwhile_is_asked_again(bench: Bench) -> None:
    asking(bench)
    refusal = {"error": {"code": "consent_needed", "text": "...", "retry": False}}
    bench.server.refuse = web.json_response(refusal, status=409)
    page = await open_page(bench, ENROL)
    await page.get_by_role("button", name="Start").click()
    await page.locator(AGREE).click()
    await state_is(page, "failed")
    await expect(says(page)).to_contain_text("This needs your consent.")
    await camera_is_off(page)
    asking(bench, {**EN, "version": "2", "body": "Something else."})
    bench.server.refuse, bench.server.script = None, framing
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator(CONSENT)).to_contain_text("Something else.")
    await page.locator(AGREE).click()
    await state_is(page, "framing")
    assert bench.server.offers[-1]["consent"] == {**WORD, "version": "2"}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (web.Response(status=500, text="no"), "server_answer"),
        (web.Response(text='{"consent": {"body": "x"}}'), "server_answer"),
        (web.Response(text="{}"), "server_answer"),
        (
            web.Response(
                status=401,
                text=json.dumps({"error": {"code": "ticket_invalid", "text": "", "retry": False}}),
            ),
            "ticket_invalid",
        ),
    ],
)
async def test_without_the_text_there_is_no_camera(
    bench: Bench, answer: web.Response, code: str
) -> None:
    asking(bench, answer)
    page = await open_page(bench, ENROL)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "failed")
    assert [error["code"] for error in await seen(page, "error")] == [code]
    await no_camera(page)


async def test_a_consent_lasts_for_its_attempt(bench: Bench) -> None:
    """A lost server costs a new ticket, and nobody reads the same words twice."""
    asking(bench)

    async def dies(line: Any) -> None:
        await framing(line)
        bench.server.script = framing
        await line.peer.close()

    bench.server.script = dies
    page = await open_page(bench, ENROL)
    await page.get_by_role("button", name="Start").click()
    await page.locator(AGREE).click()
    await until(page, "seen.some(([kind, d]) => kind === 'phase' && d.lost)")
    await state_is(page, "framing")
    assert [offer["consent"] for offer in bench.server.offers] == [WORD, WORD]
    assert len(bench.server.asked) == 1


async def test_words_are_words_and_no_markup(bench: Bench) -> None:
    asking(bench, {**EN, "body": "<b>bold</b>\n\n<img src=x onerror=alert(1)>", "purpose": "<i>"})
    page = await open_page(bench, ENROL)
    await page.get_by_role("button", name="Start").click()
    await expect(page.locator(CONSENT)).to_contain_text("<b>bold</b>")
    assert await page.locator(f"{CONSENT} :is(b, img, i)").count() == 0


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_in_the_pages_language_and_fits_a_small_screen(
    bench: Bench, language: str, scheme: str
) -> None:
    asking(bench, {"en": EN, "de": DE}[language])
    page = await open_page(
        bench,
        f'<div lang="{language}"><face-login session-url="/session" auto-start></face-login></div>',
        viewport={"width": 320, "height": 640},
        color_scheme=scheme,
        locale="fr-FR",
    )
    await state_is(page, "consenting")
    await shot(page, f"consent-{language}-{scheme}")
    (asked,) = bench.server.asked
    assert asked["Accept-Language"].startswith(f"{language}, fr-FR;q=0.50")
    await expect(page.locator(CONSENT)).to_have_attribute("lang", language)
    await expect(page.locator(AGREE)).to_have_text(
        {"en": "I agree", "de": "Ich willige ein"}[language]
    )
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    # A page that starts it by itself keeps its focus.
    assert await page.evaluate("document.activeElement === document.body")
    for button in (AGREE, 'face-login button[part~="cancel"]'):
        box = await page.locator(button).bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["y"] + box["height"] <= 640, "the buttons are seen without scrolling"
