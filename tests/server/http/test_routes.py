"""Nothing is at any other address."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from yarl import URL

from server.parts import Parts
from tests.server.http.asking import AUTH, Http, code_of


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/sessions", 405, "method_not_allowed"),
        ("PUT", "/healthz", 405, "method_not_allowed"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/web/nothing.js", 404, "not_found"),
        ("GET", "/web/__init__.py", 404, "not_found"),
        ("GET", "/web/..%2Fserver%2Fapp.py", 404, "not_found"),
        ("GET", "/web/tsconfig.json", 404, "not_found"),
        ("GET", "/web/demo/app.py", 404, "not_found"),
        ("GET", "/web/" + "a" * 300 + ".js", 404, "not_found"),  # longer than a file's name may be
        ("GET", "/web/%00.js", 404, "not_found"),
        ("GET", "/web/face-login.js%00.css", 404, "not_found"),
        ("GET", "/web/%ED%A0%80.js", 404, "not_found"),
        ("GET", "/web/%ff.js", 404, "not_found"),
        ("GET", "/web/..js", 404, "not_found"),
        ("GET", "/web/%C3%A9.js", 404, "not_found"),
        ("GET", "/%00", 404, "not_found"),
        ("GET", "/%ED%A0%80", 404, "not_found"),
        ("GET", "//", 404, "not_found"),
        ("POST", "/v1/sessions/%00/offer", 401, "ticket_invalid"),
        ("POST", "/v1/sessions/%ED%A0%80/offer", 401, "ticket_invalid"),
    ],
)
async def test_nothing_else_is_there(
    http: Http, method: str, path: str, status: int, code: str
) -> None:
    headers = {"Origin": "https://nobody.example"}
    async with http.request(method, URL(path, encoded=True), headers=headers) as response:
        assert await code_of(response, status) == code


@pytest.mark.parametrize("subject", ["a" * 300, "%00", "%ED%A0%80", "%ff", "a%2Fb", "%C3%A9"])
async def test_no_subject_is_a_bug(http: Http, subject: str) -> None:
    for method in ("GET", "DELETE"):
        url = URL(f"/v1/subjects/{subject}", encoded=True)
        async with http.request(method, url, headers=AUTH) as response:
            assert await code_of(response, 400) == "request_invalid"


STRANGE = b"\xff\xfe\xed\xa0\x80"


@pytest.mark.parametrize(
    ("method", "path", "name", "status"),
    [
        ("GET", "/metrics", "Authorization", 403),
        ("POST", "/v1/sessions", "Authorization", 401),
        ("POST", "/v1/sessions/x/offer", "Authorization", 401),
        ("POST", "/v1/sessions/x/offer", "Origin", 401),
        ("OPTIONS", "/v1/sessions/x/offer", "Origin", 405),
        ("POST", "/v1/sessions", "X-Forwarded-For", 401),
        ("GET", "/web/face-login.js", "If-None-Match", 200),
        ("GET", "/web/face-login.js", "Range", 200),
        ("GET", "/web/face-login.js", "If-Modified-Since", 200),
        ("POST", "/v1/sessions", "Content-Type", 401),
        ("GET", "/healthz", "Cookie", 200),
    ],
)
async def test_bytes_that_are_no_text_in_a_header_are_no_bug(
    parts: Parts, http: Http, method: str, path: str, name: str, status: int
) -> None:
    parts.settings = replace(parts.settings, metrics_token="t" * 20, proxy_hops=1)
    reader, writer = await asyncio.open_connection(http.host, http.port)
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{name}: "
    writer.write(head.encode() + STRANGE + b"\r\n\r\n")
    answered = await reader.read()
    writer.close()
    assert answered.split()[1] == str(status).encode()
