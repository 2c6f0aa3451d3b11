"""More frames than anybody looks at: they are not decoded, and others see no difference."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from pipeline.tape.video import packet
from server.rtc.inflow import BYTES_PER_S
from server.rtc.intake import BURST_S, KEYS_PER_S
from server.tools.caller.rtc_caller import Encoded
from tests.attack.large_pictures import small
from tests.server.pictures import Pair, call, until

FLOODS = 4
FPS = 120
SECONDS = 3


async def shown(frames: Sequence[bytes], fps: float) -> tuple[Pair, list[bytes]]:
    taken: list[bytes] = []
    pair = await call(
        pictures=Encoded(
            "VP8",
            [(n / fps, packet(data, round(90000 * n / fps))) for n, data in enumerate(frames)],
        ),
        on_encoded=lambda *frame: taken.append(frame[2]),
    )
    return pair, taken


async def test_key_frames_of_some_are_thinned_out_and_an_honest_camera_loses_none() -> None:
    key = small("VP8")
    began_s = time.monotonic()
    floods = await asyncio.gather(*(shown([key] * (FPS * SECONDS), FPS) for _ in range(FLOODS)))
    honest, taken = await shown([key] * 15 * SECONDS, 15)
    pairs = [honest, *(pair for pair, _ in floods)]
    await until(lambda: all(p.caller.camera.readyState == "ended" for p in pairs), 60)
    await until(lambda: honest.connection.stats()["frames"] == 15 * SECONDS, 20)
    for pair, decoded in floods:
        most = KEYS_PER_S * (BURST_S + time.monotonic() - began_s)
        assert 2 * KEYS_PER_S <= len(decoded) <= most
        assert pair.connection.undecoded()["rate"] > 0
        assert pair.caller.camera.sent == FPS * SECONDS
    assert len(taken) == 15 * SECONDS
    assert not any(honest.connection.undecoded().values())
    await asyncio.gather(*(pair.close() for pair in pairs))


async def test_of_heavy_frames_a_megabyte_a_second_is_taken() -> None:
    heavy = small("VP8") + bytes(60_000)
    began_s = time.monotonic()
    pair, decoded = await shown([heavy] * 60 * SECONDS, 60)
    await until(lambda: pair.caller.camera.readyState == "ended", 60)
    most = BYTES_PER_S * (BURST_S + time.monotonic() - began_s)
    assert len(heavy) * 10 < sum(map(len, decoded)) <= most
    assert pair.connection.overflow() > 0
    await pair.close()
