"""Anybody may read these from any page: the keys that tokens are checked with, the widget's files.

Not here: making keys (server/keys/keyring.py). Source: docs/protocol.md, "HTTP"; RFC 7517 (JWKS).
"""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from server.http.requests import opened_parts
from server.problems import Problem

WIDGET_DIR = Path(__file__).parents[2] / "web" / "widget"


async def jwks(request: web.Request) -> web.Response:
    """The published keys. Anybody may read them, from any page."""
    parts = opened_parts(request)
    return web.json_response(
        await parts.keyring.jwks(parts.now()),
        headers={"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"},
    )


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
