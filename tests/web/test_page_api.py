"""What a page does with the element beside starting it: forms, events, slots, its own tests."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.web.pages import (
    CHROMIUM,
    Bench,
    bench,
    camera_is_off,
    clean,
    ending,
    open_page,
    says,
    seen,
    state_is,
    until,
)

__all__ = ["bench", "clean"]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
FACE = "document.querySelector('face-login')"
TAG = '<face-login purpose="login" session-url="/session"{}>{}</face-login>'


def tag(attributes: str = "", inside: str = "") -> str:
    return TAG.format(f" {attributes}" if attributes else "", inside)


async def start(page: Page) -> None:
    await page.get_by_role("button", name="Start").click()


FORM = f"<form id=form>{tag('name=face required')}<button>Send</button></form>"


async def test_in_a_form_the_token_is_the_value_and_required_holds_the_form_back(
    bench: Bench,
) -> None:
    bench.server.script = ending("accepted", token="the.jwt.here", expires_in_s=120)
    page = await open_page(bench, FORM)
    value = "new FormData(form).get('face')"
    assert await page.evaluate("form.checkValidity()") is False
    assert await page.evaluate(value) is None
    await start(page)
    await state_is(page, "accepted")
    assert await page.evaluate("form.checkValidity()") is True
    assert await page.evaluate(value) == "the.jwt.here"
    await page.evaluate("form.reset()")
    await state_is(page, "idle")
    assert await page.evaluate("form.checkValidity()") is False
    assert await page.evaluate(value) is None


async def test_a_form_that_does_not_require_a_face_is_sent_without(bench: Bench) -> None:
    page = await open_page(bench, f"<form id=form>{tag('name=face')}</form>")
    assert await page.evaluate("form.checkValidity()") is True


async def test_every_event_comes_under_a_name_without_a_colon_too(bench: Bench) -> None:
    bench.server.script = ending("accepted", token="t", expires_in_s=1)
    page = await open_page(bench)
    await page.evaluate(
        "window.plain = []; for (const n of ['phase', 'success', 'hint', 'failure'])"
        " document.addEventListener('facelogin-' + n, (e) => plain.push([n, e.detail]))"
    )
    await start(page)
    await state_is(page, "accepted")
    plain = await page.evaluate("plain")
    for name in ("phase", "success"):
        assert [detail for kind, detail in plain if kind == name] == await seen(page, name) != []
    camera = (await seen(page, "success"))[0]["camera"]
    assert camera == (await seen(page, "phase"))[2]["camera"] != ""


@pytest.mark.parametrize("name", ["face-login:failure", "facelogin-failure"])
async def test_a_page_says_a_refusal_itself(bench: Bench, name: str) -> None:
    bench.server.script = ending("rejected", reasons=["no_match"], retry=True)
    page = await open_page(bench)
    await page.evaluate(f"document.addEventListener('{name}', (e) => e.preventDefault())")
    await start(page)
    await state_is(page, "rejected")
    await expect(says(page)).to_have_text("")
    await expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    await camera_is_off(page)
    await page.evaluate(f"{FACE}.retry()")
    await expect(says(page)).not_to_have_text("")


async def test_a_page_says_a_fault_itself(bench: Bench) -> None:
    page = await open_page(bench, refuse_with="NotAllowedError")
    await page.evaluate("document.addEventListener('face-login:error', (e) => e.preventDefault())")
    await start(page)
    await state_is(page, "failed")
    await expect(says(page)).to_have_text("")


async def test_reset_gives_up_and_forgets(bench: Bench) -> None:
    page = await open_page(bench)
    await start(page)
    await state_is(page, "connecting")
    await page.evaluate(f"{FACE}.reset()")
    await state_is(page, "idle")
    await camera_is_off(page)
    assert await seen(page, "cancel") == [{}]
    await expect(page.get_by_role("button", name="Start")).to_be_visible()


async def test_taken_out_and_put_back_it_starts_by_itself_again(bench: Bench) -> None:
    bench.server.script = ending("accepted", token="t", expires_in_s=1)
    page = await open_page(bench, tag("auto-start"))
    await state_is(page, "accepted")
    await page.evaluate(
        f"window.face = {FACE}; face.remove(); queueMicrotask(() => document.body.append(face))"
    )
    await until(page, "seen.filter(([n]) => n === 'success').length === 2")


async def test_the_pages_own_parts_stand_where_they_belong(bench: Bench) -> None:
    bench.server.script = ending("rejected", reasons=["no_match"], retry=False)
    inside = (
        "<p slot=before>Good morning</p><p slot=loading>Wait</p>"
        "<a slot=after-refusal href=/password>Use your password</a>"
    )
    page = await open_page(bench, tag("", inside))
    await expect(page.get_by_text("Good morning")).to_be_visible()
    await expect(page.get_by_text("Use your password")).to_be_hidden()
    await expect(page.get_by_text("Wait", exact=True)).to_be_hidden()
    await start(page)
    await state_is(page, "rejected")
    await expect(page.get_by_role("link", name="Use your password")).to_be_visible()
    await expect(page.get_by_text("Good morning")).to_be_hidden()
    assert "Wait" not in await page.locator("face-login").inner_text()


@pytest.mark.parametrize(
    ("end", "state", "event"),
    [
        ("", "accepted", "success"),
        ("accepted", "accepted", "success"),
        ("no_match", "rejected", "failure"),
        ("timeout", "expired", "failure"),
    ],
)
async def test_a_pages_own_tests_walk_without_a_camera_or_a_session(
    bench: Bench, end: str, state: str, event: str
) -> None:
    page = await open_page(bench, f'<face-login purpose=login test="{end}"></face-login>')
    await start(page)
    await state_is(page, state)
    phases = [detail["phase"] for detail in await seen(page, "phase")]
    assert phases == ["asking_camera", "connecting", "framing", "gathering", state]
    (detail,) = await seen(page, event)
    assert bench.server.offers == []
    assert await page.evaluate("tracks.length") == 0
    if event == "success":
        assert detail["token"].startswith("test-mode.")


async def test_a_pages_own_tests_put_others_in_place_of_the_browsers_functions(
    bench: Bench,
) -> None:
    page = await open_page(bench)
    await page.evaluate(
        "customElements.get('face-login').environment = {getUserMedia: async () => {"
        " throw new DOMException('none', 'NotFoundError'); }}"
    )
    await start(page)
    await state_is(page, "failed")
    assert (await seen(page, "error"))[0]["code"] == "camera_missing"


@pytest.mark.parametrize(
    ("mirror", "shown"), [("", True), ("mirror=off", False), ("mirror=on", True)]
)
async def test_the_picture_is_a_mirror_unless_the_page_says_otherwise(
    bench: Bench, mirror: str, shown: bool
) -> None:
    page = await open_page(bench, tag(mirror))
    await start(page)
    await state_is(page, "connecting")
    video = f"{FACE}.shadowRoot.querySelector('video').classList.contains('mirrored')"
    assert await page.evaluate(video) is shown
