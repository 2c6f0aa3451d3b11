"""What a live session holds of the server's memory, how soon it is given back, and which threads a
login's CPU goes to.

    python -m benchmarks.session_memory [--levels 1,4,8] [--logins 40] [--at-once 4] [--hold 12]

Starts servers of its own on loopback and ends them. Callers replay frames that are encoded already,
so that their encoding is not the server's time. Nothing is asserted. Not here: how long a login
takes (login.py). Source of the numbers: proc(5), smaps_rollup and task/TID/schedstat.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from statistics import mean
from typing import Any

import av

from benchmarks.serving import CLIENT, Server, serving
from server.keys.token import TokenError
from server.memory import KEPT_S
from server.tools.caller.attempt import attempt
from server.tools.caller.http_caller import HeadlessError
from server.tools.caller.rtc_caller import Encoded
from tests.e2e.cameras import FPS, SIZE, Image, person

KBPS = 1350
"""What Chromium sends of 640x480 (docs/benchmarks.md)."""
CLOCK_HZ = 90000
OPEN_ENDED = {"match_score": 0.999, "mismatch_score": -1.0, "window_s": 24.0}
"""Nobody is alike enough, nobody too little: a session goes on until its time is over."""
SETTLE_S = 4.0
"""From the beginning of a call until its session is in full swing."""
ENTRY_S = 8.0
"""How long to wait until all are let in; after 24 s the first one's time is over."""
SAMPLE_S = 0.1
GIVE_BACK_S = 2 * KEPT_S
"""How long to wait for memory to be given back."""
AGAIN_S = 0.5
"""Between two attempts to get a place."""
FILM = "franck"
STARTS_S = (40.0, 54.0, 68.0)
"""Logins begin in different places of the film."""
SECONDS = 24.0


def encoded(images: Iterator[Image]) -> Encoded:
    """VP8 with one key frame at the start, as a browser sends it."""
    codec: Any = av.CodecContext.create("libvpx", "w")
    codec.width, codec.height = SIZE
    codec.pix_fmt, codec.time_base = "yuv420p", Fraction(1, CLOCK_HZ)
    codec.framerate = Fraction(round(FPS), 1)
    codec.bit_rate, codec.gop_size, codec.thread_count = KBPS * 1000, 3000, 1
    codec.options = {
        "cpu-used": "-6", "deadline": "realtime", "lag-in-frames": "0",
        "minrate": str(KBPS * 1000), "maxrate": str(KBPS * 1000), "bufsize": str(KBPS * 1000),
    }  # fmt: skip
    made: list[tuple[float, Any]] = []
    for n, image in enumerate(images):
        picture = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")
        picture.pts, picture.time_base = n * CLOCK_HZ // round(FPS), Fraction(1, CLOCK_HZ)
        made += [(n / FPS, packet) for packet in codec.encode(picture)]
    return Encoded("VP8", made)


@dataclass(slots=True)
class Watch:
    """What the kernel says of one process, sampled while a block runs."""

    pid: int
    rss_mb: list[float] = field(default_factory=list)
    threads: dict[int, tuple[float, float]] = field(default_factory=dict)
    """CPU seconds of each thread when it was first and last seen."""

    def look(self) -> None:
        """One sample."""
        self.rss_mb.append(rollup(self.pid)["Rss"])
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                cpu_s = int((task / "schedstat").read_text().split()[0]) / 1e9
            except OSError:
                continue  # it ended meanwhile
            first, _ = self.threads.get(int(task.name), (cpu_s if not self.rss_mb[1:] else 0.0, 0))
            self.threads[int(task.name)] = (first, cpu_s)

    def cpu_s(self) -> dict[str, float]:
        """By kind of thread: the event loop, those that are still there, those that ended."""
        alive = {int(task.name) for task in Path(f"/proc/{self.pid}/task").iterdir()}
        spent: Counter[str] = Counter()
        for thread, (first, last) in self.threads.items():
            kind = "loop" if thread == self.pid else "stays" if thread in alive else "ended"
            spent[kind] += last - first
        return dict(spent)


