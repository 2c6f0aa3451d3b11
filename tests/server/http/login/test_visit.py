"""Who may ask in the name of a login: the browser that began it, from our own page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.http.login.routes import ROUTES
from server.http.login.visit import MOST_CHANGES
from server.limits import Buckets
from server.oidc.login import cookie_name
from server.parts import Parts
from server.store.oidc.logins import DONE
from server.store.port import Unavailable
from tests.server.http.asking import Http
from tests.server.http.login.test_faces import shown
from tests.server.http.login.visiting import ALL, OURS, begun, kept
from tests.server.stage import CLIENT, Clock, change_client

POSTS = [one.path.rsplit("/", 1)[1] for one in ROUTES if one.method == "POST"]


@pytest.mark.parametrize("what", POSTS)
async def test_every_post_is_of_our_own_page(http: Http, parts: Parts, what: str) -> None:
    page = await begun(http, parts)
    for origin in (
        None,
        "null",
        "https://evil.example",
        f"{OURS}.evil.example",
        "http://localhost",
    ):
        status, said = await page.post(what, Origin=origin)
        assert (status, said["error"]["code"]) == (403, "origin_not_allowed"), origin
    assert (await kept(parts, page)).version == 1


@pytest.mark.parametrize("what", POSTS)
async def test_every_post_is_of_the_browser_that_began(http: Http, parts: Parts, what: str) -> None:
    page, other = await begun(http, parts), await begun(http, parts)
    theirs = f"{cookie_name(page.login_id, secure=False)}={other.cookie}"
    for cookie in (None, "", other.jar(), theirs):
        status, said = await page.post(what, Cookie=cookie)
        assert (status, said["error"]["code"]) == (403, "login_foreign"), cookie
    assert (await kept(parts, page)).version == 1


@pytest.mark.parametrize("what", POSTS)
async def test_every_post_is_of_a_login_that_goes_on(
    http: Http, parts: Parts, clock: Clock, what: str
) -> None:
    page = await begun(http, parts)
    await page.good("cancel")
    assert await page.refused(what) == "login_over"
    late = await begun(http, parts)
    clock.advance(601.0)
    assert await late.refused(what) == "login_over"
    late.login_id = "x" * 43
    assert await late.refused(what) == "login_over"
    late.login_id = "x"
    assert await late.refused(what) == "login_over"


async def test_an_office_behind_one_address_logs_in_at_once(
    http: Http, parts: Parts, clock: Clock
) -> None:
    parts.rates.buckets["address"] = Buckets(2.0, 3.0)  # type: ignore[attr-defined]
    for _ in range(20):
        page = await begun(http, parts)
        await page.good("who", {"name": "ann"})
        await page.good("key-options")
    # Who guesses addresses of logins, or has another's, is slowed down.
    for code in ("login_foreign", "login_foreign", "login_foreign", "too_many_requests"):
        _, said = await page.post("key-options", Cookie=None)
        assert said["error"]["code"] == code
    await page.good("key-options")


async def test_strangers_use_up_nothing_of_the_app_or_of_whom_they_name(
    http: Http, parts: Parts
) -> None:
    for noun in ("client", "subject"):
        parts.rates.buckets[noun] = Buckets(0.01, 1.0)  # type: ignore[attr-defined]
    parts.rates.buckets["address"] = Buckets(0.01, 5.0)  # type: ignore[attr-defined]
    for _ in range(5):
        page = await begun(http, parts)
        await page.good("who", {"name": "ann"})
        await page.good("face")
    told = [(await page.post("face"))[0] for _ in range(20)]
    assert told == sorted(told)
    assert told.count(200) < 10
    assert set(told) == {200, 429}
    assert await parts.rates.take(("subject", f"{CLIENT} ann"), ("client", CLIENT)) == 0.0


async def test_a_login_changes_so_often_and_no_more(http: Http, parts: Parts) -> None:
    page = await begun(http, parts)
    for _ in range(MOST_CHANGES):
        await page.good("key-options")
    assert await page.refused("key-options") == "login_over"


async def test_two_tabs_are_two_logins(http: Http, parts: Parts) -> None:
    one, two = await begun(http, parts), await begun(http, parts)
    both = f"{one.jar()}; {two.jar()}"
    for page in (one, two):
        status, _ = await page.post("key-options", Cookie=both)
        assert status == 200


async def test_a_removed_app_has_no_logins(http: Http, parts: Parts) -> None:
    page = await begun(http, parts)
    await page.good("who", {"name": "ann"})
    token = await shown(parts, page)
    await parts.store.clients.remove("shop")
    assert await page.refused("finish", {"token": token}) == "login_over"


@pytest.mark.parametrize("what", POSTS)
async def test_an_address_that_is_not_registered_any_more_is_gone_to_by_no_way(
    http: Http, parts: Parts, what: str
) -> None:
    page = await begun(http, parts)
    await page.good("key-options")
    await change_client(parts, relying=replace(ALL, redirect_uris=("https://shop.example/new",)))
    assert await page.refused(what) == "oidc_redirect_uri"
    url, headers = f"/login/{page.login_id}", {"Cookie": page.jar()}
    async with http.get(url, headers=headers, allow_redirects=False) as response:
        assert (response.status, "Location" in response.headers) == (400, False)
        assert "<code>oidc_redirect_uri</code>" in await response.text()


async def test_a_login_that_was_done_in_another_process_is_over(http: Http, parts: Parts) -> None:
    page = await begun(http, parts)
    await page.good("who", {"name": "ann"})
    await page.good("finish", {"token": await shown(parts, page)})
    assert (await kept(parts, page)).state == DONE
    assert await page.refused("who", {"again": True}) == "login_over"


async def test_a_store_that_does_not_answer_is_told_so_and_recovers(
    http: Http, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await begun(http, parts)
    url, headers = f"/login/{page.login_id}", {"Cookie": page.jar()}

    async def down(*_: object, **__: object) -> None:
        raise Unavailable("locked")

    with monkeypatch.context() as broken:
        broken.setattr(parts.store.logins, "get", down)
        status, said = await page.post("key-options")
        assert (status, said["error"]["code"]) == (503, "store_unavailable")
        async with http.get(url, headers=headers) as response:
            assert response.status == 503
            assert "<code>store_unavailable</code>" in await response.text()
    async with http.get(url, headers=headers) as response:
        assert response.status == 200
    with monkeypatch.context() as broken:
        broken.setattr(parts.store.logins, "move", down)
        assert await page.refused("key-options") == "store_unavailable"
    await page.good("key-options")
