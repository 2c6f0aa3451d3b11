"""FerretDB over PostgreSQL, a second server of MongoDB's protocol that nobody here wrote.

Built with Go from the module proxy at the sums of tests/peers/ferretdb/go.sum, into build/; a
PostgreSQL cluster of its own in a temporary folder, with a Unix socket and no port. Not here: what
FerretDB lacks (tests/server/conformance/conftest.py).
Source: docs.ferretdb.io/v1.24, postgresql.org/docs (initdb, postgres).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.peers.tools import free_port, tool, unprivileged

SOURCE = Path(__file__).with_name("ferretdb")
BUILT = Path(__file__).parents[2] / "build" / "peers" / "ferretdb"
GO = (1, 22)
"""What FerretDB 1.24 asks for."""
BUILD_S = 280.0
"""A first build took 55 s of two cores; 6 minutes are what a peer has."""
START_S = 60.0


@dataclass(frozen=True, slots=True)
class FerretDB:
    """A running one."""

    url: str


@pytest.fixture(scope="session")
def ferretdb() -> Iterator[FerretDB]:
    """Shared by all tests; each has a database of its own in it."""
    with contextlib.ExitStack() as stack:
        postgres_url = stack.enter_context(_postgres())
        yield stack.enter_context(serving(build(), postgres_url))


def build() -> Path:
    """The program; a skip where it cannot be built."""
    go = tool("go")
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    found = re.match(r"go(\d+)\.(\d+)", version.stdout)
    if found is None or (int(found[1]), int(found[2])) < GO:
        pytest.skip(f"FerretDB needs Go {GO[0]}.{GO[1]}, and {version.stdout.strip()} is here")
    environ = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"}
    fetched = subprocess.run(
        [go, "mod", "download"],
        cwd=SOURCE,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_S,
    )
    if fetched.returncode != 0:
        pytest.skip(f"FerretDB's modules cannot be fetched: {fetched.stderr.strip()[-300:]}")
    BUILT.parent.mkdir(parents=True, exist_ok=True)
    command = [go, "build", "-trimpath", "-o", str(BUILT), "."]
    subprocess.run(command, cwd=SOURCE, env=environ, check=True, timeout=BUILD_S)
    return BUILT


@contextlib.contextmanager
def _postgres() -> Iterator[str]:
    """A cluster with one empty database; its URL."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin: int(bin.parent.name)
    )
    where = str(versions[-1]) if versions else ""
    initdb, postgres = tool("initdb", where=where), tool("postgres", where=where)
    user: dict[str, Any] = unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="lookgate-postgres-"))
    try:
        if user:
            os.chown(folder, user["user"], user["group"])
        calm = {"cwd": folder, "env": {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}, **user}
        command = [initdb, "-D", "data", "-U", "lookgate", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=START_S, **calm)
        command = [postgres, "-D", "data", "-k", str(folder), "-c", "listen_addresses="]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, **calm)
        try:
            _wait(folder / ".s.PGSQL.5432", server, folder / "log")
            # The database `postgres` comes with the cluster and is empty.
            yield f"postgres://lookgate@localhost/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: its data are tests'
            server.wait(START_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def serving(
    program: Path, postgres_url: str, *, host: str = "127.0.0.1", before: tuple[str, ...] = ()
) -> Iterator[FerretDB]:
    """The program on a free port. `before`: a command that runs it somewhere else."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="lookgate-ferretdb-"))
    command = [*before, str(program), f"{host}:{port}", postgres_url]
    try:
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            if not before:
                _wait((host, port), server, folder / "log")
            yield FerretDB(f"mongodb://{host}:{port}/")
        finally:
            server.terminate()
            server.wait(START_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(address: Path | tuple[str, int], server: subprocess.Popen[bytes], log: Path) -> None:
    """Return when it accepts connections."""
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    deadline_s = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError), socket.socket(family) as tried:
            tried.settimeout(1)
            tried.connect(str(address) if isinstance(address, Path) else address)
            return
        if server.poll() is not None or time.monotonic() > deadline_s:
            pytest.fail(f"it did not start: {log.read_text('utf-8', 'replace')[-2000:]}")
        time.sleep(0.05)
