"""Parameters of OAuth requests, who sends them, and the headers of answers that pages may read.

Not here: what is checked of them (server/oidc), JSON bodies (server/http/requests.py).
Source: WHATWG URL standard, application/x-www-form-urlencoded; RFC 6749 appendix B.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from server.http.requests import (
    PARTS,
    address_of,
    basic_of,
    count,
    raw_of,
    stored_client,
)
from server.oidc.authorize import single
from server.oidc.client_auth import Presented, authenticated, way_of
from server.parts import Parts
from server.problems import Problem
from server.store.port import Client, NotFound, Unavailable

MAX_FORM_BYTES = 16 * 1024
FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 100

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.Response]]
OUTCOME: web.RequestKey[str] = web.RequestKey("oidc_outcome")
"""What a redirect tells the app, where it is an error."""


def counted(name: str, handler: Handler) -> Handler:
    """The same, and what became of it in the metrics."""

    async def counting(request: web.Request) -> web.Response:
        outcomes = request.app[PARTS].metrics.oidc
        try:
            response = await handler(request)
        except (Problem, Unavailable) as refused:
            outcomes.add(name, refused.code)
            raise
        outcomes.add(name, request.get(OUTCOME, "ok"))
        return response

    return counting


async def parameters(request: web.Request) -> dict[str, str]:
    """Those of a GET's query or a POST's form, each once, without empty ones.

    Raises Problem oidc_parameter_twice, request_invalid, request_malformed, request_too_large,
    request_too_slow.
    """
    if request.method == "POST":
        return await form_of(request)
    return pairs_of(request.rel_url.raw_query_string, Problem("request_invalid"))


async def form_of(request: web.Request) -> dict[str, str]:
    """Those of a form. Raises Problem as `parameters`."""
    wrong = Problem("request_malformed", f"The body is not {FORM}.")
    raw = await raw_of(request, MAX_FORM_BYTES)
    if request.content_type != FORM:
        raise wrong
    try:
        return pairs_of(raw.decode("ascii"), wrong)
    except UnicodeDecodeError:
        raise wrong from None


def pairs_of(text: str, wrong: Problem) -> dict[str, str]:
    """Strict UTF-8, because a replacement character would make two texts of senders one."""
    if not text.isascii():
        raise wrong
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise wrong from None
    return single(pairs)


async def take_turn(request: web.Request, parts: Parts) -> None:
    """Count a browser's request for its address. Raises Problem too_many_requests."""
    wait_s = await parts.rates.take(("address", address_of(request, parts)))
    if wait_s:
        raise Problem("too_many_requests", retry_after_s=wait_s)


async def relying_client(parts: Parts, client_id: str) -> Client:
    """A client as it was sealed. Raises NotFound, Unavailable, Problem client_changed."""
    if not re.fullmatch(r"[!-~]{1,64}", client_id):  # nothing else reaches the store
        raise NotFound("client")
    return await stored_client(parts, client_id)


async def client_of(request: web.Request, parts: Parts, form: Mapping[str, str]) -> Client:
    """The client that shows its one way, whose request is counted.

    Raises Problem invalid_client, invalid_request, too_many_requests, client_changed; Unavailable.
    """
    shown = request.headers.getall("Authorization", [])
    if len(shown) > 1:
        raise Problem("invalid_request", "There are two Authorization headers.")
    issuer = parts.settings.public_url
    presented = Presented(form, basic_of(shown[0]) if shown else None)
    try:
        client = await authenticated(
            presented,
            find=lambda client_id: relying_client(parts, client_id),
            seen=parts.store.seen,
            audiences=(issuer, f"{issuer}/token", f"{issuer}{request.path}"),
            now=parts.now(),
        )
    except Problem as refused:
        if refused.code == "invalid_client":
            await take_turn(request, parts)
            await _tell_way(parts, presented)
        raise
    if client.relying is not None and client.relying.auth == "none":
        # Anybody can say that they are a public client, and must not use up what its people need.
        await take_turn(request, parts)
    else:
        await count(parts, client)
    return client


async def _tell_way(parts: Parts, presented: Presented) -> None:
    """Say once in the log that a client shows itself otherwise than it is registered: it is told
    no more than any stranger is, and many libraries choose a way by themselves."""
    try:
        how, client_id, _ = way_of(presented)
        relying = (await relying_client(parts, client_id)).relying
    except (NotFound, Problem):
        return
    registered = "nothing" if relying is None else relying.auth
    if registered != how and parts.told.first(f"way {client_id} {how}"):
        told = {"client": client_id, "shows": how, "registered": registered}
        logger.warning("an app shows itself in another way than it is registered", extra=told)


def for_page(request: web.Request, client: Client, response: web.Response) -> web.Response:
    """Let a page of the client's own origins read the answer, without cookies (Fetch standard
    section 3.2)."""
    response.headers["Vary"] = "Origin"
    origin = request.headers.get("Origin")
    if origin is not None and origin in client.origins:
        response.headers["Access-Control-Allow-Origin"] = origin
    return response


def told(said: Mapping[str, Any], *, status: int = 200) -> web.Response:
    """An answer that nobody keeps (RFC 6749 section 5.1)."""
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return web.json_response(said, status=status, headers=headers)
