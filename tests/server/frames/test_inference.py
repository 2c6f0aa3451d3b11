"""The pool, its order, its faults and its places."""

from __future__ import annotations

import asyncio
import threading
from fractions import Fraction

import av
import numpy as np
import pytest

from pipeline.frame import Frame, Reference
from pipeline.observation import Ask, Observation
from server.frames.convert import Decoded
from server.frames.inference import Inference, InferenceFailed
from tests.server.pictures import number, paint


def look(frame: Frame, ask: Ask) -> Observation:
    """What `see` would give; the sketch's first number is the number painted in the picture."""
    sketch = np.zeros(64, np.float32)
    sketch[0] = number(frame.image)
    height, width = frame.image.shape[:2]
    return Observation(
        frame.seq, frame.arrival_s, frame.media_s, width, height, 0.0, sketch, None, 0.0, None
    )


def frame(n: int) -> Frame:
    return Frame(image=paint(n), seq=n, arrival_s=n / 10, media_s=n / 15)


async def test_a_decoded_picture_is_converted_and_looked_at_in_another_thread() -> None:
    threads = set()

    def see(picture: Frame, ask: Ask) -> Observation:
        threads.add(threading.current_thread())
        assert ask.detect
        return look(picture, ask)

    inference = Inference(see, 1)
    picture = av.VideoFrame.from_ndarray(paint(77), format="bgr24").reformat(format="yuv420p")
    picture.pts, picture.time_base = 6000, Fraction(1, 90000)
    seen = await inference.see(Decoded(picture, 3, 1.5, 0.25), Ask(detect=True))
    assert (seen.seq, seen.arrival_s, seen.media_s, int(seen.sketch[0])) == (3, 1.5, 0.25, 77)
    assert threading.current_thread() not in threads
    await inference.close()


async def test_pictures_are_taken_in_the_order_of_arrival_by_so_many_threads() -> None:
    order: list[int] = []
    parts = threading.Semaphore(0)
    at_once: list[int] = []
    lock = threading.Lock()
    inside = 0

    def see(picture: Frame, ask: Ask) -> Observation:
        nonlocal inside
        with lock:
            order.append(picture.seq)
            inside += 1
            at_once.append(inside)
        assert parts.acquire(timeout=5)
        with lock:
            inside -= 1
        return look(picture, ask)

    inference = Inference(see, workers=2)

    async def in_turn(n: int) -> Observation:
        async with inference.turn():
            return await inference.see(frame(n), Ask())

    tasks = [asyncio.create_task(in_turn(n)) for n in range(6)]
    await asyncio.sleep(0)
    assert inference.in_flight == 6
    parts.release(6)
    seen = await asyncio.gather(*tasks)
    assert [one.seq for one in seen] == list(range(6))
    assert order == list(range(6)) or sorted(order[:2]) == [0, 1]
    assert max(at_once) <= 2
    assert inference.in_flight == 0
    await inference.close()


async def test_a_fault_in_see_is_ours_and_keeps_its_cause() -> None:
    def see(picture: Frame, ask: Ask) -> Observation:
        raise RuntimeError("a net fell over")

    inference = Inference(see, 1)
    with pytest.raises(InferenceFailed) as caught:
        await inference.see(frame(0), Ask())
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert inference.in_flight == 0
    await inference.close()


async def test_a_session_gets_its_own_reference_back_converted() -> None:
    references: list[int | None] = []

    def see(picture: Frame, ask: Ask) -> Observation:
        references.append(None if picture.reference is None else number(picture.reference))
        return look(picture, ask)

    inference = Inference(see, 2)
    one, other = Reference(), Reference()
    for n in range(3):
        picture = av.VideoFrame.from_ndarray(paint(n), format="bgr24").reformat(format="yuv420p")
        picture.pts, picture.time_base = 6000 * n, Fraction(1, 90000)
        decoded = Decoded(picture, n, n / 10, n / 15)
        await inference.see(decoded, Ask(motion=n != 1), one)
        await inference.see(frame(n + 10), Ask(), other)
    await inference.see(frame(4), Ask(motion=True))
    assert references == [None, None, 0, None, 0, None, None]
    await inference.close()


async def test_a_viewer_has_the_reference_of_its_session() -> None:
    references: list[int | None] = []

    def see(picture: Frame, ask: Ask) -> Observation:
        references.append(None if picture.reference is None else number(picture.reference))
        return look(picture, ask)

    inference = Inference(see, 1)
    one, other = inference.viewer(), inference.viewer()
    for n in range(2):
        await one.see(frame(n), Ask(motion=True))
        await other.see(frame(n + 10), Ask(motion=True))
    assert references == [None, None, 0, 10]
    await inference.close()


async def test_closing_lets_the_running_end_and_refuses_the_waiting() -> None:
    began, parts = threading.Event(), threading.Event()

    def see(picture: Frame, ask: Ask) -> Observation:
        began.set()
        assert parts.wait(5)
        return look(picture, ask)

    inference = Inference(see, 1)
    running = asyncio.create_task(inference.see(frame(0), Ask()))
    waiting = asyncio.create_task(inference.see(frame(1), Ask()))
    await asyncio.to_thread(began.wait, 5)
    closing = asyncio.create_task(inference.close())
    with pytest.raises(InferenceFailed):
        await waiting
    parts.set()
    assert (await running).seq == 0
    await closing
    await inference.close()
    with pytest.raises(InferenceFailed):
        await inference.see(frame(2), Ask())


async def test_a_cancelled_caller_is_cancelled() -> None:
    began, parts = threading.Event(), threading.Event()

    def see(picture: Frame, ask: Ask) -> Observation:
        began.set()
        assert parts.wait(5)
        return look(picture, ask)

    inference = Inference(see, 1)
    task = asyncio.create_task(inference.see(frame(0), Ask()))
    await asyncio.to_thread(began.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inference.in_flight == 0
    parts.set()
    await inference.close()


def test_a_pool_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Inference(look, 0)


class Told:
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []
        self.looks_s: list[float] = []

    def waited(self, seconds: float) -> None:
        self.waits_s.append(seconds)

    def looked(self, seconds: float) -> None:
        self.looks_s.append(seconds)


async def test_waiting_and_looking_are_measured_apart() -> None:
    told, now_s = Told(), [0.0]

    def see(picture: Frame, ask: Ask) -> Observation:
        now_s[0] += 2.0
        return look(picture, ask)

    inference = Inference(see, 1, meter=told, clock=lambda: now_s[0])
    async with inference.turn(), inference.turn():  # one for the thread, one for the next
        third = asyncio.create_task(inference.turn().__aenter__())
        await asyncio.sleep(0)
        await inference.see(frame(0), Ask())
        assert (told.waits_s, told.looks_s) == ([0.0, 0.0], [2.0])
    await third
    assert told.waits_s == [0.0, 0.0, 2.0]
    await inference.close()


async def test_a_turn_that_nobody_waits_for_any_more_is_not_lost() -> None:
    inference = Inference(look, 1)
    async with inference.turn():
        async with inference.turn():
            waiting = asyncio.create_task(inference.turn().__aenter__())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(5), inference.turn():
            assert inference.in_flight == 2
    assert inference.in_flight == 0
    await inference.close()
