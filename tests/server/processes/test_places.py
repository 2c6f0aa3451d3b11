"""The places of several processes are those of one server: counted once, freed with their owner."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import encode_basic_auth

from tests.server.processes.several import NOBODY, Busy, Several, several

ROOMY = {"workers": "4"}
"""So many threads that only MAX_SESSIONS bounds these tests."""


class Guests:
    """People who show no face, and so stay for as long as a session may last."""

    def __init__(self, found: Several) -> None:
        self.found = found
        self.tasks: list[asyncio.Task[Any]] = []

    async def come(self, n: int) -> asyncio.Task[Any]:
        """One more, who is in once this returns. Raises Busy."""
        welcome = asyncio.Event()
        task = asyncio.create_task(
            self.found.attempt(n, on_message=lambda _: welcome.set(), shade=NOBODY)
        )
        self.tasks.append(task)
        entered = asyncio.create_task(welcome.wait())
        await asyncio.wait((task, entered), return_when=asyncio.FIRST_COMPLETED)
        if not welcome.is_set():
            entered.cancel()
            await task
        return task

    async def leave(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@asynccontextmanager
async def guests(found: Several) -> AsyncIterator[Guests]:
    made = Guests(found)
    try:
        yield made
    finally:
        await made.leave()


async def test_four_places_in_two_processes_hold_four_people(
    tmp_path: Path, store: dict[str, str]
) -> None:
    async with several(tmp_path, people=7, max_sessions="4", **ROOMY, **store) as found:
        await found.until(lambda: found.ready(2))
        async with guests(found) as those:
            for n in range(4):
                await those.come(n)
            with pytest.raises(Busy):
                await those.come(4)
            victim, other = found.children()
            os.kill(victim, signal.SIGKILL)

            async def left() -> bool:
                return (await found.metrics())["lookgate_sessions_active"] == 2

            # The sessions of the one are over, and their places free at once; the others go on.
            await found.until(left)
            assert other in found.children()
            assert not [task for task in those.tasks[:4] if task.done() and not task.exception()]
            for n in (4, 5):
                await those.come(n)
            with pytest.raises(Busy):
                await found.attempt(6)


async def test_nobody_is_sent_away_while_processes_are_replaced(
    tmp_path: Path, store: dict[str, str]
) -> None:
    people = 20
    async with several(tmp_path, people=people, max_sessions="8", **ROOMY, **store) as found:
        await found.until(lambda: found.ready(2))
        before = found.children()
        errors: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            if message["type"] == "error":
                errors.append(message["error"]["code"])

        async def come(n: int) -> str:
            await asyncio.sleep(0.2 * n)
            return str((await found.login(n, on_message=hear)).verdict["outcome"])

        coming = asyncio.gather(*(come(n) for n in range(people)))
        await asyncio.sleep(0.5)
        os.kill(found.pid, signal.SIGHUP)
        outcomes = await coming
        await found.until(lambda: not set(before) & set(found.children()))
        await found.until(lambda: found.ready(2))
        assert (outcomes, errors) == (["accepted"] * people, [])
        assert (await found.metrics())["lookgate_process_restarts_total"] == 0


async def test_a_limit_is_one_limit_whichever_process_is_asked(tmp_path: Path) -> None:
    async with several(tmp_path, client_rate="0.5") as found:
        await found.until(lambda: found.ready(2))
        headers = {"Authorization": encode_basic_auth("shop", found.secret)}

        async def ask() -> int:
            connector = aiohttp.TCPConnector(force_close=True)
            async with (
                aiohttp.ClientSession(connector=connector, headers=headers) as http,
                http.get(f"{found.url}/v1/sessions/x") as response,
            ):
                return response.status

        statuses = await asyncio.gather(*(ask() for _ in range(20)))
        # Three at once, and one more if this took two seconds.
        assert 3 <= statuses.count(404) <= 4
        assert statuses.count(404) + statuses.count(429) == 20


async def test_a_process_that_stands_still_gets_nobody(tmp_path: Path) -> None:
    async with several(tmp_path, people=4, **ROOMY) as found:
        await found.until(lambda: found.ready(2))
        still = found.children()[0]
        os.kill(still, signal.SIGSTOP)
        try:

            async def one_takes() -> bool:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(5):  # who stands still takes connections, too
                        return (await found.metrics())["lookgate_processes"] == 1
                return False

            await found.until(one_takes)
        finally:
            os.kill(still, signal.SIGCONT)
        await found.until(lambda: found.ready(2))
        assert still in found.children()


async def test_who_asks_a_supervisor_that_stands_still_is_refused(tmp_path: Path) -> None:
    async with several(tmp_path, people=1, **ROOMY) as found:
        await found.until(lambda: found.ready(2))
        os.kill(found.pid, signal.SIGSTOP)
        try:
            headers = {"Authorization": encode_basic_auth("shop", found.secret)}
            async with (
                aiohttp.ClientSession(headers=headers) as http,
                http.get(f"{found.url}/v1/sessions/x") as response,
            ):
                assert response.status == 503
                assert (await response.json())["error"]["code"] == "busy"
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, signal.SIGCONT)
            await found.until(lambda: found.ready(2))
            assert (await found.login(0)).verdict["outcome"] == "accepted"
        finally:
            os.kill(found.pid, signal.SIGCONT)
