"""The page of an invitation: what is in it, its headers, its files, and the pages of refusals."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from server.parts import Parts
from server.store.port import Unavailable
from tests.server.http.asking import Http
from tests.server.http.invite.conftest import RELYING
from tests.server.http.invite.inviting import HELLO, Browser, invited
from tests.server.stage import change_client


def told(text: str) -> dict[str, Any]:
    """What the page's script reads."""
    found = re.search(r'data-invitation="([^"]*)"', text)
    assert found is not None
    said: dict[str, Any] = json.loads(html.unescape(found[1]))
    return said


async def test_what_the_page_knows(http: Http, parts: Parts) -> None:
    page = await invited(http, return_url=HELLO, profile={"name": "Bob Ross"})
    said = told((await page.look())[1])
    assert said == {
        "state": "begin",
        "subject": "bob",
        "kind": "enrol",
        "of": "shop",
        "app": "Shop",
        "host": "shop.example",
        "accent": None,
        "lang": "en",
        "codes": True,
        "keys": True,
        "browser_key": True,
    }
    await page.by_face(parts)
    assert told((await page.look())[1])["state"] == "invited_key"
    await change_client(parts, relying=replace(RELYING, ways=("key",), min_acr="phr"))
    said = told((await page.look())[1])
    assert (said["codes"], said["keys"], said["browser_key"]) == (False, True, False)


async def test_the_page_is_in_no_frame_and_nothing_inline_runs(http: Http) -> None:
    page = await invited(http)
    async with http.get(page.path, headers={"Accept-Language": "de"}) as response:
        policy = response.headers["Content-Security-Policy"]
        assert told(await response.text())["lang"] == "de"
    for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"):
        assert part in policy
    assert "form-action 'none'" in policy
    assert "img-src 'self' data:" in policy
    assert response.headers["Cache-Control"] == "no-store"
    # An app that the browser goes to afterwards must not learn the link.
    assert response.headers["Referrer-Policy"] == "same-origin"


async def test_its_files_and_no_others(http: Http) -> None:
    for name in ("invite.js", "texts.js", "make-key.js", "invite.css"):
        async with http.get(f"/web/invite/{name}") as response:
            assert response.status == 200, name
    for name in ("page.html", "..%2flogin%2flogin.js", "none.js"):
        async with http.get(f"/web/invite/{name}") as response:
            assert response.status == 404, name


async def test_a_link_that_is_none(http: Http) -> None:
    for token in ("short", "A" * 43, "A" * 44, "%00" * 43):
        async with http.get(f"/invite/{token}") as response:
            assert response.status == 410
            assert "This invitation is over" in await response.text()


async def test_a_store_that_is_down_is_a_page(
    http: Http, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await invited(http)

    async def down(*_: object) -> None:
        raise Unavailable("down")

    with monkeypatch.context() as broken:
        broken.setattr(type(parts.store.invitations), "get", down)
        status, text = await page.look()
        assert status == 503
        assert "store_unavailable" in text
    assert (await Browser(http, page.url).look())[0] == 200
