"""Does a server stay as it is, hour after hour, while people of all kinds come and go?

    python -m benchmarks.soak [--hours 8] [--callers 6] [--seed 1] [--json FILE]

Rounds of a minute: owners and strangers log in, people leave in the middle, enrol anew, and send
offers that are none. After each round all have left, and memory, descriptors, threads and tasks are
read. Fails if one of them grows, if a session stays `live` in the store, for a wrong verdict, and
for an error in the log. Not here: how many it carries (capacity/). Method: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import json
import random
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from pathlib import Path

from benchmarks import eager
from benchmarks.capacity import staged
from benchmarks.capacity.callers import one
from benchmarks.capacity.cast import Cast, Part, enrolled, named, recorded
from benchmarks.capacity.figures import End, Try
from benchmarks.capacity.run import quiet, say
from benchmarks.numbers import table_head, table_row
from benchmarks.serving import CLIENT, Server, ServerFailed, end_when_told, serving, tree
from server.memory import PACE_S
from server.rtc.network import Network
from server.tools.caller.attempt import attempt
from server.tools.caller.http_caller import HeadlessError, create_session, post_offer
from server.tools.caller.rtc_caller import Caller

ROUND_S = 60.0
FEWEST_ROUNDS = 9
"""A short run has shorter rounds."""
SETTLE_S = 2 * PACE_S + 1.0
"""After the last session: until its memory was given back, and idle HTTP connections are closed."""
EMPTY_S = 45.0
"""The longest that a session may outlive its page: its time limit, and some more."""
WARM_S = 300.0
"""What comes before does not count, or a third of a shorter run: caches and pools fill."""
MB_PER_H = 1.0
SCATTER_MB = 8.0
"""Memory at rest differs by so much from one look to the next, because the allocator gives back
whole pages only (measured: docs/benchmarks.md). A median of n slopes is the nearer the truth the
more looks there are, so this much over the root of their number is allowed beside MB_PER_H."""
STRANGERS = 0.15


@dataclass(frozen=True, slots=True)
class Look:
    """The server at rest."""

    at_s: float
    rss_mb: float
    descriptors: int
    threads: int
    tasks: int

    @classmethod
    async def at(cls, server: Server, at_s: float) -> Look:
        """Its process and children, and its event loop's tasks."""
        counted = await asyncio.to_thread(server.metrics)
        processes = [Path(f"/proc/{pid}") for pid in tree(server.pid)]
        return cls(
            at_s,
            server.rss_mb(),
            sum(len(list((process / "fd").iterdir())) for process in processes),
            sum(len(list((process / "task").iterdir())) for process in processes),
            int(counted[staged.TASKS]),
        )


SLACK = {"descriptors": 4, "threads": 4, "tasks": 2}
"""More than after the warm-up, at most: a request that is open while we look, and a thread of a
pool that was not needed before."""


def grown(looks: Sequence[Look]) -> list[str]:
    """What grew, from looks after the warm-up; nothing is said of fewer than three."""
    if len(looks) < 3:
        return ["too few looks to say anything"]
    found = []
    hours = (looks[-1].at_s - looks[0].at_s) / 3600
    growth_mb = hours * slope(looks)
    most_mb = hours * MB_PER_H + SCATTER_MB / len(looks) ** 0.5
    if growth_mb > most_mb:
        found.append(f"memory grew by {growth_mb:.1f} MB in {hours:.2f} h; {most_mb:.1f} are let")
    for name, slack in SLACK.items():
        values = [getattr(look, name) for look in looks]
        # The last looks all: one look may fall on something that is about to end.
        if min(values[-3:]) > values[0] + slack:
            found.append(f"{name} grew from {values[0]} to {min(values[-3:])}")
    return found


def slope(looks: Sequence[Look]) -> float:
    """MB an hour: the median of the slopes of all pairs (Theil 1950, Sen 1968)."""
    return statistics.median(
        (b.rss_mb - a.rss_mb) / (b.at_s - a.at_s) * 3600
        for a, b in itertools.combinations(looks, 2)
    )


def counted(looks: Sequence[Look], seconds: float) -> list[Look]:
    """Those after the warm-up of a run of that length."""
    return [look for look in looks if look.at_s >= min(WARM_S, seconds / 3)]


