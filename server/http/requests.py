"""Who asks and what for: credentials, origins, addresses and bodies of HTTP requests.

Reads and refuses; changes nothing but the buckets of server/limits.py. Not here: what is done then
(sessions.py, offers.py), the fields of a body (fields.py).
Source: docs/protocol.md; RFC 7617 (Basic), RFC 6750 (Bearer), RFC 6454 (origins).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
import logging
import re
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from aiohttp import web

from pipeline.policy import Policy
from server import strict_json
from server.http.addresses import counted, local
from server.http.fields import TICKET, is_session
from server.http.middleware import CORS_ORIGIN
from server.keys.vault import VaultError
from server.log import LONGEST
from server.origins import is_origin, origin_of
from server.parts import Parts
from server.problems import Problem
from server.rtc.lines import MAX_BYTES
from server.store.port import Client, NotFound, SessionRecord

PARTS = web.AppKey("parts", Parts)
"""Where an application keeps the server that it speaks for."""
MAX_BODY_BYTES = MAX_BYTES * 2
"""An offer is JSON: every CRLF takes four bytes there, so the cap is twice the SDP's own."""
MAX_REQUEST_BYTES = 4096
MAX_DEPTH = 100
"""No body has more than one level. A field with more is told what is wrong with it, up to here."""
BODY_S = 10.0
"""A body that takes longer is an attack on memory (slow loris)."""

logger = logging.getLogger(__name__)

_UNKNOWN = "unknown"
"""The address of all callers whose address cannot be read."""
_NOBODY = hashlib.sha256(b"no such client").digest()


def opened_parts(request: web.Request) -> Parts:
    """The server that is asked. Raises Problem not_ready."""
    parts = request.app[PARTS]
    if not parts.opened.is_set():
        raise Problem("not_ready")
    return parts


def taking_parts(request: web.Request) -> Parts:
    """The same, for what begins a session. Raises Problem not_ready, server_stopping."""
    parts = request.app[PARTS]
    if parts.peers.stopping:
        raise Problem("server_stopping")
    return opened_parts(request)


async def client_of(request: web.Request, parts: Parts) -> Client:
    """The relying app behind HTTP Basic, whose request is counted.

    Raises Problem client_unauthorized or too_many_requests.
    """
    client = await known_client(request, parts)
    await count(parts, client)
    return client


async def count(parts: Parts, client: Client, subject: str | None = None) -> None:
    """Count a request of a relying app, about this person. Raises Problem too_many_requests.

    The person first: what comes too fast of one must not use up what others need.
    """
    person = [] if subject is None else [("subject", f"{client.client_id} {subject}")]
    wait_s = await parts.rates.take(*person, ("client", client.client_id))
    if wait_s:
        raise Problem("too_many_requests", retry_after_s=wait_s)


async def known_client(request: web.Request, parts: Parts) -> Client:
    """The relying app behind HTTP Basic; the caller counts its request.

    Raises Problem client_unauthorized, client_changed, or too_many_requests for wrong secrets.
    An unknown client costs the same read and the same comparison as a wrong secret.
    """
    user, secret = basic_of(request.headers.get("Authorization", ""))
    try:
        client: Client | None = await parts.store.clients.get(user)
    except NotFound:
        client = None
    expected = _NOBODY if client is None else client.secret_hash
    given = hashlib.sha256(secret.encode()).digest()
    if not hmac.compare_digest(given, expected) or client is None:
        wait_s = await parts.rates.take(("address", address_of(request, parts)))
        if wait_s:
            raise Problem("too_many_requests", retry_after_s=wait_s)
        raise Problem("client_unauthorized")
    newest = await _as_sealed(parts, client)
    if not hmac.compare_digest(newest.secret_hash, client.secret_hash):
        raise Problem("client_unauthorized")  # the secret was changed at this moment
    return newest


async def stored_client(parts: Parts, client_id: str) -> Client:
    """The relying app of a session. Raises NotFound, Unavailable, Problem client_changed."""
    return await _as_sealed(parts, await parts.store.clients.get(client_id))


async def _as_sealed(parts: Parts, client: Client) -> Client:
    """Raises NotFound, Unavailable, Problem client_changed."""
    try:
        return await parts.clients.check(client)
    except VaultError:
        raise Problem("client_changed") from None


def policy_of(parts: Parts, client: Client) -> Policy:
    """The policy that a relying app's sessions are judged by.

    Raises KeyError: the client was made with a policy that this version lacks; a bug to mend.
    """
    return parts.policies[client.policy]


def basic_of(header: str) -> tuple[str, str]:
    """User and password of RFC 7617; empty ones for anything else, which match no client.

    OAuth clients form-encode both first (RFC 6749 section 2.3.1). Raw ones are taken as well,
    because neither holds what an encoding would change: `+` or `%`.
    """
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "basic" and len(rest) <= 512:
        try:
            text = base64.b64decode(rest.strip(), validate=True).decode()
            user, colon, secret = text.partition(":")
            user, secret = (unquote_plus(part, errors="strict") for part in (user, secret))
        except (binascii.Error, ValueError):
            return "", ""
        if colon and re.fullmatch(r"[!-9;-~]{1,64}", user):
            return user, secret
    return "", ""


