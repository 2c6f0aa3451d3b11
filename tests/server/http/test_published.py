"""Keys and widget, for everybody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from gzip import decompress as gunzip
from typing import Any

import aiohttp
import brotli
import jwt
import pytest

from server.http import published
from server.keys.keyring import LEAST_OVERLAP_S
from server.parts import Parts
from tests.server.http.asking import Http


async def test_the_widget_may_be_loaded_by_any_page(http: Http) -> None:
    async with http.get("/web/face-login.js") as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "javascript" in response.headers["Content-Type"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert await response.text() == (published.BUILT_DIR / "face-login.js").read_text()
        tag = response.headers["ETag"]
    same = (tag, f'"x", {tag}', tag.removeprefix("W/"), "*")
    for known, status in (*((one, 304) for one in same), ('"x"', 200)):
        headers = {"If-None-Match": known}
        async with http.get("/web/face-login.js", headers=headers) as response:
            assert response.status == status
            assert response.headers["ETag"] == tag
            assert bool(await response.read()) == (status == 200)
    async with http.get("/web/face-login.js", headers={"Range": "bytes=9999999-"}) as response:
        assert response.status == 200  # RFC 9110 section 14.2: a server may ignore it


BROWSER = "gzip, deflate, br, zstd"
"""What browsers take on a secure page, and others have no camera."""


async def _wire(http: Http, path: str, coding: str) -> tuple[bytes, Mapping[str, str]]:
    """As it came, not decompressed."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        url = f"http://{http.host}:{http.port}{path}"
        async with session.get(url, headers={"Accept-Encoding": coding}) as response:
            assert response.status == 200
            return await response.read(), response.headers


async def test_a_login_is_two_requests_and_sixteen_kilobytes_on_the_wire(http: Http) -> None:
    entry, _ = await _wire(http, "/web/face-login.js", BROWSER)
    source = brotli.decompress(entry).decode()
    assert re.findall(r"from ?\"(?!\./chunk-)", source) == []
    (chunk,) = re.findall(r"from ?\"\./(chunk-[A-Z0-9]{8}\.js)\"", source)
    rest, headers = await _wire(http, f"/web/{chunk}", BROWSER)
    assert "from" not in re.findall(r"\bimport\b.{0,40}", brotli.decompress(rest).decode())
    assert len(entry) + len(rest) <= 16_000
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for later in re.findall(r"import\(\"\./([\w.-]+)\"\)", source):
        body, headers = await _wire(http, f"/web/{later}", BROWSER)
        assert "immutable" in headers["Cache-Control"]
        assert len(body) <= 3_000, later


@pytest.mark.parametrize(
    ("coding", "sent"),
    [
        ("gzip", "gzip"),
        ("br, gzip;q=0.5", "br"),
        ("BR;q=0, gzip", "gzip"),
        ("gzip;q=0", None),
        ("", None),
        ("zstd", None),
    ],
)
async def test_it_is_compressed_for_who_takes_that(
    http: Http, coding: str, sent: str | None
) -> None:
    body, headers = await _wire(http, "/web/face-login.js", coding)
    assert headers["Vary"] == "Accept-Encoding"
    assert headers.get("Content-Encoding") == sent
    plain = (published.BUILT_DIR / "face-login.js").read_bytes()
    opened = {"gzip": gunzip, "br": brotli.decompress, None: bytes}[sent]
    assert opened(body) == plain


async def test_the_modules_can_be_had_one_by_one(http: Http) -> None:
    for name in ("element.js", "texts.js", "texts/de.js"):
        body, headers = await _wire(http, f"/web/{name}", "")
        assert body == (published.WIDGET_DIR / name).read_bytes()
        assert headers["Cache-Control"] == "no-cache"
    for name in ("globals.d.ts", "texts/xx.js", "texts/", "../build.mjs", "built/face-login.js"):
        async with http.get(f"/web/{name}") as response:
            assert response.status == 404, name


async def test_the_keys_are_published(http: Http) -> None:
    async with http.get("/.well-known/jwks.json") as response:
        keys = (await response.json())["keys"]
    assert [(key["alg"], key["kty"]) for key in keys] == [("ES256", "EC"), ("RS256", "RSA")]
    private = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}  # RFC 7518 sections 6.2.2 and 6.3.2
    assert not any(private & set(key) for key in keys)


async def _published(http: Http) -> tuple[set[str], float]:
    """The ids of the keys, and how long anybody may keep them, as the headers say."""
    async with http.get("/.well-known/jwks.json") as response:
        kids = {key["kid"] for key in (await response.json())["keys"]}
        (max_age_s,) = re.findall(r"max-age=(\d+)", response.headers["Cache-Control"])
    return kids, float(max_age_s)


async def _signing(parts: Parts) -> str:
    """The id of the key that signs now."""
    now = parts.now()
    token = await parts.keyring.mint(
        **dict.fromkeys(("subject", "client_id", "nonce", "session_id"), "x" * 16),
        purpose="login",
        acr="passive",
        liveness=["passive"],
        auth_time=now,
        now=now,
    )
    return str(jwt.get_unverified_header(token)["kid"])


async def test_a_new_key_signs_once_no_cache_can_hold_the_set_without_it(
    http: Http, parts: Parts
) -> None:
    """A cache that keeps the set for as long as our headers allow never meets an unknown key."""
    clock: Any = parts.clock
    cached, fresh_until_s = set[str](), clock.s
    old = await _signing(parts)
    clock.s += 7.0
    new, signs_after_s, began_s = "", None, clock.s
    while clock.s < began_s + LEAST_OVERLAP_S + 120:
        if clock.s >= fresh_until_s:
            cached, max_age_s = await _published(http)
            fresh_until_s = clock.s + max_age_s
        if not new:  # just after the cache has taken the set: the longest wait
            overlap = timedelta(seconds=LEAST_OVERLAP_S)
            new = (await parts.keyring.rotate(parts.now(), overlap))["ES256"]
        kid = await _signing(parts)
        assert kid in cached, clock.s - began_s
        assert kid in (await _published(http))[0]
        if kid == new and signs_after_s is None:
            signs_after_s = clock.s - began_s
        clock.s += 1.0
    assert signs_after_s is not None
    assert signs_after_s >= max_age_s
    assert old not in (await _published(http))[0]


async def test_without_an_overlap_caches_are_wrong_for_as_long_as_the_headers_say(
    http: Http, parts: Parts
) -> None:
    """What docs/operations.md says of `keys rotate --overlap-s 0`."""
    cached, max_age_s = await _published(http)
    assert max_age_s == 300
    new = await parts.keyring.rotate(parts.now(), timedelta(0))
    assert await _signing(parts) == new["ES256"]
    assert (await _published(http))[0] == set(new.values())
    assert not cached & set(new.values())
