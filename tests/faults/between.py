"""Between a server and its MongoDB: what is sent is handed on, late, or writes are refused.

Not here: a database that stands still or is gone (tests/attack/test_database_stops.py). Source: the
MongoDB wire protocol (OP_MSG).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import Any

import bson

from tests.faults.steps import WRITES

OP_MSG = 2013
HEADER = struct.Struct("<iiii")
"""Length, request, the request that is answered, kind of message."""


class Between:
    """A proxy on a free port of this machine."""

    def __init__(self, port: int) -> None:
        """`port`: of the database."""
        self._to = port
        self.wait_s = 0.0
        """Before each answer of the database is handed on."""
        self.refusal: dict[str, Any] | None = None
        """What writes are answered with in the place of the database."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, page: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        database: asyncio.StreamWriter | None = None
        try:
            told, database = await asyncio.open_connection("127.0.0.1", self._to)
            async with asyncio.TaskGroup() as group:
                back = group.create_task(self._back(told, answers))
                await self._forth(page, database, answers)
                back.cancel()
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            for end in (answers, database):
                if end is not None:
                    end.close()

    async def _forth(
        self,
        page: asyncio.StreamReader,
        database: asyncio.StreamWriter,
        answers: asyncio.StreamWriter,
    ) -> None:
        while True:
            message = await _message(page)
            _, number, _, kind = HEADER.unpack_from(message)
            if self.refusal is not None and kind == OP_MSG and _command(message) in WRITES:
                body = bytes(5) + bson.encode({"ok": 0.0, **self.refusal})
                answers.write(HEADER.pack(16 + len(body), 0, number, OP_MSG) + body)
                continue
            database.write(message)

    async def _back(self, told: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                message = await _message(told)
                await asyncio.sleep(self.wait_s)
                answers.write(message)
        answers.close()


async def _message(stream: asyncio.StreamReader) -> bytes:
    head = await stream.readexactly(HEADER.size)
    return head + await stream.readexactly(HEADER.unpack(head)[0] - HEADER.size)


def _command(message: bytes) -> str:
    """The first member of the first document: behind the header four bytes of flags and a kind."""
    at = HEADER.size + 5
    (size,) = struct.unpack_from("<i", message, at)
    return next(iter(bson.decode(message[at : at + size])), "")
