"""The caps that hold attackers off let an office in: 30 people, one address, the same moment."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from server.commands.admin import Admin
from server.tools.caller.rtc_caller import Caller
from tests.attack.people import Person
from tests.attack.victim import victim
from tests.server.stage import settings

PEOPLE = 30
FILES = ("face-login", "connection", "protocol", "state", "style", "texts")
"""As many modules of the widget as a browser fetches at a time (6 connections a host)."""


async def test_thirty_people_of_one_office_log_in_at_once(tmp_path: Path) -> None:
    caller = await Caller.offer(iter(()), on_message=lambda _: None)
    async with Admin.of(settings(tmp_path)) as admin:
        secret = await admin.add_client("shop")
    # With so many threads nobody waits for the machine's sake.
    async with victim(tmp_path, max_sessions=str(PEOPLE), workers="16") as found:
        url = f"http://127.0.0.1:{found.port}"
        people = [Person(url, secret, f"person{n}", "127.0.3.1") for n in range(PEOPLE)]

        async def load(file: str) -> int:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(local_addr=("127.0.3.1", 0))
                ) as http,
                http.get(f"{url}/web/{file}.js") as response,
            ):
                await response.read()
                return response.status

        loaded = await asyncio.gather(*(load(file) for file in FILES for _ in people))
        answered = await asyncio.gather(*(one.offer(caller.offer_sdp) for one in people))
        await asyncio.gather(*(one.close() for one in people))
    await caller.close()
    assert set(loaded) == {200}
    assert [status for status, _ in answered] == [200] * PEOPLE
