"""The operator's questions: does it live, would a login work, how is it doing.

Not here: what is counted (server/metrics.py). Source: docs/protocol.md, "HTTP"; docs/operations.md.
"""

from __future__ import annotations

import hmac

from aiohttp import web

from server.http.requests import PARTS, from_this_machine
from server.metrics import CONTENT_TYPE, exposition
from server.parts import Parts
from server.problems import Problem
from server.processes.link import Silent
from server.processes.member import Member
from server.store.port import Broken, Unavailable


async def healthz(request: web.Request) -> web.Response:
    """The process answers; whether it is of use is `/readyz`."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Whether a login would work now: what it needs was done a second ago at most."""
    parts = request.app[PARTS]
    if parts.member is not None:
        return await _any_ready(parts.member)
    code, _ = await fault_of(parts)
    if code is not None:
        raise Problem(code)
    return web.json_response({"status": "ready"})


async def fault_of(parts: Parts) -> tuple[str | None, bool]:
    """Why no login would work in this process, None if one would; and whether waiting is no use."""
    if parts.peers.stopping:
        return "server_stopping", False
    if not parts.opened.is_set():
        return "not_ready", False
    fault = await parts.readiness.fault()
    if fault is None:
        return None, False
    down = isinstance(fault, Unavailable)
    return (fault.code if down else "not_ready"), not down or isinstance(fault, Broken)


async def _any_ready(member: Member) -> web.Response:
    """Whichever process is asked, the answer is that of all."""
    try:
        found = await member.ready()
    except Silent:
        raise Problem("not_ready") from None
    if found.code is not None:
        raise Problem(found.code)
    return web.json_response(
        {"status": "ready", "processes": {"ready": found.ready, "of": found.of}}
    )


async def metrics(request: web.Request) -> web.Response:
    """Counters for the operator."""
    parts = request.app[PARTS]
    token = parts.settings.metrics_token
    if token is None:
        allowed = from_this_machine(request)
    else:
        # aiohttp keeps bytes that are no UTF-8 as surrogates (PEP 383).
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        allowed = hmac.compare_digest(given, f"Bearer {token}".encode())
    if not allowed:
        raise Problem("metrics_forbidden")
    families = parts.metrics.families()
    if parts.member is not None:
        try:
            families = await parts.member.families()
        except Silent:
            raise Problem("not_ready") from None
    return web.Response(body=exposition(families).encode(), headers={"Content-Type": CONTENT_TYPE})
