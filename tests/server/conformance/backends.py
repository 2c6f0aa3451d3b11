"""The databases that the suite runs against: SQLite, SecantusDB over the wire, a real MongoDB.

SecantusDB is a subprocess on loopback, stopped by its pid: a test dependency, never shipped. What
it does not prove is written in test_mongo.py.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import bson
import pytest
from pymongo import AsyncMongoClient

from server.store.mongo.store import MongoStore
from server.store.port import Store
from server.store.sqlite.store import SqliteStore


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


class Backend:
    """A fresh, empty database. `store()` makes another Store on it, as another process would."""

    kind: str

    def __init__(self) -> None:
        self._opened: list[Store] = []

    def store(self) -> Store:
        """Not opened yet; closed at the end of the test."""
        store = self._make()
        self._opened.append(store)
        return store

    def _make(self) -> Store:
        raise NotImplementedError

    async def raw(self) -> bytes:
        """Every byte that is stored."""
        raise NotImplementedError

    async def destroy(self) -> None:
        for store in self._opened:
            await store.close()


class SqliteBackend(Backend):
    kind = "sqlite"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def _make(self) -> Store:
        return SqliteStore(self.path)

    async def raw(self) -> bytes:
        return b"".join(file.read_bytes() for file in self.path.parent.glob(self.path.name + "*"))


class MongoBackend(Backend):
    kind = "mongo"

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.name = f"lookgate_test_{secrets.token_hex(6)}"

    def _make(self) -> Store:
        return MongoStore(self.url, database=self.name)

    async def raw(self) -> bytes:
        found = []
        async with AsyncMongoClient(self.url) as client:
            db = client[self.name]
            for collection in await db.list_collection_names():
                found += [bson.encode(document) async for document in db[collection].find()]
        return b"".join(found)

    async def destroy(self) -> None:
        await super().destroy()
        async with AsyncMongoClient(self.url) as client:
            await client.drop_database(self.name)
