"""Anybody may read these from any page: the keys that tokens are checked with, the description of
this interface, the widget's files.

Not here: making keys (server/keys/keyring.py), the description (openapi.py). Source:
docs/protocol.md, "HTTP"; RFC 7517 (JWKS).
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from aiohttp import web

from server.http.openapi import describe
from server.http.requests import opened_parts
from server.keys.keyring import JWKS_MAX_AGE_S
from server.problems import Problem

WIDGET_DIR = Path(__file__).parents[2] / "web" / "widget"
_TYPES = {".js": "text/javascript", ".css": "text/css"}
"""What is published of that folder (RFC 9239, RFC 2318)."""


async def jwks(request: web.Request) -> web.Response:
    """The published keys. Anybody may read them, from any page."""
    parts = opened_parts(request)
    return web.json_response(
        await parts.keyring.jwks(parts.now()),
        headers={
            "Cache-Control": f"public, max-age={JWKS_MAX_AGE_S}",
            "Access-Control-Allow-Origin": "*",
        },
    )


async def widget(request: web.Request) -> web.Response:
    """The widget's modules, nothing else of that folder."""
    name = request.match_info["file"]
    # Found in a list and not asked of the file system, which has its own idea of names.
    path = _modules().get(name)
    if path is None:
        raise Problem("not_found")
    return tagged(request, path.read_bytes(), _TYPES[path.suffix])


async def interface(request: web.Request) -> web.Response:
    """The description of all this. It holds nothing of this server, and needs nothing of it."""
    return tagged(request, _interface(), "application/json")


@cache
def _interface() -> bytes:
    return json.dumps(describe(), ensure_ascii=False).encode()


def tagged(request: web.Request, body: bytes, kind: str) -> web.Response:
    """A public text, or 304 to who has it already."""
    tag = hashlib.sha256(body).hexdigest()[:32]
    # Module scripts are fetched in CORS mode from the relying app's origin (HTML standard).
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "no-cache",
        "ETag": f'"{tag}"',
    }
    if any(known.value in (tag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)


def _modules() -> dict[str, Path]:
    return {path.name: path for path in WIDGET_DIR.iterdir() if path.suffix in _TYPES}
