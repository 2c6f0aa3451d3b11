"""The HTTP interface: what each address does. Source: docs/protocol.md, "HTTP".

Not here: reading and refusing requests (asking.py), error answers (problems.py), a session after
its offer was answered (peer.py).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from pipeline.policy import Policy
from pipeline.reasons import Purpose
from server.http import ice
from server.http.requests import (
    MAX_BODY_BYTES,
    MAX_REQUEST_BYTES,
    address_of,
    body_of,
    check_origin,
    client_of,
    from_this_machine,
    is_session,
    is_subject,
    offered,
    ticket_of,
    wanted,
)
from server.metrics import CONTENT_TYPE
from server.parts import Parts
from server.problems import Problem
from server.session import whom
from server.session.opening import open_peer
from server.store.port import Client, NotFound, SessionRecord

PARTS = web.AppKey("parts", Parts)
CORS_ORIGIN: web.RequestKey[str | None] = web.RequestKey("cors_origin")
WIDGET_DIR = Path(__file__).parents[2] / "web" / "widget"

logger = logging.getLogger(__name__)


def add(app: web.Application) -> None:
    """Put all of them on an application that has its parts."""
    router = app.router
    router.add_post("/v1/sessions", create_session, name="create_session")
    router.add_get("/v1/sessions/{session}", show_session, name="show_session", allow_head=False)
    router.add_post("/v1/sessions/{session}/offer", take_offer, name="take_offer")
    router.add_options("/v1/sessions/{session}/offer", preflight, name="preflight")
    router.add_delete("/v1/subjects/{subject}", remove_subject, name="remove_subject")
    router.add_get("/.well-known/jwks.json", jwks, name="jwks")
    router.add_get("/healthz", healthz, name="healthz")
    router.add_get("/readyz", readyz, name="readyz")
    router.add_get("/metrics", metrics, name="metrics", allow_head=False)
    router.add_get("/web/{file}", widget, name="widget")


async def create_session(request: web.Request) -> web.Response:
    """A relying app's backend starts an attempt."""
    parts = _opened(request)
    client = await client_of(request, parts)
    purpose, subject, nonce, replace, challenge = wanted(await body_of(request, MAX_REQUEST_BYTES))
    now = parts.now()
    session_id, ticket = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    record = SessionRecord(
        session_id=session_id,
        client_id=client.client_id,
        purpose=purpose.value,
        subject=subject,
        nonce=nonce,
        ticket_hash=hashlib.sha256(ticket.encode()).digest(),
        state="new",
        created_at=now,
        expires_at=now + timedelta(seconds=parts.settings.ticket_ttl_s),
        replace=replace,
        challenge=challenge,
    )
    wait_s = await whom.locked(parts, record)
    if wait_s:
        raise Problem("too_many_failures", retry_after_s=wait_s)
    if purpose is Purpose.ENROLL and not replace and await _enrolled(parts, record):
        raise Problem("subject_enrolled")
    try:
        await parts.store.add_session(record)
    except NotFound:  # the client was removed a moment ago
        raise Problem("client_unauthorized") from None
    parts.metrics.created.add(purpose.value)
    until = record.expires_at + timedelta(seconds=_policy(parts, client).time_limit_s)
    return web.json_response(
        {
            "session": session_id,
            "ticket": ticket,
            "expires_at": _rfc3339(record.expires_at),
            "ice_servers": ice.servers(parts.settings, session_id, until),
        },
        status=201,
        headers={"Cache-Control": "no-store"},
    )


async def _enrolled(parts: Parts, record: SessionRecord) -> bool:
    try:
        await parts.store.template(record.client_id, record.subject or "")
    except NotFound:
        return False
    return True


async def show_session(request: web.Request) -> web.Response:
    """A relying app's backend asks how an attempt went."""
    parts = _opened(request)
    client = await client_of(request, parts)
    record = await _session_of(parts, request.match_info["session"])
    if record is None or record.client_id != client.client_id:
        raise Problem("session_unknown")
    finished = record.finished_at
    return web.json_response(
        {
            "session": record.session_id,
            "purpose": record.purpose,
            "subject": record.subject,
            "state": _state(record, _policy(parts, client), parts.now()),
            "reasons": list(record.reasons),
            "created_at": _rfc3339(record.created_at),
            "finished_at": None if finished is None else _rfc3339(finished),
        },
        headers={"Cache-Control": "no-store"},
    )


def _state(record: SessionRecord, policy: Policy, now: datetime) -> str:
    """As recorded; but nobody comes back for a ticket that ran out, or to a server that died."""
    if record.state == "new" and now >= record.expires_at:
        return "expired"
    latest = (record.claimed_at or record.created_at) + timedelta(
        seconds=whom.policy_seconds(policy)
    )
    return "expired" if record.state == "live" and now >= latest else record.state


