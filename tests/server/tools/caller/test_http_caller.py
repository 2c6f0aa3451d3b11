"""The three requests of an attempt, and what is told when the other side is not as it should be."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestServer

from server.tools.caller.http_caller import (
    HeadlessError,
    NoPlace,
    agreed,
    create_session,
    post_offer,
    published_keys,
)

WISH = {"purpose": "login", "subject": "ann"}
REFUSAL = {"error": {"code": "busy", "text": "Full.", "retry": True}}


class Other:
    """A server that answers what a test wants, and keeps what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.text = "{}"
        self.told: dict[str, str] = {}
        """Headers of the answer."""
        self.asked: list[tuple[str, str, Any]] = []
        self.headers: list[Any] = []
        self.from_: list[str | None] = []
        """Addresses that asked."""
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.raw_path, body))
        self.headers.append(request.headers)
        self.from_.append(request.remote)
        return web.Response(status=self.status, text=self.text, headers=self.told)


@pytest.fixture
async def other() -> AsyncIterator[Other]:
    found = Other()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.answer)
    async with TestServer(app) as server:
        found.url = str(server.make_url("")).rstrip("/")
        yield found


async def _create(url: str) -> dict[str, Any]:
    return await create_session(url, client_id="shop", secret="s3cret", wish=WISH)


async def _offer(url: str) -> str:
    return await post_offer(url + "/", "s 1", ticket="t", origin="https://shop.example", sdp="v=0")


Ask = Callable[[str], Awaitable[Any]]
EVERY = pytest.mark.parametrize("ask", [_create, _offer, published_keys])


async def test_a_session_is_made_as_its_client(other: Other) -> None:
    other.status, other.text = 201, '{"session": "s"}'
    assert await _create(other.url) == {"session": "s"}
    assert other.asked == [("POST", "/v1/sessions", WISH)]
    assert other.headers[0]["Authorization"] == encode_basic_auth("shop", "s3cret")


async def test_an_offer_is_posted_as_by_its_page(other: Other) -> None:
    other.text = '{"type": "answer", "sdp": "v=0 answer"}'
    assert await _offer(other.url) == "v=0 answer"
    wish = {"type": "offer", "sdp": "v=0"}
    assert other.asked == [("POST", "/v1/sessions/s%201/offer", wish)]
    assert other.headers[0]["Authorization"] == "Bearer t"
    assert other.headers[0]["Origin"] == "https://shop.example"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
async def test_an_offer_may_come_from_another_address(other: Other) -> None:
    other.text = '{"type": "answer", "sdp": "v=0 answer"}'
    for address in ("127.0.0.1", "127.7.0.3"):
        await post_offer(other.url, "s", ticket="t", origin=None, sdp="v=0", address=address)
    assert other.from_ == ["127.0.0.1", "127.7.0.3"]


async def test_keys_are_read_by_anybody(other: Other) -> None:
    other.text = '{"keys": []}'
    assert await published_keys(other.url) == {"keys": []}
    assert other.asked == [("GET", "/.well-known/jwks.json", None)]
    assert "Authorization" not in other.headers[0]


@EVERY
async def test_a_refusal_is_the_servers_own(other: Other, ask: Ask) -> None:
    other.status, other.text = 503, web.json_response(REFUSAL).text or ""
    with pytest.raises(HeadlessError) as caught:
        await ask(other.url)
    assert (caught.value.code, caught.value.text) == ("busy", "Full.")


@pytest.mark.parametrize(
    ("after", "line", "again_s", "ahead", "wait_s"),
    [
        ("7", {"ahead": 3, "wait_s": 6.5}, 7.0, 3, 6.5),
        ("0", {"ahead": 0, "wait_s": 0}, 0.0, 0, 0.0),
        ("2", None, 2.0, None, None),
        ("soon", [], 1.0, None, None),
        (None, {"ahead": "3", "wait_s": "6"}, 1.0, None, None),
    ],
)
async def test_a_busy_server_says_when_to_ask_again(
    other: Other, after: str | None, line: Any, again_s: float, ahead: int, wait_s: float
) -> None:
    body = REFUSAL if line is None else {**REFUSAL, "line": line}
    other.status, other.text = 503, web.json_response(body).text or ""
    other.told = {} if after is None else {"Retry-After": after}
    with pytest.raises(NoPlace) as caught:
        await _offer(other.url)
    full = caught.value
    assert (full.code, full.again_s, full.ahead, full.wait_s) == ("busy", again_s, ahead, wait_s)


async def test_a_request_is_held_only_if_the_caller_says_so(other: Other) -> None:
    other.text = '{"type": "answer", "sdp": "v=0 answer"}'
    await _offer(other.url)
    await post_offer(other.url, "s", ticket="t", origin=None, sdp="v=0", hold_s=8)
    assert [headers.get("Prefer") for headers in other.headers] == [None, "wait=8"]


@EVERY
@pytest.mark.parametrize(
    ("status", "text"),
    [(502, "<html>"), (200, ""), (200, "[]"), (500, "{}"), (400, '{"error": "no"}')],
)
async def test_something_else_is_no_server(other: Other, ask: Ask, status: int, text: str) -> None:
    other.status, other.text = status, text
    with pytest.raises(HeadlessError) as caught:
        await ask(other.url)
    strange = "headless_bad_answer" if ask is _offer else "server_strange"
    assert caught.value.code == strange


@EVERY
async def test_nobody_there(ask: Ask) -> None:
    with pytest.raises(HeadlessError) as caught:
        await ask("http://127.0.0.1:9")
    unreachable = "headless_unreachable" if ask is _offer else "server_unreachable"
    assert (caught.value.code, caught.value.text) == (unreachable, "the server cannot be reached")


ASKED = {"text_id": "club", "version": "1", "language": "de", "sha256": "0" * 64}


@pytest.mark.parametrize("named", [None, "club/1/de"])
async def test_a_person_agrees_to_what_is_asked(other: Other, named: str | None) -> None:
    other.text = web.json_response({"consent": {**ASKED, "body": "Ja."}}).text or ""
    given = await agreed(other.url, "s", ticket="t", origin="https://x", named=named)
    assert given == ASKED
    assert other.asked == [("GET", "/v1/sessions/s/consent", None)]
    assert other.headers[0]["Authorization"] == "Bearer t"
    assert other.headers[0].get("Accept-Language") == (named and "de")
    other.text = '{"type": "answer", "sdp": "v=0"}'
    await post_offer(other.url, "s", ticket="t", origin=None, sdp="v=0", consent=given)
    assert other.asked[1][2] == {"type": "offer", "sdp": "v=0", "consent": ASKED}


@pytest.mark.parametrize("named", ["club/2/de", "club/1/en", "club", ""])
async def test_another_text_than_the_one_on_paper_is_not_agreed_to(
    other: Other, named: str
) -> None:
    other.text = web.json_response({"consent": ASKED}).text or ""
    with pytest.raises(HeadlessError, match="consent_needed"):
        await agreed(other.url, "s", ticket="t", origin=None, named=named)


@pytest.mark.parametrize("text", ["{}", '{"consent": null}', '{"consent": {"text_id": "x"}}'])
async def test_a_server_that_asks_nothing_is_strange(other: Other, text: str) -> None:
    other.text = text
    with pytest.raises(HeadlessError, match="server_strange"):
        await agreed(other.url, "s", ticket="t", origin=None, named=None)
