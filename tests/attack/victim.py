"""A server process to attack: the real `serve`, with a look that needs no nets.

`python -m tests.attack.victim DESCRIPTORS` prints its URL once logins work. Settings come from the
environment, as for `lookgate serve`.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.frame import Frame
from pipeline.nets.embed import SFACE
from pipeline.observation import Ask, Observation
from server import app, log
from server.settings.load import child_environ, load
from tests.pipeline.observations import Camera

ROOT = Path(__file__).parents[2]
DESCRIPTORS = 1024
"""What a process may have open on most systems."""


@dataclass(frozen=True, slots=True)
class Victim:
    """A running one."""

    url: str
    port: int
    pid: int
    log: Path
    """What it has logged so far."""

    def cpu_s(self) -> float:
        """CPU seconds that it has used (proc(5), stat: utime and stime)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        """How many files it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))


@asynccontextmanager
async def victim(folder: Path, **changed: str) -> AsyncIterator[Victim]:
    """A server of its own in `folder`, stopped at the end."""
    environ = child_environ(
        data_dir=str(folder),
        host="0.0.0.0",
        port="0",
        rtc_addresses="127.0.0.1",
        log_format="json",
        **changed,
    )
    told = folder / "log"
    with told.open("wb") as err:
        run = [sys.executable, "-m", "tests.attack.victim", str(DESCRIPTORS)]
        process = await asyncio.create_subprocess_exec(
            *run, cwd=ROOT, env=environ, stdout=asyncio.subprocess.PIPE, stderr=err
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(60):
                url = (await process.stdout.readline()).decode().strip()
            assert url, told.read_text()
            yield Victim(url, int(url.rpartition(":")[2]), process.pid, told)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def main() -> None:
    """Serve."""
    most = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    camera = Camera()

    def look(frame: Frame, ask: Ask) -> Observation:
        time.sleep(0.005)  # about as long as nets take in their pool
        return camera.shot(ask)

    app.load_see = lambda *_: (look, SFACE)
    settings = load()
    log.set_up(style=settings.log_format, level=settings.log_level)
    asyncio.run(app.serve(settings, on_started=lambda url: print(url, flush=True)))


if __name__ == "__main__":
    main()
