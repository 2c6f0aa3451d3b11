"""Keys and widget, for everybody."""

from __future__ import annotations

from tests.server.http.asking import Http


async def test_the_widget_may_be_loaded_by_any_page(http: Http) -> None:
    async with http.get("/web/face-login.js") as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "javascript" in response.headers["Content-Type"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_keys_are_published(http: Http) -> None:
    async with http.get("/.well-known/jwks.json") as response:
        (key,) = (await response.json())["keys"]
    assert key["alg"] == "ES256"
    assert "d" not in key
