"""So many callers at once: each makes one attempt after the other and waits in line when told to.

Not here: what they show (cast.py), what becomes of the answers (figures.py).
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from benchmarks.capacity.cast import Part
from benchmarks.capacity.figures import Shown, Try
from benchmarks.serving import CLIENT, Server
from server.keys.token import TokenError
from server.tools.caller.attempt import attempt
from server.tools.caller.http_caller import HeadlessError, NoPlace

ARRIVAL_S = 1.0
"""Callers begin evenly within it."""
FAILED_S = 0.5
"""Between an attempt that was refused at once and the next."""
HAD_A_PLACE = ("headless_bad_answer", "headless_closed", "headless_timeout")
"""Codes of what went wrong after an offer was answered; the others are answers to the offer."""


def home(subject: str) -> str:
    """An address of loopback for each person: a server locks one from which 50 strangers came."""
    drawn = hashlib.sha256(subject.encode()).digest()
    return f"127.{1 + drawn[0] % 254}.{drawn[1]}.{1 + drawn[2] % 254}"


async def crowd(
    server: Server, parts: Iterator[Part], callers: int, seconds: float
) -> tuple[Try, ...]:
    """What became of everybody who came within `seconds`; those in line then leave, and those who
    have a place are waited for."""
    began_s = time.monotonic()
    tries: list[Try] = []

    async def line(n: int) -> None:
        await asyncio.sleep(n * ARRIVAL_S / callers)
        while time.monotonic() - began_s < seconds:
            tried = await one(server, next(parts), began_s, began_s + seconds)
            tries.append(tried)
            if tried.admitted_s is None:
                await asyncio.sleep(FAILED_S)

    await asyncio.gather(*(line(n) for n in range(callers)))
    return tuple(tries)


async def one(server: Server, part: Part, zero_s: float, until_s: float) -> Try:
    """One attempt, that waits for a place no longer than until then; times count from `zero_s`."""
    began_s = time.monotonic()
    asked_s: float | None = None
    verdict_s: float | None = None
    shown: list[Shown] = []
    refusals = 0

    def hear(message: dict[str, Any]) -> None:
        nonlocal verdict_s
        if message.get("type") == "verdict":
            verdict_s = time.monotonic()

    def wait_on(full: NoPlace) -> bool:
        nonlocal asked_s, refusals
        refusals += 1
        now_s = time.monotonic()
        if asked_s is None:
            asked_s = now_s  # a refusal takes a few ms
        if full.wait_s is not None:
            shown.append(Shown(now_s - zero_s, full.wait_s))
        return now_s < until_s

    def tried(outcome: str, reasons: tuple[str, ...], admitted_s: float | None) -> Try:
        return Try(
            stranger=part.stranger,
            film=part.film,
            asked_s=(asked_s or admitted_s or began_s) - zero_s,
            outcome=outcome,
            reasons=reasons,
            admitted_s=None if admitted_s is None else admitted_s - zero_s,
            verdict_s=None if verdict_s is None else verdict_s - zero_s,
            refusals=refusals,
            shown=tuple(shown),
        )

    try:
        result = await attempt(
            server_url=server.url, client_id=CLIENT, secret=server.secret, purpose="login",
            subject=part.subject, video=part.video, on_message=hear, wait_on=wait_on,
            address=home(part.subject),
        )  # fmt: skip
    except NoPlace:
        return tried("left", ("busy",), None)
    except HeadlessError as error:
        return tried("error", (error.code,), began_s if error.code in HAD_A_PLACE else None)
    except TokenError as error:
        return tried("token_wrong", (error.code,), began_s)
    assert verdict_s is not None
    # An offer that was held until there was a place was admitted when its answer came.
    times = result.timeline_ms
    since_ms = times["verdict"] - (times["answer"] if result.held else 0.0)
    reasons = tuple(map(str, result.verdict.get("reasons", ())))
    return replace(
        tried(str(result.verdict["outcome"]), reasons, verdict_s - since_ms / 1000),
        keys_asked=result.key_frames_asked,
    )
