"""The newest item wins; waiting, dropping and ending."""

from __future__ import annotations

import asyncio

import pytest

from server.rtc.slot import LatestSlot, SlotClosed


async def test_the_newest_item_is_taken_and_the_others_are_counted() -> None:
    slot: LatestSlot[int] = LatestSlot()
    for n in range(5):
        slot.put(n)
    assert await slot.get() == 4
    assert slot.dropped == 4


async def test_a_consumer_waits_and_takes_each_once() -> None:
    slot: LatestSlot[int] = LatestSlot()
    taken = []

    async def consume() -> None:
        while True:
            taken.append(await slot.get())

    task = asyncio.create_task(consume())
    for n in range(3):
        slot.put(n)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    slot.close()
    with pytest.raises(SlotClosed):
        await task
    assert taken == [0, 1, 2]
    assert slot.dropped == 0


async def test_the_last_item_can_still_be_taken_after_the_end() -> None:
    slot: LatestSlot[int] = LatestSlot()
    slot.put(1)
    slot.close()
    slot.close()
    slot.put(2)
    assert slot.closed
    assert slot.dropped == 1
    assert await slot.get() == 1
    with pytest.raises(SlotClosed):
        await slot.get()


async def test_a_cancelled_wait_loses_nothing() -> None:
    slot: LatestSlot[int] = LatestSlot()
    waiting = asyncio.create_task(slot.get())
    await asyncio.sleep(0)
    waiting.cancel()
    slot.put(7)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await slot.get() == 7