def unfinished(data_dir: Path) -> int:
    """Sessions that were begun and have no end."""
    with contextlib.closing(sqlite3.connect(data_dir / "lookgate.sqlite3")) as db:
        (count,) = db.execute("SELECT count(*) FROM sessions WHERE state = 'live'").fetchone()
    return int(count)


def errors(log: str) -> Counter[str]:
    """Messages of the server's own mistakes, and lines that are no log at all."""
    found: Counter[str] = Counter()
    for line in log.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            found[f"no JSON: {line[:60]}"] += 1
            continue
        if row.get("level") in ("error", "critical"):
            found[str(row.get("message"))] += 1
    return found


# Who comes

Visit = Callable[["Round"], Awaitable[str]]
"""One of them, from beginning to end; says what became of it."""


@dataclass(slots=True)
class Round:
    """What visits share."""

    server: Server
    cast: Cast
    rng: random.Random
    parts: Iterator[Part]
    wrong: list[Try]
    until_s: float = 0.0
    """Who waits in line leaves then."""
    there: set[str] = field(default_factory=set)
    """Subjects of those who are judged or enrol now: a newer session of one ends the older one."""

    @contextlib.contextmanager
    def staying(self, subject: str) -> Iterator[None]:
        """Nobody else comes as that subject meanwhile."""
        self.there.add(subject)
        try:
            yield
        finally:
            self.there.discard(subject)


async def log_in(at: Round) -> str:
    """An owner or a stranger, who is judged."""
    now_s = time.monotonic()
    part = next(part for part in at.parts if part.subject not in at.there)
    with at.staying(part.subject):
        tried = await one(at.server, part, now_s, at.until_s)
    if tried.end in (End.WRONG_IN, End.WRONG_OUT, End.TIMEOUT, End.FAULT):
        at.wrong.append(tried)
    return tried.end.value


async def leave(at: Round) -> str:
    """Somebody who closes the page, at any moment of a login."""
    now_s = time.monotonic()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(at.rng.uniform(0.01, 2.5)):
            part = next(part for part in at.parts if part.subject not in at.there)
            await one(at.server, part, now_s, at.until_s)
    return "left"


async def enrol(at: Round) -> str:
    """A person again."""
    who = at.rng.choice(at.cast.people)
    names = (named(who.name, n) for n in range(20))
    subject = at.rng.choice([name for name in names if name not in at.there])
    try:
        with at.staying(subject):
            tried = await attempt(
                server_url=at.server.url, client_id=CLIENT, secret=at.server.secret,
                purpose="enroll", subject=subject, replace=True, video=who.enrolment.take(0),
                wait_on=lambda full: time.monotonic() < at.until_s,
            )  # fmt: skip
    except HeadlessError as error:
        return f"enrolment: {error.code}"
    return f"enrolment: {tried.verdict['outcome']}"


async def offer_nonsense(at: Round) -> str:
    """A page whose offer is none, or of which nobody is behind, or whose ticket is not its own."""
    wish = {"purpose": "login", "subject": "nobody", "nonce": "n" * 24}
    made = await create_session(at.server.url, client_id=CLIENT, secret=at.server.secret, wish=wish)
    film = next(at.parts).video
    caller = await Caller.offer(film, on_message=lambda _: None, network=Network(loopback=True))
    try:
        sdp, ticket = at.rng.choice(NONSENSE)(caller.offer_sdp, at.rng), made["ticket"]
        if at.rng.random() < 0.2:
            ticket = ticket[::-1]
        await post_offer(at.server.url, made["session"], ticket=ticket, origin=None, sdp=sdp)
    except HeadlessError as error:
        return f"nonsense: {error.code}"
    finally:
        await caller.close()
    return "nonsense: answered"


NONSENSE: tuple[Callable[[str, random.Random], str], ...] = (
    lambda sdp, rng: "",
    lambda sdp, rng: sdp[: rng.randrange(len(sdp))],
    lambda sdp, rng: sdp.replace("m=video", "m=audio"),
    lambda sdp, rng: "".join(line for line in sdp.splitlines(True) if rng.random() < 0.9),
    lambda sdp, rng: sdp.replace("sha-256 ", "sha-256 00:"),
    lambda sdp, rng: sdp + "a=x\r\n" * 2000,
    lambda sdp, rng: sdp,  # good, but the caller hangs up: nobody ever connects
)

