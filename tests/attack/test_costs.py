"""Nothing that a stranger sends costs more than 10 ms before credentials are checked (CWE-405)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from aiohttp import encode_basic_auth

from tests.attack.victim import victim

MOST_MS = 10.0
TIMES = 30
OFFER = f"/v1/sessions/{'a' * 43}/offer"
BEARER = f"Authorization: Bearer {'a' * 43}\r\n"
BASIC = f"Authorization: {encode_basic_auth('shop', 'x' * 300)}\r\n"
LARGE = json.dumps({"type": "offer", "sdp": "x" * 120_000})
DEEP = "[" * 120_000


def _request(first: str, headers: str = "", body: str = "") -> str:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"{first} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}{length}\r\n"
    return head + body


HEADERS = "".join(f"H{n}: {'a' * 3000}\r\n" for n in range(120))
PROXIES = f"X-Forwarded-For: {'1.2.3.4,' * 900}\r\n"
SENT = {
    "a large offer": _request(f"POST {OFFER}", BEARER, LARGE),
    "a deep offer": _request(f"POST {OFFER}", BEARER, DEEP),
    "a large session": _request("POST /v1/sessions", BASIC, LARGE),
    "many headers": _request(
        "GET /healthz", "".join(f"H{n}: {'a' * 3000}\r\n" for n in range(120))
    ),
    "a long address": _request(f"GET /web/{'%41' * 2600}.js"),
    "many proxies": _request(
        "POST /v1/sessions", f"{BASIC}X-Forwarded-For: {'1.2.3.4,' * 900}\r\n"
    ),
    "many cookies": _request("POST /v1/sessions", f"{BASIC}Cookie: {'a=b; ' * 1500}\r\n"),
    "keys": _request("GET /.well-known/jwks.json"),
    "readiness": _request("GET /readyz"),
    "metrics": _request("GET /metrics"),
    "the widget": _request("GET /web/face-login.js"),
}


async def _answered(port: int, sent: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent.encode())
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_nothing_costs_much_before_credentials(tmp_path: Path) -> None:
    took_ms = {}
    async with victim(tmp_path, offer_rate="1000") as found:
        for name, sent in SENT.items():
            before_s = found.cpu_s()
            for _ in range(TIMES):
                assert (await _answered(found.port, sent)).startswith(b"HTTP/1.1 ")
            took_ms[name] = 1000 * (found.cpu_s() - before_s) / TIMES
    assert {name: ms for name, ms in took_ms.items() if ms > MOST_MS} == {}
