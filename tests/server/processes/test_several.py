"""A server of several processes, whole: one port, one count, who dies is started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from server.settings.load import child_environ
from server.tools.caller.http_caller import HeadlessError
from tests.server.processes.several import ROOT, Several, several

ACCEPTED = 'lookgate_sessions_total{purpose="login",outcome="accepted",reason=""}'


async def logins(found: Several, people: int) -> list[object]:
    """Outcomes of so many at once."""
    ended = await asyncio.gather(*(found.login(n) for n in range(people)), return_exceptions=True)
    return [
        one.code
        if isinstance(one, HeadlessError)
        else one
        if isinstance(one, BaseException)
        else one.verdict["outcome"]
        for one in ended
    ]


async def test_one_port_one_count_and_a_killed_process_is_replaced(
    tmp_path: Path, store: dict[str, str]
) -> None:
    async with several(tmp_path, people=6, max_sessions="8", **store) as found:
        await found.until(lambda: found.ready(2))
        assert await logins(found, 6) == ["accepted"] * 6

        async def counted() -> bool:
            return (await found.metrics()).get(ACCEPTED) == 6

        # Whichever process is asked.
        await found.until(counted)
        before = await found.metrics()
        assert (before["lookgate_processes"], before["lookgate_process_restarts_total"]) == (2, 0)
        victim, other = found.children()
        os.kill(victim, signal.SIGKILL)
        while len(found.children()) < 2 or victim in found.children():
            after = await found.metrics()
            for name in before:
                if name.endswith(("_total", "_count", "_sum")):
                    assert after.get(name, 0) >= before[name], name
            assert await found.get("/healthz") == (200, '{"status": "ok"}')
        assert other in found.children()
        await found.until(lambda: found.ready(2))
        after = await found.metrics()
        assert (after[ACCEPTED], after["lookgate_process_restarts_total"]) == (6, 1)
        assert await logins(found, 6) == ["accepted"] * 6
    told = [json.loads(line)["message"] for line in found.log.read_text().splitlines()]
    assert told.count("a process died") == 1
    assert not [line for line in told if "bug" in line]


def test_what_cannot_start_ends_with_2_and_is_told_once(tmp_path: Path) -> None:
    environ = child_environ(data_dir=str(tmp_path), models_dir=str(tmp_path / "none"), port="0")
    run = [sys.executable, "-m", "server.commands.main", "serve", "--processes", "2"]
    ended = subprocess.run(
        run, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    told = [line for line in ended.stderr.splitlines() if line.startswith("lookgate: ")]
    assert len(told) == 1


async def test_processes_stop_without_their_supervisor(tmp_path: Path) -> None:
    async with several(tmp_path) as found:
        await found.until(lambda: found.ready(2))
        children = found.children()
        os.kill(found.pid, signal.SIGKILL)
        await found.until(lambda: not any(map(alive, children)))


def alive(pid: int) -> bool:
    """Whether a process runs, zombies left out (proc(5), state)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