VISITS: tuple[tuple[Visit, float], ...] = (
    (log_in, 0.55), (leave, 0.2), (offer_nonsense, 0.15), (enrol, 0.1),
)  # fmt: skip
"""With their shares."""


async def visit(at: Round, told: Counter[str]) -> None:
    """One after the other, until the round is over."""
    kinds, shares = zip(*VISITS, strict=True)
    while time.monotonic() < at.until_s:
        (kind,) = at.rng.choices(kinds, shares)
        try:
            told[await kind(at)] += 1
        except HeadlessError as error:
            told[f"{kind.__name__}: {error.code}"] += 1
            await asyncio.sleep(0.5)


async def soak(
    server: Server, cast: Cast, seconds: float, callers: int, seed: int
) -> tuple[list[Look], Counter[str], list[Try]]:
    """Rounds until the time is over. Raises ServerFailed if sessions do not end."""
    quiet()
    people = await enrolled(server, cast.people)
    found = replace(cast, people=people)
    at = Round(server, found, random.Random(seed), found.parts(), [])
    told: Counter[str] = Counter()
    began_s = time.monotonic()
    round_s = min(ROUND_S, seconds / FEWEST_ROUNDS - SETTLE_S)
    looks: list[Look] = []
    while (now_s := time.monotonic()) < began_s + seconds:
        at.until_s = min(now_s + round_s, began_s + seconds)
        await asyncio.gather(*(visit(at, told) for _ in range(callers)))
        await _empty(server)
        looks.append(await Look.at(server, time.monotonic() - began_s))
        say(f"{looks[-1]}; {sum(told.values())} visits")
    return looks, told, at.wrong


async def _empty(server: Server) -> None:
    deadline_s = time.monotonic() + EMPTY_S
    while (await asyncio.to_thread(server.metrics)).get("lookgate_sessions_active"):
        if time.monotonic() > deadline_s:
            raise ServerFailed(f"sessions go on for {EMPTY_S:g} s after everybody has left")
        await asyncio.sleep(0.25)
    await asyncio.sleep(SETTLE_S)


def table(looks: Sequence[Look]) -> list[str]:
    """A row a look, not more than twenty."""
    names = [one.name for one in fields(Look)]
    lines = table_head(names[0], names[1:])
    for look in looks[:: max(1, len(looks) // 20)]:
        at, *values = (f"{value:.0f}" for value in astuple(look))
        lines.append(table_row(at, values))
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Run and judge. 1: something grew or went wrong; 2: it could not be measured."""
    end_when_told()
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    add = parser.add_argument
    add("--hours", type=float, default=8.0)
    add("--callers", type=int, default=6, help="at the same time")
    add("--seed", type=int, default=1, help="of who comes and what they do")
    add("--models", type=Path, default=None, help="folder with the nets")
    add("--json", type=Path, default=None, help="write every look to this file")
    given = parser.parse_args(arguments)
    seconds = 3600 * given.hours
    try:
        say("encoding the films")
        cast = Cast(recorded(), STRANGERS)
        gc.freeze()
        with tempfile.TemporaryDirectory(prefix="lookgate-soak-") as folder:
            with serving(Path(folder), given.models, module=eager.__name__) as server:
                looks, told, wrong = asyncio.run(
                    soak(server, cast, seconds, given.callers, given.seed)
                )
                open_sessions = unfinished(server.data_dir)
            mistakes = errors(server.log())
    except (ServerFailed, HeadlessError, subprocess.SubprocessError) as error:
        say(f"not measured: {error}")
        return 2
    print("\n".join(table(looks)))
    print("\n" + ", ".join(f"{n} {what}" for what, n in told.most_common()))
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(look) for look in looks]))
    after = counted(looks, seconds)
    if len(after) > 2:
        print(f"\n{slope(after):.1f} MB an hour over {len(after)} looks after the warm-up")
    failures = grown(after)
    failures += [f"ended {tried.end.value}: {', '.join(tried.reasons)}" for tried in wrong]
    failures += [f"{n} times in the log: {message}" for message, n in mistakes.items()]
    if open_sessions:
        failures.append(f"{open_sessions} sessions are live in the store, and nobody is there")
    if not told[End.RIGHT.value]:
        failures.append("nobody got a right verdict")
    for failure in failures:
        print(f"NOT AS IT MUST BE: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
