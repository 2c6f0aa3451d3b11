"""Synthetic pictures that say their number, and peers to send them: for the WebRTC tests."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator

import av
import numpy as np
from numpy.typing import NDArray

from server.rtc.connection import Connection, RtcSettings, prepare
from server.rtc.network import Network
from server.tools.caller.rtc_caller import Caller, Encoded

HERE = "127.0.0.1"
LOCAL = RtcSettings(bind=(HERE,))
BITS = 10
CELL = 16

prepare(LOCAL)


def paint(n: int, width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """uint8 HxWx3 BGR: a gradient with a moving disc, the number in black and white cells above."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([x * 255 // width, y * 255 // height, 128 + 0 * x], axis=-1).astype(np.uint8)
    disc = (x - (40 + 5 * n) % width) ** 2 + (y - height // 2) ** 2 < 400
    image[disc] = (40, 60, 220)
    for bit in range(BITS):
        image[:CELL, bit * CELL : (bit + 1) * CELL] = 235 if n >> bit & 1 else 20
    return image


def number(image: NDArray[np.uint8]) -> int:
    """The number painted into a BGR picture."""
    cells = [
        image[4 : CELL - 4, b * CELL + 4 : (b + 1) * CELL - 4].mean() > 128 for b in range(BITS)
    ]
    return sum(1 << bit for bit, on in enumerate(cells) if on)


def film(
    fps: float = 15, count: int | None = None, width: int = 320, height: int = 240
) -> Iterator[tuple[float, av.VideoFrame]]:
    """Numbered pictures at a steady pace, in the encoder's format."""
    n = 0
    while count is None or n < count:
        picture = av.VideoFrame.from_ndarray(paint(n, width, height), format="bgr24")
        yield n / fps, picture.reformat(format="yuv420p")
        n += 1


class Pair:
    """A caller and the connection that answered it."""

    def __init__(self) -> None:
        self.at_server: list[str | bytes] = []
        self.at_caller: list[str | bytes] = []
        self.states: list[str] = []
        self.caller: Caller
        self.connection: Connection

    async def close(self) -> None:
        await self.connection.close()
        await self.caller.close()


async def call(
    settings: RtcSettings = LOCAL,
    pictures: Iterator[tuple[float, av.VideoFrame]] | Encoded | None = None,
    codec: str = "VP8",
    on_encoded: Callable[[str, int, bytes], None] | None = None,
    connect: bool = True,
    on_too_large: Callable[[], None] | None = None,
) -> Pair:
    pair = Pair()
    pair.caller = await Caller.offer(
        film() if pictures is None else pictures,
        on_message=pair.at_caller.append,
        network=Network((HERE,)),
        codec=codec,
    )
    pair.connection = await Connection.accept(
        pair.caller.offer_sdp,
        settings,
        on_message=pair.at_server.append,
        on_state=pair.states.append,
        on_encoded=on_encoded,
        on_too_large=on_too_large,
        clock=time.monotonic,
    )
    if connect:
        await pair.caller.connect(pair.connection.answer_sdp)
    return pair


async def soon(event: asyncio.Event, seconds: float = 5) -> None:
    await asyncio.wait_for(event.wait(), seconds)


async def pictured(connection: Connection, seconds: float = 5) -> None:
    """Wait for the first picture."""
    await until(lambda: connection.stats()["frames"] > 0, seconds)


async def until(true: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for a condition, not for a time."""
    deadline_s = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline_s, "the condition did not come true"
        await asyncio.sleep(0.005)


def held() -> tuple[int, int, int]:
    """Tasks, file descriptors and decoder threads that are there now."""
    decoders = [thread for thread in threading.enumerate() if "decoder" in thread.name]
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd")), len(decoders)
