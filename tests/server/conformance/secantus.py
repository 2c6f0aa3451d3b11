"""SecantusDB, a server that speaks MongoDB's wire protocol: a test dependency, never shipped.

A subprocess on loopback, stopped by its pid. It is not MongoDB, so that it does not prove: failover
and elections, rollback of what a majority did not get, lock behaviour and conflicts under load,
which index the planner takes, when the TTL monitor runs, speed, sharding, authentication corner
cases, upgrades.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass
class Secantus:
    """One SecantusDB server on a free loopback port; it may be stopped and started again."""

    data_dir: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Return when it accepts connections."""
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        self.data_dir.mkdir(parents=True, exist_ok=True)
        command = [str(Path(sys.executable).with_name("secantusd-py"))]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--storage-path", str(self.data_dir / "db"), "--cache-size", "64M"]
        # Its inserts slow down with the length of the oplog.
        command += ["--oplog-max-entries", "1000", "--log-level", "ERROR"]
        with (self.data_dir / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.data_dir)
        deadline_s = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                self.stop()
                pytest.fail("SecantusDB did not start: " + (self.data_dir / "log").read_text())
            time.sleep(0.05)

    def stop(self) -> None:
        """Kill it: a crash. It takes seconds to end in good order, and its data are tests'."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def hang(self) -> None:
        """Return when every thread of it stands still; its connections stay open."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        # The signal is only sent by then: a loaded machine lets another thread answer meanwhile.
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
