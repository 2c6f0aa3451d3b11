"""Who is connected, and how all of them are stopped within a bounded time."""

from __future__ import annotations

import asyncio
import logging

import pytest

from server.peers import Peers


class Guest:
    """A peer that lives until it is stopped, or until the test lets it go."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.stops = 0
        self.gone = asyncio.Event()
        self._deaf = deaf

    def stop(self) -> None:
        self.stops += 1
        if not self._deaf:
            self.gone.set()

    async def live(self) -> None:
        await self.gone.wait()


async def test_a_peer_is_here_from_start_to_the_end_of_its_life() -> None:
    peers, ann, bob = Peers(), Guest(), Guest()
    life = peers.start(ann, ann.live())
    assert (len(peers), list(peers)) == (1, [ann])
    other = peers.start(bob, bob.live())
    assert set(peers) == {ann, bob}
    ann.gone.set()
    await life
    assert list(peers) == [bob]
    bob.gone.set()
    await other
    assert len(peers) == 0


async def test_each_one_who_comes_is_told_of_at_once() -> None:
    came: list[int] = []
    peers, ann = Peers(when_came=lambda: came.append(len(peers))), Guest()
    life = peers.start(ann, ann.live())
    assert came == [1]
    ann.gone.set()
    await life
    assert came == [1]


async def test_each_one_who_leaves_is_told_while_others_stay() -> None:
    left: list[int] = []
    peers = Peers(when_left=lambda: left.append(len(peers)))
    ann, bob = Guest(), Guest()
    lives = [peers.start(guest, guest.live()) for guest in (ann, bob)]
    ann.gone.set()
    await lives[0]
    assert left == [1]
    bob.gone.set()
    await lives[1]
    assert left == [1, 0]


async def test_a_bug_in_a_life_is_logged_and_the_peer_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    peers = Peers()
    await peers.start(Guest(), broken())
    assert len(peers) == 0
    (record,) = caplog.records
    assert (record.message, record.levelno) == ("bug in a peer", logging.ERROR)
    assert record.exc_info is not None


async def test_a_peer_that_ends_within_the_grace_is_not_stopped() -> None:
    peers, ann = Peers(), Guest()
    peers.start(ann, ann.live())
    stopping = asyncio.create_task(peers.stop(grace_s=60.0, goodbye_s=0.0))
    await asyncio.sleep(0)
    assert peers.stopping
    ann.gone.set()
    async with asyncio.timeout(5):
        await stopping
    assert ann.stops == 0


async def test_after_the_grace_all_are_stopped_and_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    peers, guests = Peers(), [Guest(), Guest()]
    for guest in guests:
        peers.start(guest, guest.live())
    assert not peers.stopping
    async with asyncio.timeout(5):
        await peers.stop(grace_s=0.0, goodbye_s=60.0)
    assert [guest.stops for guest in guests] == [1, 1]
    assert len(peers) == 0
    assert caplog.records == []


async def test_a_peer_that_does_not_listen_holds_nobody_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    peers, deaf = Peers(), Guest(deaf=True)
    life = peers.start(deaf, deaf.live())
    async with asyncio.timeout(5):
        await peers.stop(grace_s=0.0, goodbye_s=0.0)
    (record,) = caplog.records
    assert record.message == "sessions cut off"
    assert vars(record)["sessions"] == 1
    deaf.gone.set()
    await life


async def test_nobody_to_stop_takes_no_time() -> None:
    peers = Peers()
    async with asyncio.timeout(5):
        await peers.stop(grace_s=60.0, goodbye_s=60.0)
    assert peers.stopping
