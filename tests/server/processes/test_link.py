"""Questions, answers and words between two processes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from server.problems import Problem, Standing
from server.processes.link import MAX_MESSAGE_BYTES, Link, Silent


@asynccontextmanager
async def pair(answers: Any = None, hears: Any = None) -> AsyncIterator[tuple[Link, Link]]:
    """Two ends; the second one answers."""
    first, second = [await Link.of(one) for one in socket.socketpair()]
    runs = [
        asyncio.create_task(first.run({}, {})),
        asyncio.create_task(second.run(answers or {}, hears or {})),
    ]
    try:
        yield first, second
    finally:
        first.close()
        second.close()
        async with asyncio.timeout(5):
            await asyncio.gather(*runs)


async def test_a_question_is_answered_beside_others() -> None:
    gate = asyncio.Event()

    async def slow(body: dict[str, Any]) -> dict[str, Any]:
        await gate.wait()
        return {"n": body["n"]}

    async def quick(body: dict[str, Any]) -> dict[str, Any]:
        gate.set()
        return {"n": -body["n"]}

    async with pair({"slow": slow, "quick": quick}) as (asker, _):
        found = await asyncio.gather(
            asker.ask("slow", {"n": 1}, 5), asker.ask("quick", {"n": 2}, 5)
        )
    assert found == [{"n": 1}, {"n": -2}]


async def test_a_refusal_comes_back_as_it_was() -> None:
    async def refuse(_: Any) -> Any:
        raise Problem("busy", retry_after_s=2.5, standing=Standing(3, 7.5))

    async def wrong(_: Any) -> Any:
        raise ValueError("a secret")

    async with pair({"refuse": refuse, "wrong": wrong}) as (asker, _):
        with pytest.raises(Problem) as refused:
            await asker.ask("refuse", {}, 5)
        with pytest.raises(Problem) as broken:
            await asker.ask("wrong", {}, 5)
    assert (refused.value.code, refused.value.status) == ("busy", 503)
    assert refused.value.retry_after_s == 2.5
    assert refused.value.standing == Standing(3, 7.5)
    assert broken.value.code == "internal"
    assert "secret" not in broken.value.text


async def test_who_says_nothing_is_silent_and_not_agreeing() -> None:
    async def hang(_: Any) -> Any:
        await asyncio.Event().wait()

    async with pair({"hang": hang}) as (asker, other):
        with pytest.raises(Silent):
            await asker.ask("hang", {}, 0.05)
        waiting = asyncio.create_task(asker.ask("hang", {}, 60))
        await asyncio.sleep(0)
        other.close()
        async with asyncio.timeout(5):
            with pytest.raises(Silent):
                await waiting
        with pytest.raises(Silent):
            await asker.ask("hang", {}, 60)
    assert asker.over


async def test_words_arrive_in_their_order() -> None:
    heard: list[Any] = []
    done = asyncio.Event()
    hears = {"n": lambda body: heard.append(body["n"]), "end": lambda _: done.set()}
    async with pair(hears=hears) as (asker, _):
        for n in range(100):
            asker.tell("n", {"n": n})
        asker.tell("end")
        async with asyncio.timeout(5):
            await done.wait()
    assert heard == list(range(100))


@pytest.mark.parametrize("sent", [b"no json\n", b"[1]\n", b"x" * (2 * MAX_MESSAGE_BYTES)])
async def test_what_is_no_message_ends_the_link(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    link = await Link.of(ours)
    run = asyncio.create_task(link.run({}, {}))
    _, writer = await asyncio.open_unix_connection(sock=theirs)
    writer.write(sent)
    async with asyncio.timeout(5):
        await run
    assert link.over
    writer.close()


async def test_the_first_words_are_those_expected() -> None:
    ours, theirs = socket.socketpair()
    first, second = await Link.of(ours), await Link.of(theirs)
    first.tell("begin", {"number": 3})
    assert await second.first("begin") == {"number": 3}
    first.tell("else")
    with pytest.raises(Silent):
        await second.first("begin")
    first.close()
    second.close()
