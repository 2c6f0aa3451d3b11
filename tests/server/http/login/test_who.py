"""Who it is: names known and unknown are one way, and this browser remembers three."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.oidc.remembered import MOST, cookie_name
from server.parts import Parts
from tests.server.http.asking import Http
from tests.server.http.login.test_faces import shown
from tests.server.http.login.visiting import ALL, Page, begun, kept
from tests.server.stage import enrolled

PEOPLE = cookie_name(secure=False)


class Recorded:
    """A noun of the store that says which of its verbs were asked."""

    def __init__(self, noun: object, name: str, calls: list[str]) -> None:
        self._noun, self._name, self._calls = noun, name, calls

    def __getattr__(self, verb: str) -> Any:
        self._calls.append(f"{self._name}.{verb}")
        return getattr(self._noun, verb)


@pytest.fixture
def calls(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    names = ("logins", "authenticators", "otps", "recovery", "templates", "sessions", "clients")
    more = ("tries", "profiles", "invitations", "codes", "access", "consents", "keys")
    for name in (*names, *more):
        noun = Recorded(getattr(parts.store, name), name, found)
        monkeypatch.setattr(parts.store, name, noun)
    return found


async def walked(page: Page, name: str) -> list[dict[str, Any]]:
    """What the page is told until the camera opens, without what is random."""
    told = [await page.good("who", {"name": name}), await page.good("key-options")]
    told.append(await page.good("face"))
    return [{key: value for key, value in one.items() if key == "state"} for one in told]


async def test_an_unknown_name_goes_the_way_of_a_known_one(
    http: Http, parts: Parts, calls: list[str]
) -> None:
    ways = []
    for n in range(20):
        await enrolled(parts, f"person{n}", n + 2)
    names = [f"{word}{n}" for n in range(20) for word in ("person", "nobody")]
    for name in names:
        page = await begun(http, parts)
        calls.clear()
        told = await walked(page, name)
        seen = (await names_on(page)).replace(name, "")
        ways.append((told, seen, tuple(calls)))
    assert len(set(map(str, ways))) == 1
    assert "sessions.add" in ways[0][2]
    assert not {"templates.get", "authenticators.of_subject"} & set(ways[0][2])


async def test_a_name_that_cannot_be_one_is_told_so_and_nothing_moves(
    http: Http, parts: Parts
) -> None:
    page = await begun(http, parts)
    for body in (
        {"name": "ann smith"},
        {"name": ""},
        {"name": 7},
        {"name": "<script>"},
        {"name": "a" * 129},
        {"name": "ann", "anybody": True},
        {"anybody": False},
        {},
        {"other": 1},
    ):
        assert await page.refused("who", body) == "request_invalid", body
    assert (await kept(parts, page)).version == 1


async def login(http: Http, parts: Parts, name: str, cookies: dict[str, str]) -> Page:
    """A login that ended well, in a browser with these cookies."""
    page = await begun(http, parts)
    page.cookies |= cookies
    await page.good("who", {"name": name})
    await page.good("finish", {"token": await shown(parts, page, name)})
    return page


async def names_on(page: Page) -> str:
    """The page, as it comes to this browser."""
    headers = {"Cookie": page.jar()}
    async with page.http.get(f"/login/{page.login_id}", headers=headers) as response:
        assert response.status == 200
        return await response.text()


async def test_a_browser_remembers_three_people_and_forgets_each(http: Http, parts: Parts) -> None:
    cookies: dict[str, str] = {}
    for n, name in enumerate(("bob", "cleo", "dan", "eve")):
        await enrolled(parts, name, n + 2)
        cookies[PEOPLE] = (await login(http, parts, name, cookies)).cookies[PEOPLE]
    page = await begun(http, parts)
    page.cookies |= cookies
    text = await names_on(page)
    assert [name in text for name in ("bob", "cleo", "dan", "eve")] == [False, True, True, True]
    assert MOST == 3
    await page.good("forget", {"name": "dan"})
    text = await names_on(page)
    assert [name in text for name in ("cleo", "dan", "eve")] == [True, False, True]
    for name in ("cleo", "eve"):
        await page.good("forget", {"name": name})
    assert page.cookies[PEOPLE] == ""


async def test_nobody_else_can_say_who_is_remembered(http: Http, parts: Parts) -> None:
    page = await login(http, parts, "ann", {})
    good = page.cookies[PEOPLE]
    for value in ("", "x", good[:-4] + "AAAA", good * 20):
        page = await begun(http, parts)
        page.cookies[PEOPLE] = value
        assert "ann" not in await names_on(page)


async def test_another_apps_people_are_not_shown(http: Http, parts: Parts) -> None:
    page = await begun(http, parts, replace(ALL, ways=("key",), min_acr="phr"))
    page.cookies[PEOPLE] = (await login(http, parts, "ann", {})).cookies[PEOPLE]
    page = await begun(http, parts, replace(ALL, ways=("key",), min_acr="phr"))
    assert "&quot;people&quot;: []" in await names_on(page)
