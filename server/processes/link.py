"""Messages between two processes of one server: questions with a deadline, answers, and words.

A line of JSON a message, over a pair of Unix sockets. What is asked is answered or refused in time;
who gets no answer is told `Silent`, and never takes that for a yes. Not here: what the messages
say (supervisor.py, member.py). Source: JSON-RPC 2.0, whose calls and notifications these are;
unix(7).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from server.problems import Problem, Standing

MAX_MESSAGE_BYTES = 1024 * 1024
"""The largest is a process's counters: some 20 KB."""
MAX_UNREAD_BYTES = 4 * MAX_MESSAGE_BYTES
"""Somebody who leaves so much unread reads no more."""
MAX_OPEN = 4096
"""Questions that may wait for an answer: the HTTP connections of a process are fewer."""

Body = dict[str, Any]
"""What a message says, as JSON."""
Answers = Mapping[str, Callable[[Body], Awaitable[Body]]]
"""What may be asked, and who answers. Raises Problem to refuse."""
Hears = Mapping[str, Callable[[Body], None]]
"""What may be told, and who hears it."""

logger = logging.getLogger(__name__)


class Silent(Exception):
    """The other process did not answer in time, or is gone."""


class Link:
    """One end of the line between two processes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Body]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self.over = False
        """Nothing comes and nothing goes any more."""

    @classmethod
    async def of(cls, end: socket.socket) -> Link:
        """One end of `socket.socketpair()`, which the link closes."""
        return cls(*await asyncio.open_unix_connection(sock=end, limit=MAX_MESSAGE_BYTES))

    async def ask(self, what: str, body: Body, within_s: float) -> Body:
        """The answer. Raises Problem (refused) and Silent."""
        if self.over or len(self._asked) >= MAX_OPEN:
            raise Silent
        number = next(self._numbers)
        answer: asyncio.Future[Body] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            self._send({"ask": what, "number": number, "body": body})
            async with asyncio.timeout(within_s):
                return await answer
        except TimeoutError:
            raise Silent from None
        finally:
            del self._asked[number]

    def tell(self, what: str, body: Body | None = None) -> None:
        """Say something that needs no answer; nobody hears it where the other is gone."""
        self._send({"tell": what, "body": body or {}})

    async def first(self, what: str) -> Body:
        """The first message, which must tell this; before `run`. Raises Silent."""
        message = await self._read()
        if message is None or message.get("tell") != what:
            raise Silent
        body: Body = message["body"]
        return body

    async def run(self, answers: Answers, hears: Hears) -> None:
        """Take messages until the other end closes; then all who wait are told."""
        try:
            while (message := await self._read()) is not None:
                self._take(message, answers, hears)
        finally:
            self.close()
            for task in list(self._answering):
                task.cancel()

    def close(self) -> None:
        """Nothing comes and nothing goes any more."""
        self.over = True
        self._writer.close()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Silent())

    async def _read(self) -> Body | None:
        """The next message, None at the end."""
        try:
            line = await self._reader.readuntil()
            message = json.loads(line)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except (asyncio.LimitOverrunError, ValueError):
            logger.error("a process of this server sends what is no message")
            return None
        return message if isinstance(message, dict) else None

    def _take(self, message: Body, answers: Answers, hears: Hears) -> None:
        match message:
            case {"tell": what, "body": body}:
                hears[what](body)
            case {"ask": what, "number": number, "body": body}:
                task = asyncio.create_task(self._answer(answers[what], number, body))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            case {"answer": number, **rest}:
                asked = self._asked.get(number)
                if asked is None or asked.done():
                    return  # too late
                if "body" in rest:
                    asked.set_result(rest["body"])
                else:
                    asked.set_exception(_problem(rest["refusal"]))

    async def _answer(
        self, answer: Callable[[Body], Awaitable[Body]], number: int, body: Body
    ) -> None:
        try:
            self._send({"answer": number, "body": await answer(body)})
        except Problem as problem:
            self._send({"answer": number, "refusal": _refusal(problem)})
        except Silent:
            self._send({"answer": number, "refusal": _refusal(Problem("busy"))})
        except Exception as error:
            logger.error("bug in an answer to a process", exc_info=error)
            self._send({"answer": number, "refusal": _refusal(Problem("internal"))})

    def _send(self, message: Body) -> None:
        if self.over:
            return
        if self._writer.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            logger.error("a process of this server does not read what it is told")
            self.close()
            return
        self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")


def _refusal(problem: Problem) -> Body:
    return {
        "code": problem.code,
        "text": problem.text,
        "retry_after_s": problem.retry_after_s,
        "standing": None if problem.standing is None else asdict(problem.standing),
    }


def _problem(told: Body) -> Problem:
    standing = None if told["standing"] is None else Standing(**told["standing"])
    return Problem(
        told["code"], told["text"], retry_after_s=told["retry_after_s"], standing=standing
    )