async def remove_subject(request: web.Request) -> web.Response:
    """A relying app's backend has a person forgotten."""
    parts = _opened(request)
    client = await client_of(request, parts)
    subject = request.match_info["subject"]
    if not is_subject(subject):
        raise Problem("request_invalid", "The subject is not one that can exist.")
    removed = await parts.store.remove_subject(client.client_id, subject)
    tapes = 0
    if parts.shelf is not None:
        tapes = await asyncio.to_thread(parts.shelf.remove_subject, client.client_id, subject)
    logger.info(
        "subject removed",
        extra={"client": client.client_id, "templates": removed, "recordings": tapes},
    )
    return web.json_response({"removed": removed})


async def take_offer(request: web.Request) -> web.Response:
    """A page brings its ticket and its offer."""
    parts = _opened(request)
    # The origin first: the page may only read a refusal that allows its origin.
    record, client = await _addressed(request, parts)
    request[CORS_ORIGIN] = check_origin(request, parts, client)
    wait_s = parts.address_limit.take(address_of(request, parts), parts.clock())
    if wait_s:
        raise Problem("too_many_requests", retry_after_s=wait_s)
    sdp = offered(await body_of(request, MAX_BODY_BYTES))
    ticket_hash = ticket_of(request)
    if record is None or client is None:
        raise Problem("ticket_invalid")
    answer = await open_peer(parts, record, ticket_hash, sdp, _policy(parts, client))
    return web.json_response(
        {"type": "answer", "sdp": answer}, headers={"Cache-Control": "no-store"}
    )


async def preflight(request: web.Request) -> web.Response:
    """A browser asks before it posts (Fetch standard section 3.2.2)."""
    parts = _opened(request)
    _, client = await _addressed(request, parts)
    request[CORS_ORIGIN] = check_origin(request, parts, client)
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Access-Control-Max-Age": "600",
        },
    )


@web.middleware
async def headers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Let the page of an allowed origin read the answer, refusals included; name no versions."""
    response = await handler(request)
    response.headers["Server"] = "lookgate"
    if request.match_info.route.name in ("take_offer", "preflight"):
        response.headers["Vary"] = "Origin"
        if origin := request.get(CORS_ORIGIN):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "Retry-After"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


async def _addressed(
    request: web.Request, parts: Parts
) -> tuple[SessionRecord | None, Client | None]:
    record = await _session_of(parts, request.match_info["session"])
    if record is None:
        return None, None
    try:
        return record, await parts.store.client(record.client_id)
    except NotFound:
        return None, None


async def _session_of(parts: Parts, session_id: str) -> SessionRecord | None:
    if not is_session(session_id):
        return None
    try:
        return await parts.store.session(session_id)
    except NotFound:
        return None


async def jwks(request: web.Request) -> web.Response:
    """The published keys. Anybody may read them, from any page."""
    parts = _opened(request)
    return web.json_response(
        await parts.keyring.jwks(parts.now()),
        headers={"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"},
    )


async def healthz(request: web.Request) -> web.Response:
    """The process answers; whether it is of use is `/readyz`."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Whether a login would work now."""
    parts = request.app[PARTS]
    if parts.stopping:
        raise Problem("server_stopping")
    if not parts.opened.is_set():
        raise Problem("not_ready")
    await parts.store.ping()
    return web.json_response({"status": "ready"})


async def metrics(request: web.Request) -> web.Response:
    """Counters for the operator."""
    parts = request.app[PARTS]
    token = parts.settings.metrics_token
    if token is None:
        allowed = from_this_machine(request)
    else:
        given = request.headers.get("Authorization", "").encode()
        allowed = hmac.compare_digest(given, f"Bearer {token}".encode())
    if not allowed:
        raise Problem("metrics_forbidden")
    return web.Response(body=parts.metrics.text().encode(), headers={"Content-Type": CONTENT_TYPE})


async def widget(request: web.Request) -> web.StreamResponse:
    """The widget's modules, nothing else of that folder."""
    name = request.match_info["file"]
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or not name.endswith(
        (".js", ".css")
    ):
        raise Problem("not_found")
    path = WIDGET_DIR / name
    if name.startswith(".") or not path.is_file():
        raise Problem("not_found")
    # Module scripts are fetched in CORS mode from the relying app's origin (HTML standard).
    headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache"}
    return web.FileResponse(path, headers=headers)


def _opened(request: web.Request) -> Parts:
    parts = request.app[PARTS]
    if parts.stopping:
        raise Problem("server_stopping")
    if not parts.opened.is_set():
        raise Problem("not_ready")
    return parts


def _policy(parts: Parts, client: Client) -> Policy:
    """Raises KeyError: a client was made with a policy that this version lacks; a bug to mend."""
    return parts.policies[client.policy]


def _rfc3339(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
