"""SIGTERM ends a benchmark in the way in which Ctrl-C does."""

from __future__ import annotations

import signal
import subprocess
import sys

PROGRAM = """
import asyncio
from benchmarks.serving import end_when_told

async def caller():
    try:
        await asyncio.sleep(600)
    finally:
        print("ended", flush=True)

async def main():
    calls = asyncio.gather(caller(), caller())
    await asyncio.sleep(0)
    print("started", flush=True)
    await calls

end_when_told()
asyncio.run(main())
"""


def test_what_was_started_is_ended_although_the_shell_ignores_interrupts() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.terminate()
    told, _ = process.communicate(timeout=60)
    assert told == "ended\nended\n"
    assert process.returncode == -signal.SIGINT