def bearer_of(request: web.Request) -> str:
    """The 43 characters of a ticket or a word. Raises Problem ticket_invalid."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not TICKET.fits(rest.strip()):
        raise Problem("ticket_invalid")
    return rest.strip()


def ticket_of(request: web.Request) -> bytes:
    """SHA-256 of the bearer ticket. Raises Problem ticket_invalid."""
    return hashlib.sha256(bearer_of(request).encode()).digest()


def check_origin(request: web.Request, parts: Parts, client: Client | None) -> str | None:
    """The origin to allow in the answer, None where none was sent. Raises origin_not_allowed."""
    origin = request.headers.get("Origin")
    if origin is None and parts.settings.allow_no_origin:
        return None
    if client is not None and client.relying is not None and origin == own_origin(parts):
        return origin  # our login page, which has tickets of its own logins only
    if origin is None or client is None or origin not in client.origins:
        if client is not None and parts.told.first(f"origin {client.client_id} {origin}"):
            _tell_origin(client, origin)
        raise Problem("origin_not_allowed")
    return origin


def own_origin(parts: Parts) -> str:
    """The origin of our own pages, as browsers send it."""
    here = urlsplit(parts.settings.public_url)  # may have a path, behind a proxy
    return origin_of(f"{here.scheme}://{here.netloc}")


def _tell_origin(client: Client, origin: str | None) -> None:
    """Say which page was refused, and what allows it. A stranger's text goes into no command."""
    fields = {"client": client.client_id, "origin": origin}
    if origin is None:
        fields["setting"] = "LOOKGATE_ALLOW_NO_ORIGIN"
    elif is_origin(origin):
        # With those that it has, because the command takes these instead of all others.
        wanted = "".join(f" --origin {one}" for one in (origin, *client.origins))
        command = f"lookgate client set {client.client_id}{wanted}"
        fields["command"] = command if len(command) <= LONGEST else "lookgate client set"
    else:
        fields["origin"] = "none of its own" if origin == "null" else "malformed"
    logger.warning("a page of this origin is not allowed", extra=fields)


def address_of(request: web.Request, parts: Parts) -> str:
    """The caller's address, as limits count it; all that cannot be read are one."""
    hops = parts.settings.proxy_hops
    if not hops:
        return counted(request.remote or "") or _UNKNOWN
    chain = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    if len(chain) < hops:
        _tell_address(parts, "fewer than LOOKGATE_PROXY_HOPS")
        return counted(request.remote or "") or _UNKNOWN
    text = chain[-hops].strip()
    found = counted(text)
    if found is None:
        # RFC 7239 sections 6.2 and 6.3: a proxy may hide an address, or not know it.
        hidden = text.lower() == "unknown" or text.startswith("_")
        _tell_address(parts, "none" if not text else "hidden" if hidden else "no address")
    return found or _UNKNOWN


def _tell_address(parts: Parts, what: str) -> None:
    """Say once that limits cannot tell callers apart, and why."""
    if parts.told.first(f"forwarded {what}"):
        logger.warning("X-Forwarded-For has no address of the caller", extra={"has": what})


def from_this_machine(request: web.Request) -> bool:
    """Whether the connection itself comes from here, and nobody forwarded it."""
    return local(request.remote, request.headers)


async def session_of(parts: Parts, session_id: str) -> SessionRecord | None:
    """The session that an address names, None where there is none. Raises Unavailable."""
    if not is_session(session_id):
        return None
    try:
        return await parts.store.sessions.get(session_id)
    except NotFound:
        return None


async def addressed(
    request: web.Request, parts: Parts, *, expected: str | None = None
) -> tuple[SessionRecord | None, Client | None]:
    """The session that a page's request names, and whose it is; both or neither, which the caller
    refuses. The page's address has its rate; `expected` as in Rates.take.

    Raises Problem origin_not_allowed, too_many_requests; Unavailable.
    """
    record, client = await session_of(parts, request.match_info["session"]), None
    if record is not None:
        with contextlib.suppress(NotFound):
            client = await stored_client(parts, record.client_id)
            request[CORS_ORIGIN] = check_origin(request, parts, client)
    wait_s = await parts.rates.take(("address", address_of(request, parts)), expected=expected)
    if wait_s:
        raise Problem("too_many_requests", retry_after_s=wait_s)
    return (None, None) if client is None else (record, client)


async def body_of(request: web.Request, limit: int) -> dict[str, Any]:
    """The JSON object of a body of at most `limit` bytes.

    Raises Problem request_too_large, request_too_slow, request_malformed.
    """
    raw = await raw_of(request, limit)
    try:
        return strict_json.parse(raw.decode("utf-8"), max_depth=MAX_DEPTH)
    except ValueError:
        raise Problem("request_malformed") from None


async def raw_of(request: web.Request, limit: int) -> bytes:
    """A body of at most `limit` bytes. Raises Problem as `body_of`."""
    if (request.content_length or 0) > limit:
        raise Problem("request_too_large")
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.content.iter_any():
                raw += part
                if len(raw) > limit:
                    raise Problem("request_too_large")
    except TimeoutError:
        raise Problem("request_too_slow") from None
    except (web.HTTPException, web.RequestPayloadError, OSError, ValueError):
        raise Problem("request_malformed") from None
    return bytes(raw)
