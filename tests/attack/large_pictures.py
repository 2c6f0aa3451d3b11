"""One receiver in a process of its own that is shown pictures which claim to be huge.

Run by test_large_pictures.py as `python -m tests.attack.large_pictures CASE CODEC FOLDER`. Prints
JSON: by how many MB its memory grew at most, and what it saw. Not here: what is expected.
Source: proc(5), /proc/pid/clear_refs and VmHWM.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from pipeline.encoded import is_key
from pipeline.tape.video import FrameLine, VideoWriter, digest, packet, pictures
from server.tools.caller.rtc_caller import Encoded
from server.tools.clips import MediaError, read_clip
from tests.pipeline.streams import BOMB, h264, sps
from tests.server.pictures import call, soon, until

CROPPED = h264(sps((1000, 1000), crop=(0, 7990, 0, 7990)))
"""77 bytes that claim 16000x16000 pixels and show 20x20."""
SMALL = {"VP8": "libvpx", "H264": "libx264"}
LARGE = {"VP8": BOMB, "H264": CROPPED}
BOMBS = 4
"""One fewer than the server gives up after: what comes then is decoded again."""


def small(codec: str) -> bytes:
    """An honest key frame of 320x240."""
    encoder = av.CodecContext.create(SMALL[codec], "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 320, 240, "yuv420p"
    encoder.time_base = packet(b"", 0).time_base
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency"} if codec == "H264" else {}
    picture = av.VideoFrame(320, 240, "yuv420p")
    for plane in picture.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    picture.pts = 0
    data = b"".join(bytes(p) for p in [*encoder.encode(picture), *encoder.encode(None)])
    assert is_key(codec, data)
    return data


def memory(name: str) -> float:
    """VmRSS or VmHWM of this process, MB."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found.group(1)) / 1000


async def live(codec: str) -> dict[str, Any]:
    """Over a real connection, decoded by what the server decodes with."""
    honest = small(codec)
    shown = [honest] * 30 + [LARGE[codec]] * BOMBS + [honest] * 30
    frames = [(n / 30, packet(data, 3000 * n)) for n, data in enumerate(shown)]
    recorded: list[bytes] = []
    pair = await call(
        pictures=Encoded(codec, frames), codec=codec, on_encoded=lambda *f: recorded.append(f[2])
    )
    await until(lambda: pair.connection.stats()["frames"] >= 5, 10)
    before = begin()
    await until(lambda: pair.caller.camera.sent == len(shown), 20)
    await until(lambda: pair.connection.stats()["frames"] >= 40, 10)
    grown = memory("VmHWM") - before
    undecoded = pair.connection.undecoded()
    await pair.close()
    return {
        "grown_mb": grown,
        "too_large": undecoded["too_large"],
        "recorded": LARGE[codec] in recorded,
    }


async def given_up(codec: str) -> dict[str, Any]:
    """Nothing but large pictures, until the connection says that it gives up."""
    frames = [(n / 30, packet(LARGE[codec], 3000 * n)) for n in range(60)]
    ended = asyncio.Event()
    pair = await call(pictures=Encoded(codec, frames), codec=codec, on_too_large=ended.set)
    await soon(pair.connection.channel_open)
    before = begin()
    await soon(ended, 10)
    grown = memory("VmHWM") - before
    await pair.close()
    return {"grown_mb": grown, "too_large": pair.connection.undecoded()["too_large"]}


def begin() -> float:
    """The peak is counted from here; memory now, MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def tape(codec: str, folder: Path) -> dict[str, Any]:
    """A tape of somebody else, whose video is shown again."""
    path = folder / "video.mkv"
    path.touch()
    honest = small(codec)
    shown = [honest, LARGE[codec], honest]
    if codec == "H264":
        shown = [re.sub(rb"\x00*\x00\x00\x01", b"\0\0\0\1", data) for data in shown]
    video = VideoWriter(path, codec)
    lines = []
    for n, data in enumerate(shown):
        video.write(data, 3000 * n, key=True)
        lines.append(FrameLine(0.0, n, codec, 3000 * n, len(data), True, digest(data)))  # type: ignore[arg-type]
    video.close()
    before = begin()
    with path.open("rb") as stream:
        seen = [ticks for ticks, _ in pictures(lines, stream)]
    return {"grown_mb": memory("VmHWM") - before, "seen": seen}


def clip(codec: str, folder: Path) -> dict[str, Any]:
    """A film that a command is given."""
    path = folder / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_mux_stream(
            {"VP8": "vp8", "H264": "h264"}[codec], rate=30, width=320, height=240
        )
        for n, data in enumerate([small(codec), LARGE[codec], small(codec)]):
            made = packet(data, 3000 * n, key=True)
            made.stream = stream
            container.mux(made)
    before = begin()
    code, seen = None, 0
    with contextlib.suppress(StopIteration):
        try:
            for _ in read_clip(path):
                seen += 1
        except MediaError as refused:
            code = refused.code
    return {"grown_mb": memory("VmHWM") - before, "seen": seen, "code": code}


CASES: dict[str, Callable[[str, Path], dict[str, Any]]] = {
    "live": lambda codec, folder: asyncio.run(live(codec)),
    "given_up": lambda codec, folder: asyncio.run(given_up(codec)),
    "tape": tape,
    "clip": clip,
}


if __name__ == "__main__":
    print(json.dumps(CASES[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))))
