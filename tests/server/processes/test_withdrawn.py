"""People are removed while they enrol over WebRTC, by whichever of two processes is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import encode_basic_auth

from server.commands.admin import Admin
from server.tools.caller.attempt import attempt
from tests.server.processes.several import KEY, Several, grey, several
from tests.server.stage import settings

Said = dict[str, Any]
MOMENTS: dict[str, Callable[[Said], bool]] = {
    "at the first word": lambda said: said["type"] == "welcome",
    "while it gathers": lambda said: said["type"] == "progress" and said["fraction"] > 0.2,
    "close to the end": lambda said: said["type"] == "progress" and said["fraction"] > 0.8,
}


async def _ask(found: Several, method: str, subject: str) -> Said:
    """Over a connection of its own, so that any process may answer."""
    headers = {"Authorization": encode_basic_auth("shop", found.secret)}
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, f"{found.url}/v1/subjects/{subject}", headers=headers) as response,
    ):
        assert response.status == 200
        told: Said = await response.json()
        return told


async def _enrol_until(
    found: Several, n: int, moment: Callable[[Said], bool]
) -> tuple[asyncio.Task[Any], list[Said]]:
    reached, heard = asyncio.Event(), list[Said]()

    def hear(said: Said) -> None:
        heard.append(said)
        if moment(said):
            reached.set()

    enrolment = asyncio.create_task(
        attempt(
            server_url=found.url,
            client_id="shop",
            secret=found.secret,
            purpose="enroll",
            subject=f"new{n}",
            video=grey(n),
            on_message=hear,
        )
    )
    async with asyncio.timeout(30):
        await reached.wait()
    return enrolment, heard


async def test_who_is_removed_while_enrolling_is_nowhere_and_hears_it(
    tmp_path: Path, store: dict[str, str]
) -> None:
    async with several(tmp_path, **store) as found:
        await found.until(lambda: found.ready(2))
        for n, moment in enumerate(MOMENTS.values()):
            enrolment, heard = await _enrol_until(found, n, moment)
            assert (await _ask(found, "DELETE", f"new{n}"))["removed"] in (0, 1)
            ended = await enrolment
            if ended.verdict["outcome"] != "accepted":
                assert [s["error"]["code"] for s in heard if s["type"] == "error"] == [
                    "session_over"
                ]
            assert (await _ask(found, "GET", f"new{n}"))["enrolled"] is False


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_the_operators_command_is_heard_as_well(
    tmp_path: Path, store: dict[str, str]
) -> None:
    given = {"rtc_addresses": "127.0.0.1", "master_key": KEY, **store}
    async with several(tmp_path, processes=1, **store) as found:
        await found.until(lambda: found.ready(1))
        enrolment, heard = await _enrol_until(found, 0, MOMENTS["at the first word"])
        async with Admin.of(settings(tmp_path, **given)) as admin:
            erased, _ = await admin.remove_subject("shop", "new0")
        assert erased["sessions"] == 1
        assert (await enrolment).verdict["outcome"] == "expired"
        assert [s["error"]["code"] for s in heard if s["type"] == "error"] == ["session_over"]
