"""The login page: nothing inline, nothing from elsewhere, nobody's markup, and its refusals."""

from __future__ import annotations

import gzip
import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.http.login.page import FOLDER, REFUSALS
from server.oidc.login import cookie_name
from server.parts import Parts
from server.problems import KINDS
from tests.server.http.asking import Http
from tests.server.http.login.visiting import ALL, Page, begun
from tests.server.stage import Clock

EVIL = "\"><script>alert(1)</script>&{{data}}'"


async def get(page: Page, **headers: str) -> tuple[int, str, Any]:
    """Status, text and headers of the page."""
    given = {"Cookie": page.jar(), **headers}
    url = f"/login/{page.login_id}"
    async with page.http.get(url, headers=given, allow_redirects=False) as response:
        return response.status, await response.text(), response.headers


def data_of(text: str) -> dict[str, Any]:
    """What the page tells its script."""
    found = re.search('<body data-login="([^"]*)">', text)
    assert found is not None
    said: dict[str, Any] = json.loads(html.unescape(found[1]))
    return said


async def test_a_page_is_closed_to_everything_but_its_own(http: Http, parts: Parts) -> None:
    status, text, headers = await get(await begun(http, parts))
    assert status == 200
    policy = headers["Content-Security-Policy"]
    for rule in (
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'none'",
        "base-uri 'none'",
    ):
        assert rule in policy.split("; ")
    assert "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert re.findall("<script(?![^>]* src=)", text) == []
    assert "<style" not in text
    assert re.findall(r"\son\w+=|\sstyle=", text) == []
    assert all(link.startswith("../web/") for link in re.findall('(?:src|href)="([^"]*)"', text))


async def test_a_form_post_is_the_one_form_that_may_be_sent(http: Http, parts: Parts) -> None:
    _, _, headers = await get(await begun(http, parts, response_mode="form_post"))
    assert "form-action" not in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "strict-origin"


async def test_what_an_app_says_is_text(http: Http, parts: Parts) -> None:
    page = await begun(http, parts, replace(ALL, name=EVIL), login_hint=EVIL)
    _, text, _ = await get(page)
    assert "<script>alert" not in text
    data = data_of(text)
    assert data["app"] == EVIL
    assert data["hint"] is None  # which can be nobody's name
    page = await begun(http, parts, login_hint="ann@shop.example")
    assert data_of((await get(page))[1])["hint"] == "ann@shop.example"


async def test_it_says_where_the_login_stands_and_what_may_be_offered(
    http: Http, parts: Parts
) -> None:
    page = await begun(http, parts, replace(ALL, accent="#a0b1c2"))
    data = data_of((await get(page))[1])
    assert (data["state"], data["host"], data["accent"]) == ("who", "shop.example", "#a0b1c2")
    await page.good("who", {"name": "ann"})
    data = data_of((await get(page))[1])
    assert (data["state"], data["subject"]) == ("key", "ann")
    strict = await begun(http, parts, replace(ALL, min_acr="phr"))
    ways = data_of((await get(strict))[1])["ways"]
    assert {name for name, is_so in ways.items() if is_so} == {"passkey", "code"}


@pytest.mark.parametrize(
    ("locales", "accepted", "language"),
    [
        (None, None, "en"),
        ("de-AT en", "en", "de"),
        (None, "fr-FR, de;q=0.8, en;q=0.5", "de"),
        ("fr", "en-GB", "en"),
        ("xx" * 100, "-;,", "en"),
    ],
)
async def test_the_language_is_the_apps_choice_else_the_browsers(
    http: Http, parts: Parts, locales: str | None, accepted: str | None, language: str
) -> None:
    page = await begun(http, parts, ui_locales=locales)
    headers = {} if accepted is None else {"Accept-Language": accepted}
    _, text, _ = await get(page, **headers)
    assert data_of(text)["lang"] == language


async def test_a_login_of_another_browser_is_a_page_and_no_redirect(
    http: Http, parts: Parts
) -> None:
    # Session fixation: somebody began it and sent the address to their victim.
    page, other = await begun(http, parts), await begun(http, parts)
    theirs = f"{cookie_name(page.login_id, secure=False)}={other.cookie}"
    for cookie in ("", other.jar(), theirs):
        status, text, headers = await get(page, Cookie=cookie)
        assert status == 403
        assert "<code>login_foreign</code>" in text
        assert "Start again at Shop (shop.example)." in text
        assert "Location" not in headers
        assert "form-action 'none'" in headers["Content-Security-Policy"]
    assert (await get(page))[0] == 200


async def test_a_login_that_is_over_is_a_page_and_no_redirect(
    http: Http, parts: Parts, clock: Clock
) -> None:
    used, late = await begun(http, parts), await begun(http, parts)
    await used.good("cancel")
    status, text, _ = await get(used, **{"Accept-Language": "de"})
    assert status == 410
    assert "Diese Anmeldung ist vorbei" in text
    assert "Beginnen Sie neu bei Shop (shop.example)." in text
    clock.advance(601.0)
    status, text, headers = await get(late)
    assert (status, "Location" in headers) == (410, False)
    late.login_id = "nothing"
    assert (await get(late))[0] == 410


async def test_an_apps_name_is_text_in_refusals_too(http: Http, parts: Parts) -> None:
    page = await begun(http, parts, replace(ALL, name=EVIL))
    _, text, _ = await get(page, Cookie="")
    assert "<script>alert" not in text
    assert html.escape(EVIL) in text


async def test_its_files_are_served_and_nothing_else_of_that_folder(http: Http) -> None:
    for path in FOLDER.iterdir():
        async with http.get(f"/web/login/{path.name}") as response:
            assert response.status == (404 if path.suffix == ".html" else 200), path.name
    async with http.get("/web/login/..%2fface-login.js") as response:
        assert response.status == 404


def test_refusals_are_said_in_both_languages_and_are_codes() -> None:
    assert REFUSALS["en"].keys() == REFUSALS["de"].keys()
    assert {code for code in REFUSALS["en"] if code and not code.startswith("oidc_")} <= {
        *KINDS,
        "again",
    }


def test_the_pages_own_script_is_small() -> None:
    """8 kB: it comes before anything can be clicked."""
    scripts = sorted(FOLDER.glob("*.js"))
    assert len(scripts) == 6
    packed = sum(len(gzip.compress(Path(one).read_bytes(), 9)) for one in scripts)
    assert packed <= 8 * 1024
