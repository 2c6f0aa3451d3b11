"""A server in its own process, with its own folder and ports, and what the kernel tells of it.

Not here: what is asked of it (caller.py, browser.py). Source of the numbers: proc(5).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.numbers import samples
from server.commands.demo import free_port
from server.settings.load import child_environ

ROOT = Path(__file__).resolve().parents[1]
CLIENT = "bench"
START_S = 30.0
STOP_S = 12.0
TICKS = os.sysconf("SC_CLK_TCK")


class ServerFailed(Exception):
    """The server did not start, or went away."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running one."""

    url: str
    secret: str
    """The relying app's."""
    origin: str
    """The web origin that the relying app registered; its port is free for a page."""
    pid: int
    log_file: Path

    def log(self) -> str:
        """Everything that it has logged so far."""
        return self.log_file.read_text("utf-8")

    def metrics(self) -> dict[str, float]:
        """Its counters now."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            return samples(answer.read().decode())

    def cpu_s(self) -> float:
        """User and system time of the process so far, seconds."""
        # After the command's name, which may hold anything: fields 14 and 15.
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mb(self) -> float:
        """Resident memory, 10^6 bytes; shared libraries count in full."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def machine_busy_s() -> float:
    """CPU seconds that all cores together have not been idle, stolen time included."""
    numbers = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    return (sum(numbers) - numbers[3] - numbers[4]) / TICKS


@contextmanager
def serving(folder: Path, models_dir: Path | None = None, **settings: str) -> Iterator[Server]:
    """`lookgate serve` on loopback with a client `bench`, and other settings than the defaults
    where given. Raises ServerFailed."""
    port, page_port = free_port(), free_port()
    url, origin = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{page_port}"
    environ = child_environ(
        port=str(port),
        public_url=url,
        data_dir=str(folder / "data"),
        rtc_addresses="127.0.0.1",
        log_format="json",
        # All callers share one address and come faster than people.
        offer_rate="100",
        client_rate="100",
        **({} if models_dir is None else {"models_dir": str(models_dir)}),
        **settings,
    )
    environ["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", "server.commands.main"]
    added = subprocess.run(
        [*command, "client", "add", CLIENT, "--origin", origin],
        env=environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    secrets = [line.split()[1] for line in added.stdout.splitlines() if line[:7] == "secret "]
    if not secrets:
        raise ServerFailed(added.stderr.strip())
    log_file = folder / "server.log"
    with log_file.open("w") as log:
        process = subprocess.Popen([*command, "serve"], env=environ, stderr=log, stdout=log)
    try:
        _wait_ready(url, process, log_file)
        yield Server(url, secrets[0], origin, process.pid, log_file)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        if process.returncode is None:
            process.kill()
            process.wait()


def _wait_ready(url: str, process: subprocess.Popen[bytes], log_file: Path) -> None:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):
                return
        except OSError:  # nobody listens, or 503
            pass
        time.sleep(0.05)
    raise ServerFailed(f"the server did not start:\n{log_file.read_text('utf-8')[-2000:]}")