def rollup(pid: int) -> dict[str, float]:
    """smaps_rollup of a process, 10^6 bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    pairs = (line.split() for line in lines)
    return {name[:-1]: int(kib) * 1024 / 1e6 for name, kib, *_ in pairs}


@asynccontextmanager
async def watched(pid: int) -> AsyncIterator[Watch]:
    """Sample while the block runs."""
    watch = Watch(pid)
    watch.look()

    async def sampling() -> None:
        while True:
            await asyncio.sleep(SAMPLE_S)
            watch.look()

    task = asyncio.create_task(sampling())
    try:
        yield watch
    finally:
        task.cancel()
        watch.look()


async def called(server: Server, purpose: str, subject: str, film: Encoded) -> str:
    """One attempt, when there is a place: what came of it."""
    while True:
        try:
            result = await attempt(
                server_url=server.url, client_id=CLIENT, secret=server.secret,
                purpose=purpose, subject=subject, video=film,
            )  # fmt: skip
        except HeadlessError as error:
            if error.code != "busy":
                return str(error.code)
            await asyncio.sleep(AGAIN_S)
        except TokenError as error:
            return str(error.code)
        else:
            return str(result.verdict["outcome"])


async def enrolled(server: Server, film: Encoded, count: int) -> list[str]:
    """Names of so many who are enrolled. Raises RuntimeError."""
    names = [f"held-{n}" for n in range(count)]
    for name in names:
        outcome = await called(server, "enroll", name, film)
        if outcome != "accepted":
            raise RuntimeError(f"nobody is enrolled: {outcome}")
    return names


async def held(
    server: Server, films: Sequence[Encoded], levels: Sequence[int], hold_s: float
) -> list[str]:
    """Rows of the table of sessions that are held live."""
    names = await enrolled(server, films[0], max(levels))
    await called(server, "login", names[0], films[0])
    rows = []
    for count in levels:
        await asyncio.sleep(SETTLE_S)
        rest = rollup(server.pid)
        calls = [
            asyncio.create_task(called(server, "login", names[n], films[n % len(films)]))
            for n in range(count)
        ]
        await asyncio.sleep(SETTLE_S)
        for _ in range(round(ENTRY_S / SAMPLE_S)):  # the server lets them in one after the other
            if server.metrics()["lookgate_sessions_active"] >= count:
                break
            await asyncio.sleep(SAMPLE_S)
        async with watched(server.pid) as watch:
            await asyncio.sleep(hold_s)
        active = server.metrics()["lookgate_sessions_active"]
        live, there = rollup(server.pid), max(active, 1)  # it may let fewer in than came
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        back_s = await given_back_s(server.pid, rest["Rss"], live["Rss"])
        rows.append(
            row(
                f"{active:.0f} of {count}",
                f"{rest['Rss']:.0f}",
                f"{mean(watch.rss_mb):.0f} / {max(watch.rss_mb):.0f}",
                f"{(mean(watch.rss_mb) - rest['Rss']) / there:.1f}"
                f" / {(max(watch.rss_mb) - rest['Rss']) / there:.1f}",
                f"{(live['Pss'] - rest['Pss']) / there:.1f}",
                f"{rollup(server.pid)['Rss']:.0f}",
                "-" if back_s is None else f"{back_s:.1f}",
            )
        )
    return rows


async def given_back_s(pid: int, rest_mb: float, live_mb: float) -> float | None:
    """Seconds until three quarters are given back; None if they are not in time."""
    began_s = time.monotonic()
    while (spent_s := time.monotonic() - began_s) < GIVE_BACK_S:
        if rollup(pid)["Rss"] - rest_mb < (live_mb - rest_mb) / 4:
            return spent_s
        await asyncio.sleep(SAMPLE_S)
    return None


def row(*cells: object) -> str:
    """A line of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def head(*cells: str) -> str:
    """The first two lines of a table."""
    return f"{row(*cells)}\n{row(*('-' for _ in cells))}"


async def logins(server: Server, films: Sequence[Encoded], count: int, at_once: int) -> list[str]:
    """CPU by thread of logins one after the other, and the memory meanwhile."""
    names = await enrolled(server, films[0], at_once)
    await called(server, "login", names[0], films[0])
    await asyncio.sleep(3)
    waiting = list(range(count))
    outcomes: Counter[str] = Counter()

    async def line(name: str) -> None:
        while waiting:
            outcome = await called(server, "login", name, films[waiting.pop() % len(films)])
            outcomes[outcome] += 1

    rest, cpu_s, before = rollup(server.pid), server.cpu_s(), server.metrics()
    began_s = time.monotonic()
    async with watched(server.pid) as watch:
        await asyncio.gather(*(line(name) for name in names))
        wall_s = time.monotonic() - began_s
    total_ms = 1000 * (server.cpu_s() - cpu_s) / count
    by_ms = {kind: 1000 * spent / count for kind, spent in watch.cpu_s().items()}
    frames = server.metrics()["lookgate_frames_total"] - before["lookgate_frames_total"]
    stay_ms = by_ms.get("stays", 0.0)
    later = watch.rss_mb[len(watch.rss_mb) // 3 :]
    return [
        row(
            f"{count} at {at_once}",
            " ".join(f"{n} {outcome}" for outcome, n in outcomes.items()),
            f"{wall_s:.0f}",
            f"{total_ms:.0f}",
            f"{by_ms['loop']:.1f}",
            f"{stay_ms:.1f}",
            f"{total_ms - by_ms['loop'] - stay_ms:.1f}",
            f"{frames / count:.0f}",
            f"{rest['Rss']:.0f}",
            f"{mean(later):.0f} / {max(later):.0f}",
            f"{(mean(later) - rest['Rss']) / at_once:.1f}"
            f" / {(max(later) - rest['Rss']) / at_once:.1f}",
        )
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--levels", default="1,4,8", help="sessions that are held live; empty: no")
    parser.add_argument("--hold", type=float, default=8.0, help="seconds")
    parser.add_argument("--logins", type=int, default=40)
    parser.add_argument("--at-once", default="4", help="logins at a time, one server each")
    args = parser.parse_args(argv)
    films = [encoded(person(FILM, start_s=at_s, seconds=SECONDS)) for at_s in STARTS_S]
    levels = [int(n) for n in args.levels.split(",") if n]
    at_onces = [int(n) for n in args.at_once.split(",") if n]
    if levels:
        with tempfile.TemporaryDirectory(prefix="lookgate-bench-") as name:
            policy = Path(name) / "policy.json"
            policy.write_text(json.dumps(OPEN_ENDED))
            with serving(Path(name), policy=str(policy)) as server:
                rows = asyncio.run(held(server, films, levels, args.hold))
        print(
            head(
                "held live", "RSS before, MB", "live, mean / max", "a session, mean / max",
                "PSS a session", "after", "three quarters back after, s",
            ),
            *rows,
            sep="\n",
        )  # fmt: skip
    rows = []
    for at_once in at_onces:
        scratch = tempfile.TemporaryDirectory(prefix="lookgate-bench-")
        with scratch as name, serving(Path(name)) as server:
            rows += asyncio.run(logins(server, films, args.logins, at_once))
    if rows:
        print(
            "",
            head(
                "logins", "outcomes", "wall s", "CPU ms a login", "event loop", "threads that stay",
                "threads that ended (decoders)", "frames", "RSS before, MB", "live, mean / max",
                "a session, mean / max",
            ),
            *rows,
            sep="\n",
        )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
