"""A server is killed between every two steps of a verdict: what is left agrees with itself.

Facts: docs/operations.md, "When something fails half-way".
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from server.store.mongo.store import MongoStore
from server.store.port import Store
from server.store.sqlite.store import SqliteStore
from tests.attack.verdict_steps import CASES, prepare, whole
from tests.server.conformance.secantus import Secantus

ROOT = Path(__file__).parents[2]
MOST_STEPS = 25


async def _dies(url: str, name: str, case: str, n: int) -> bool:
    """Whether the child was killed at its step `n`; False: it has fewer."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.attack.verdict_steps", url, name, case, str(n)), cwd=ROOT
    )
    status = await child.wait()
    assert status in (0, -signal.SIGKILL)
    return status != 0


async def _left(store: Store, case: str, *, first: str | None = None) -> str:
    """What another server finds, at its start and a minute later; one who asks before is told
    of nothing that may still change."""
    if first is not None:
        assert (await store.sessions.get("s1")).state in ("live", first)
    for _ in range(2):
        await store.endings.settle()
    state = await whole(store, case)
    assert await store.endings.settle() == 0
    return state


async def _all_steps(url: str, name: str, case: str, store: Store) -> list[str]:
    ends = []
    for n in range(1, MOST_STEPS):
        await prepare(store, case)
        killed = await _dies(url, name, case, n)
        ends.append(await _left(store, case, first="rejected" if case == "refuse" else "accepted"))
        await store.clients.remove("shop")
        if not killed:
            return ends
    raise AssertionError("there are more steps")


@pytest.mark.parametrize("case", CASES)
async def test_sqlite_killed_between_every_two_steps(tmp_path: Path, case: str) -> None:
    path = tmp_path / "store.sqlite3"
    store = SqliteStore(path)
    await store.open()
    ends = await _all_steps(str(path), "", case, store)
    await store.close()
    assert len(ends) >= 4
    _as_one_would_have_it(ends, case)


@pytest.mark.parametrize("case", CASES)
async def test_mongodb_killed_between_every_two_steps(secantus: Secantus, case: str) -> None:
    name = f"killed_{case}"
    store = MongoStore(secantus.url, database=name)
    await store.open()
    ends = await _all_steps(secantus.url, name, case, store)
    await store.close()
    assert len(ends) >= 4
    _as_one_would_have_it(ends, case)


def _as_one_would_have_it(ends: list[str], case: str) -> None:
    """Before the step that decides nothing was done, after it everything."""
    end = "rejected" if case == "refuse" else "accepted"
    decided = ends.index(end)
    assert ends == ["live"] * decided + [end] * (len(ends) - decided)
    assert decided > 0
