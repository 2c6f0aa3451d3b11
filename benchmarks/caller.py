"""Callers in a process of their own, so that their encoding is not the server's time.

Reads one JSON object on standard input (`Order`), writes one JSON line a call and one with what
it took. Pictures are decoded and scaled beforehand; VP8 is encoded live, as a browser would.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.numbers import Call
from benchmarks.serving import CLIENT, ROOT, machine_busy_s
from server.keys.token import TokenError
from server.settings.load import child_environ
from server.tools import clips
from server.tools.caller.attempt import attempt
from server.tools.caller.http_caller import HeadlessError
from server.tools.clips import MediaError
from tests.e2e.cameras import FPS, person

ROOM_S = 12.0
"""Starts are spread over the recording but for its last seconds."""


@dataclass(frozen=True, slots=True)
class Film:
    """What a camera sees: part of a recording of models/clips.py."""

    subject: str
    """Who that is to the relying app."""
    clip: str
    start_s: float
    seconds: float

    def subject_of(self, n: int) -> str:
        """A name for the n-th of those who play this film at once: a person has one session."""
        return self.subject if n == 0 else f"{self.subject}-{n}"


@dataclass(frozen=True, slots=True)
class Order:
    """What to do."""

    url: str
    secret: str
    purpose: str
    film: Film
    calls: int
    at_once: int


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it."""

    calls: tuple[Call, ...]
    wall_s: float
    """From the first call's beginning to the last one's end."""
    cpu_s: float | None = None
    """Of the callers' process in that time."""
    busy_s: float | None = None
    """Of the whole machine in that time."""


def run(order: Order, timeout_s: float) -> Done:
    """Do it in another process. Raises subprocess errors."""
    environ = child_environ()
    environ["PYTHONPATH"] = str(ROOT)
    made = subprocess.run(
        [sys.executable, "-m", "benchmarks.caller"],
        input=json.dumps(asdict(order)), env=environ, text=True,
        stdout=subprocess.PIPE, timeout=timeout_s, check=True,
    )  # fmt: skip
    *calls, end = map(json.loads, made.stdout.splitlines())
    return Done(
        tuple(Call(**{**call, "reasons": tuple(call["reasons"])}) for call in calls),
        **end,
    )


def starts(count: int, seconds: float) -> list[float]:
    """When in the recording each call begins: evenly over it, so that no two see the same."""
    return [n * max(0.0, seconds - ROOM_S) / count for n in range(count)]


def played(pictures: list[NDArray[np.uint8]], start_s: float) -> Iterator[clips.Timed]:
    """From `start_s` on, for ever; begins again at the end."""
    first = round(start_s * FPS)
    n = 0
    while True:
        flat = pictures[(first + n) % len(pictures)]
        yield n / FPS, av.VideoFrame.from_ndarray(flat, format="yuv420p")
        n += 1


async def _call(order: Order, subject: str, video: Iterator[clips.Timed]) -> Call:
    session = ""

    def hear(message: dict[str, Any]) -> None:
        nonlocal session
        if message.get("type") == "welcome":
            session = str(message.get("session"))[:8]

    try:
        result = await attempt(
            server_url=order.url,
            client_id=CLIENT,
            secret=order.secret,
            purpose=order.purpose,
            subject=subject,
            video=video,
            on_message=hear,
        )
    except (HeadlessError, TokenError, MediaError) as error:
        return Call(session, "error", (str(error.code),))
    return Call(
        session,
        str(result.verdict["outcome"]),
        tuple(map(str, result.verdict.get("reasons", ()))),
        result.timeline_ms.get("answer"),
        result.timeline_ms.get("verdict"),
    )


def _flat(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")
    return np.asarray(picture.to_ndarray(), dtype=np.uint8)


async def _all(order: Order) -> None:
    film = order.film
    images = person(film.clip, start_s=film.start_s, seconds=film.seconds)
    pictures = [_flat(image) for image in images]
    waiting = starts(order.calls, len(pictures) / FPS)[::-1]

    async def line(n: int) -> None:
        while waiting:
            call = await _call(order, film.subject_of(n), played(pictures, waiting.pop()))
            print(json.dumps(asdict(call)), flush=True)

    began = _clocks()
    await asyncio.gather(*(line(n) for n in range(order.at_once)))
    print(json.dumps({name: at_s - began[name] for name, at_s in _clocks().items()}), flush=True)


def _clocks() -> dict[str, float]:
    return {"wall_s": time.monotonic(), "cpu_s": time.process_time(), "busy_s": machine_busy_s()}


if __name__ == "__main__":
    told = json.load(sys.stdin)
    asyncio.run(_all(Order(**{**told, "film": Film(**told["film"])})))
