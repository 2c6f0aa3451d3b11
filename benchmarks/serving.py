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
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.numbers import samples
from server.commands.demo import free_port
from server.cpus import allowed
from server.settings.load import child_environ

ROOT = Path(__file__).resolve().parents[1]
CLIENT = "bench"
MODULE = "server.commands.main"
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
    data_dir: Path

    def log(self) -> str:
        """Everything that it has logged so far."""
        return self.log_file.read_text("utf-8")

    def metrics(self) -> dict[str, float]:
        """Its counters now."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            return samples(answer.read().decode())

    def cpu_s(self) -> float:
        """User and system time of the process and its children so far, seconds."""
        return sum(map(cpu_s, tree(self.pid)))

    def rss_mb(self) -> float:
        """Resident memory of both, 10^6 bytes; shared libraries count in full in each."""
        return sum(map(_rss_mb, tree(self.pid)))


def tree(pid: int) -> list[int]:
    """A process and what it started, as far as they live."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def cpu_s(pid: int) -> float:
    """User and system time of a process and of its dead children; 0 if it is gone."""
    try:
        # After the command's name, which may hold anything: fields 14 to 17.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def _rss_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def machine_busy_s() -> float:
    """CPU seconds that all cores together have not been idle, stolen time included."""
    numbers = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    return (sum(numbers) - numbers[3] - numbers[4]) / TICKS


def end_when_told() -> None:
    """Let SIGTERM end the process as Ctrl-C does, also where it was started in the background and
    SIGINT is ignored: asyncio.run cancels its task then, which ends what it started. An exception
    out of a handler would leave callers behind that wait for each other."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


@contextmanager
def serving(
    folder: Path,
    models_dir: Path | None = None,
    *,
    root: Path = ROOT,
    module: str = MODULE,
    arguments: Sequence[str] = (),
    cores: Collection[int] = (),
    **settings: str,
) -> Iterator[Server]:
    """`lookgate serve` on loopback with a client `bench`, and other settings than the defaults
    where given.

    `root` is the working tree whose code runs; `module` is run in place of the command;
    `arguments` follow `serve`; `cores` are those that it may use, all of ours without.

    Raises ServerFailed.
    """
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
    if root != ROOT:
        environ["PYTHONPATH"] = str(root)
    environ.setdefault("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-m", MODULE]
    added = subprocess.run(
        [*command, "client", "add", CLIENT, "--origin", origin],
        env=environ, cwd=root, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    secrets = [line.split()[1] for line in added.stdout.splitlines() if line[:7] == "secret "]
    if not secrets:
        raise ServerFailed(added.stderr.strip())
    log_file = folder / "server.log"
    with log_file.open("w") as log, _pinned(cores):
        process = subprocess.Popen(
            [sys.executable, "-m", module, "serve", *arguments],
            env=environ, cwd=root, stderr=log, stdout=log,
        )  # fmt: skip
    try:
        _wait_ready(url, process, log_file)
        yield Server(url, secrets[0], origin, process.pid, log_file, folder / "data")
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        if process.returncode is None:
            process.kill()
            process.wait()


@contextmanager
def _pinned(cores: Collection[int]) -> Iterator[None]:
    """What is started meanwhile has these cores: affinity is inherited (sched_setaffinity(2))."""
    ours = allowed()
    try:
        if cores:
            os.sched_setaffinity(0, cores)
        yield
    finally:
        os.sched_setaffinity(0, ours)


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
