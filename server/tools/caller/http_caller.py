"""The server's HTTP as a client sees it: start a session, post an offer, read the keys.

Here: the requests that an attempt makes, and what is told when they fail. Not here: what is
done with the answers (attempt.py, headless.py). Source: docs/protocol.md, "HTTP".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

from pipeline.refusal import Refusal

HTTP_S = 15.0
"""For a whole request of a relying app's backend; an offer has the time of its attempt."""
HOLD_S = 8
"""How long an offer that waits in line lets the server hold its request (RFC 7240 section 4.3)."""


class HeadlessError(Refusal):
    """The attempt came to no verdict. The code is the server's, or begins with headless_ or
    server_."""


class NoPlace(HeadlessError):
    """The server is busy: the same offer may be made again, and the ticket is still good."""

    def __init__(self, text: str, *, again_s: float, ahead: int | None, wait_s: float | None):
        super().__init__("busy", text)
        self.again_s = again_s
        """When to ask again, from now."""
        self.ahead = ahead
        """People before us in line; None: we stand in none."""
        self.wait_s = wait_s
        """How long the server thinks that we wait; None: it does not say."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What came back."""

    status: int
    body: Any
    """None if it is no JSON."""
    headers: Mapping[str, str]


async def create_session(
    server_url: str, *, client_id: str, secret: str, wish: Mapping[str, Any]
) -> dict[str, Any]:
    """Start an attempt as a relying app's backend does. Raises HeadlessError."""
    headers = {"Authorization": aiohttp.encode_basic_auth(client_id, secret)}
    return await _object("POST", f"{server_url}/v1/sessions", body=wish, headers=headers)


async def published_keys(server_url: str) -> dict[str, Any]:
    """The JWK Set that tokens are verified with. Raises HeadlessError."""
    return await _object("GET", f"{server_url}/.well-known/jwks.json")


async def post_offer(
    server_url: str,
    session: str,
    *,
    ticket: str,
    origin: str | None,
    sdp: str,
    hold_s: int = 0,
    consent: Mapping[str, str] | None = None,
    address: str | None = None,
) -> str:
    """The SDP of the answer to a page's offer, which is sent from this machine's `address` where
    one is given. Raises HeadlessError, of which NoPlace says when to
    ask again.

    `hold_s`: the server may answer so much later, once there is a place.
    """
    headers = _of_page(ticket, origin)
    if hold_s:
        headers["Prefer"] = f"wait={hold_s}"
    url = _session_url(server_url, session, "offer")
    offer: dict[str, Any] = {"type": "offer", "sdp": sdp}
    if consent is not None:
        offer["consent"] = dict(consent)
    try:
        said = await _request("POST", url, body=offer, headers=headers, address=address)
    except OSError as fault:
        raise HeadlessError("headless_unreachable", "the server cannot be reached") from fault
    if said.status == 200 and isinstance(said.body, dict) and "sdp" in said.body:
        return str(said.body["sdp"])
    text = f"the server answered {said.status} with something else"
    refused = _refused(said) or HeadlessError("headless_bad_answer", text)
    if refused.code == "busy":
        raise _no_place(said, refused.text)
    raise refused


async def agreed(
    server_url: str, session: str, *, ticket: str, origin: str | None, named: str | None
) -> dict[str, str]:
    """The consent for an enrolment's offer, after the person agreed to the text `named` as it
    stands on paper (lookgate/1/en); None: to what is asked. Raises HeadlessError, consent_needed
    where the server asks for another text.
    """
    headers = _of_page(ticket, origin)
    if named is not None:
        headers["Accept-Language"] = named.rpartition("/")[2]
    try:
        said = await _object("GET", _session_url(server_url, session, "consent"), headers=headers)
        asked = said["consent"]
        given = {name: str(asked[name]) for name in ("text_id", "version", "language", "sha256")}
    except (KeyError, TypeError, ValueError):
        raise HeadlessError("server_strange", "the server names no text to agree to") from None
    name = "/".join((given["text_id"], given["version"], given["language"]))
    if named is not None and named != name:
        raise HeadlessError("consent_needed", f"this client asks for the text {name} now")
    return given


def _of_page(ticket: str, origin: str | None) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {ticket}"}
    return headers if origin is None else {**headers, "Origin": origin}


def _session_url(server_url: str, session: str, what: str) -> str:
    return f"{server_url.rstrip('/')}/v1/sessions/{quote(session, safe='')}/{what}"


async def _object(
    method: str, url: str, *, body: Any = None, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The JSON object of a good answer. Raises HeadlessError."""
    try:
        said = await _request(method, url, body=body, headers=headers, timeout_s=HTTP_S)
    except OSError as fault:
        raise HeadlessError("server_unreachable", "the server cannot be reached") from fault
    if said.status < 400 and isinstance(said.body, dict):
        return said.body
    raise _refused(said) or HeadlessError("server_strange", "that is no Lookgate server")


async def _request(
    method: str,
    url: str,
    *,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    address: str | None = None,
) -> _Said:
    """Ask once, over a connection of its own. Raises OSError if nothing comes back."""
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    local = None if address is None else (address, 0)
    try:
        async with (
            aiohttp.TCPConnector(local_addr=local) as connector,
            aiohttp.ClientSession(timeout=timeout, connector=connector) as http,
            http.request(method, url, json=body, headers=headers) as response,
        ):
            status, raw = response.status, await response.read()
            told = dict(response.headers)
    except aiohttp.ClientError as fault:
        raise OSError("no answer") from fault
    try:
        return _Said(status, json.loads(raw), told)
    except ValueError:
        return _Said(status, None, told)


def _refused(said: _Said) -> HeadlessError | None:
    """The server's own refusal, if that is what it said."""
    error = said.body.get("error") if isinstance(said.body, dict) else None
    if said.status < 400 or not isinstance(error, dict) or not {"code", "text"} <= error.keys():
        return None
    return HeadlessError(str(error["code"]), str(error["text"]))


def _no_place(said: _Said, text: str) -> NoPlace:
    """What a busy server told: Retry-After in seconds (RFC 9110 section 10.2.3), and the line."""
    after = said.headers.get("Retry-After", "")
    line = said.body.get("line")
    line = line if isinstance(line, dict) else {}
    ahead, wait_s = line.get("ahead"), line.get("wait_s")
    return NoPlace(
        text,
        again_s=float(after) if after.isdecimal() else 1.0,
        ahead=ahead if isinstance(ahead, int) else None,
        wait_s=float(wait_s) if isinstance(wait_s, int | float) else None,
    )
