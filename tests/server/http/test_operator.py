"""Metrics, for the operator only."""

from __future__ import annotations

from dataclasses import replace

from server.parts import Parts
from tests.server.http.asking import Http, code_of


async def test_metrics_are_for_this_machine_or_for_the_token(http: Http, parts: Parts) -> None:
    async with http.get("/metrics") as response:
        assert response.status == 200
        assert "lookgate_sessions_active 0" in await response.text()
    async with http.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}) as response:
        assert await code_of(response, 403) == "metrics_forbidden"
    parts.settings = replace(parts.settings, metrics_token="m" * 16)
    async with http.get("/metrics") as response:
        assert await code_of(response, 403) == "metrics_forbidden"
    headers = {"Authorization": f"Bearer {'m' * 16}", "X-Forwarded-For": "1.2.3.4"}
    async with http.get("/metrics", headers=headers) as response:
        assert response.status == 200
