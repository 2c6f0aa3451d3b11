"""Anybody may read these from any page: the keys that tokens are checked with, the description of
this interface, the widget's files.

Not here: making keys (server/keys/keyring.py), the description (openapi.py). Source:
docs/protocol.md, "HTTP"; RFC 7517 (JWKS).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from gzip import compress
from pathlib import Path

import brotli
from aiohttp import web

from server.http.openapi import describe
from server.http.requests import opened_parts
from server.keys.keyring import JWKS_MAX_AGE_S
from server.problems import Problem

WIDGET_DIR = Path(__file__).parents[2] / "web" / "widget"
_TYPES = {".js": "text/javascript", ".css": "text/css"}
"""What is published of that folder (RFC 9239, RFC 2318)."""
BUILT_DIR = WIDGET_DIR / "built"
_HASHED = re.compile(r"-[A-Z0-9]{8}\.js")
"""A name that web/build.mjs made of the contents, so that they never change."""
_NEVER_AGAIN = "public, max-age=31536000, immutable"
"""A year is for ever (RFC 9111 section 1.2.2, RFC 8246)."""


@dataclass(frozen=True, slots=True)
class Text:
    """One that anybody may read, as it is and compressed."""

    kind: str
    body: bytes
    compressed: Mapping[str, bytes]
    """By content coding (RFC 9110 section 8.4.1, RFC 7932), the best first."""
    tag: str
    caching: str

    @classmethod
    def of(cls, kind: str, body: bytes, caching: str = "no-cache") -> Text:
        # Without a time within, so that every process sends the same bytes.
        smaller = {"br": brotli.compress(body), "gzip": compress(body, 9, mtime=0)}
        return cls(kind, body, smaller, hashlib.sha256(body).hexdigest()[:32], caching)


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
    """What `make widget` made of the widget, and its modules as they are; nothing else there."""
    # Found in a list and not asked of the file system, which has its own idea of names.
    file = _widget().get(request.match_info["file"])
    if file is None:
        raise Problem("not_found")
    return answer(request, file)


async def interface(request: web.Request) -> web.Response:
    """The description of all this. It holds nothing of this server, and needs nothing of it."""
    return answer(request, _interface())


@cache
def _interface() -> Text:
    return Text.of("application/json", json.dumps(describe(), ensure_ascii=False).encode())


@cache
def _widget() -> dict[str, Text]:
    """By the name below /web/. The module that pages load is the made one."""
    found = dict[str, Text]()
    for folder, below in (
        (WIDGET_DIR, ""),
        (WIDGET_DIR / "page", "page/"),
        (WIDGET_DIR / "texts", "texts/"),
        (WIDGET_DIR / "texts" / "more", "texts/more/"),
        (BUILT_DIR, ""),
    ):
        found |= {below + name: text for name, text in published_in(folder).items()}
    return found


@cache
def published_in(folder: Path) -> dict[str, Text]:
    """What anybody may read of a folder, by name: read and compressed once."""
    return {
        path.name: Text.of(
            _TYPES[path.suffix],
            path.read_bytes(),
            _NEVER_AGAIN if _HASHED.search(path.name) else "no-cache",
        )
        for path in folder.iterdir()
        if path.suffix in _TYPES
    }


def answer(request: web.Request, file: Text) -> web.Response:
    """A public text, or 304 to who has it already."""
    # Module scripts are fetched in CORS mode from the relying app's origin (HTML standard).
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": file.caching,
        # Weak (RFC 9110 section 8.8.1): the tag is that of the text, however it is sent.
        "ETag": f'W/"{file.tag}"',
        "Vary": "Accept-Encoding",
    }
    if any(known.value in (file.tag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    body = file.body
    taken = _codings(request)
    for coding, smaller in file.compressed.items():
        if coding in taken:
            headers["Content-Encoding"], body = coding, smaller
            break
    return web.Response(body=body, content_type=file.kind, charset="utf-8", headers=headers)


def _codings(request: web.Request) -> set[str]:
    """Those that the caller names and does not refuse (RFC 9110 section 12.5.3)."""
    found = set[str]()
    for one in request.headers.get("Accept-Encoding", "").lower().split(","):
        name, _, weight = one.partition(";")
        if re.fullmatch(r"\s*q=0(\.0*)?\s*", weight) is None:
            found.add(name.strip())
    return found
