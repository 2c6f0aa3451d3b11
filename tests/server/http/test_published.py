"""Keys and widget, for everybody."""

from __future__ import annotations

from server.http import published
from tests.server.http.asking import Http


async def test_the_widget_may_be_loaded_by_any_page(http: Http) -> None:
    async with http.get("/web/face-login.js") as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "javascript" in response.headers["Content-Type"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert await response.text() == (published.WIDGET_DIR / "face-login.js").read_text()
        tag = response.headers["ETag"]
    for known, status in ((tag, 304), (f'"x", W/{tag}', 304), ("*", 304), ('"x"', 200)):
        headers = {"If-None-Match": known}
        async with http.get("/web/face-login.js", headers=headers) as response:
            assert response.status == status
            assert response.headers["ETag"] == tag
            assert bool(await response.read()) == (status == 200)
    async with http.get("/web/face-login.js", headers={"Range": "bytes=9999999-"}) as response:
        assert response.status == 200  # RFC 9110 section 14.2: a server may ignore it


async def test_the_keys_are_published(http: Http) -> None:
    async with http.get("/.well-known/jwks.json") as response:
        (key,) = (await response.json())["keys"]
    assert key["alg"] == "ES256"
    assert "d" not in key
