"""The operator's questions: does it live, would a login work, how is it doing.

Not here: what is counted (server/metrics.py). Source: docs/protocol.md, "HTTP"; docs/operations.md.
"""

from __future__ import annotations

import hmac

from aiohttp import web

from server.http.requests import PARTS, from_this_machine
from server.metrics import CONTENT_TYPE
from server.problems import Problem
from server.store.port import Unavailable


async def healthz(request: web.Request) -> web.Response:
    """The process answers; whether it is of use is `/readyz`."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Whether a login would work now: what it needs was done a second ago at most."""
    parts = request.app[PARTS]
    if parts.peers.stopping:
        raise Problem("server_stopping")
    if not parts.opened.is_set():
        raise Problem("not_ready")
    fault = await parts.readiness.fault()
    if fault is not None:
        raise Problem(fault.code if isinstance(fault, Unavailable) else "not_ready")
    return web.json_response({"status": "ready"})


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
    return web.Response(body=parts.metrics.text().encode(), headers={"Content-Type": CONTENT_TYPE})
