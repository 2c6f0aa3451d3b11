"""What serves runs on uvloop, and on asyncio's own loop without it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from server import app, event_loop
from server.commands import main
from server.settings.load import Settings


async def running() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop has no wheel for Windows")
def test_uvloop_where_it_is_installed() -> None:
    assert event_loop.run(running()) == "uvloop"


def test_asyncios_own_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)  # `import` raises ImportError then
    assert event_loop.run(running()) == "asyncio"


def test_what_serves_runs_on_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran_on: list[str] = []

    async def serve(settings: Settings) -> None:
        ran_on.append(await running())

    monkeypatch.setattr(app, "serve", serve)
    monkeypatch.setenv("LOOKGATE_DATA_DIR", str(tmp_path))
    assert main.main(["serve"]) == 0
    assert ran_on == ["asyncio" if event_loop.factory() is None else "uvloop"]
