"""Nothing is at any other address."""

from __future__ import annotations

import pytest
from yarl import URL

from tests.server.http.asking import Http, code_of


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
    ],
)
async def test_nothing_else_is_there(
    http: Http, method: str, path: str, status: int, code: str
) -> None:
    async with http.request(method, URL(path, encoded=True)) as response:
        assert await code_of(response, status) == code
