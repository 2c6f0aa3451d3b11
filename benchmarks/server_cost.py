"""What a login costs a server: CPU of its process, decoding, network and store included.

    python -m benchmarks.server_cost [--against FOLDER] [--policy FILE] [--rounds 3] [--models DIR]

The thirteen passages of cost.py, coded once, each played as a login of its own to `lookgate serve`,
one at a time. `--against` is another working tree of this project: its server runs at the same
time, every passage is played to both before the next one, and ratios are printed. `--policy` is for
the server here alone, as where a later verdict is to be compared. Not here: one thread without a
server (cost.py), the stages of a login (login.py). Source of the numbers: proc(5).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from statistics import mean, median
from typing import Any

import av

from benchmarks.cost import PASSAGES, Coded, coded
from benchmarks.serving import CLIENT, ROOT, Server, ServerFailed, serving
from server.keys.token import TokenError
from server.tools.caller.attempt import attempt
from server.tools.caller.http_caller import HeadlessError
from server.tools.caller.rtc_caller import Encoded
from tests.e2e.cameras import FPS

ENROLMENTS = {"franck": ("franck", 0.0), "cap13": ("cap12", 0.0)}
"""By the clip of a login: clip and start of the same man's enrolment."""
REST_S = 3.0
"""After a login. So a server has one every nine seconds if two are compared, and gives memory back
after each third (server/memory.py); what that costs is counted, whenever it comes."""
ALIKE = 1
"""Frames by which two logins may differ and still be compared."""


@dataclass(slots=True)
class Round:
    """Every passage once, of one server."""

    cpu_s: list[float] = field(default_factory=list)
    """Of the server, by login."""
    frames: list[float] = field(default_factory=list)
    """Seen, by login."""
    outcomes: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """Seconds from each click to its verdict."""

    @property
    def ms(self) -> float:
        """CPU of the server, a login."""
        return 1000 * mean(self.cpu_s)


def film(packets: Coded) -> Encoded:
    """As a caller sends it."""
    frames = []
    for n, data in enumerate(packets):
        packet: av.Packet = av.Packet(data)
        packet.pts, packet.time_base = n, Fraction(1, FPS)
        frames.append((n / FPS, packet))
    return Encoded("VP8", frames)


async def called(
    server: Server, purpose: str, subject: str, packets: Coded, times: list[float] | None = None
) -> str:
    """One attempt: how it ended. `times` gets its seconds from the click, which asks for a session,
    to the verdict with its token."""
    said: list[str] = []
    clicked_s = time.perf_counter()

    def hear(message: dict[str, Any]) -> None:
        if message.get("type") == "verdict":
            said.extend([str(message["outcome"]), *map(str, message.get("reasons", ()))])
            if times is not None:
                times.append(time.perf_counter() - clicked_s)

    try:
        await attempt(
            server_url=server.url, client_id=CLIENT, secret=server.secret,
            purpose=purpose, subject=subject, video=film(packets), on_message=hear,
        )  # fmt: skip
    except HeadlessError as error:
        return f"error {error.code}"
    except TokenError:
        pass  # the other tree's tokens may have other claims than ours; the verdict counts
    return " ".join(said)


async def enrolled(server: Server, films: dict[str, Coded]) -> None:
    """Enrol both men. Raises ServerFailed."""
    for subject, packets in films.items():
        outcome = await called(server, "enroll", subject, packets)
        if outcome != "accepted":
            raise ServerFailed(f"{subject} is not enrolled: {outcome}")


async def one_round(servers: Sequence[Server], films: Sequence[Coded]) -> list[Round]:
    """Each film at each server. Every second film begins with the other one."""
    rounds = {server.url: Round() for server in servers}
    for n, ((subject, _), packets) in enumerate(zip(PASSAGES, films, strict=True)):
        for server in servers[:: -1 if n % 2 else 1]:
            found = rounds[server.url]
            cpu_s, frames = server.cpu_s(), server.metrics()["lookgate_frames_total"]
            found.outcomes.append(await called(server, "login", subject, packets, found.times))
            await asyncio.sleep(REST_S)
            found.cpu_s.append(server.cpu_s() - cpu_s)
            found.frames.append(server.metrics()["lookgate_frames_total"] - frames)
    return list(rounds.values())


def table(done: Sequence[Sequence[Round]], titles: Sequence[str]) -> Iterator[str]:
    """Medians and ranges of the rounds, a column a server; the first is the base."""
    yield f"| | {' | '.join(titles)} |\n|---|{'---|' * len(titles)}"
    columns = list(zip(*done, strict=True))
    yield _row("server, CPU ms a login", [[one.ms for one in rounds] for rounds in columns])
    times = [[1000 * median(one.times) for one in rounds] for rounds in columns]
    yield _row("click to verdict, median ms", times)
    looked = [[mean(one.frames) for one in rounds] for rounds in columns]
    yield _row("frames seen, a login", looked)
    accepted = [Counter(outcome.split()[0] for one in rounds for outcome in one.outcomes)
                for rounds in columns]  # fmt: skip
    counts = (", ".join(f"{n} {what}" for what, n in one.items()) for one in accepted)
    yield f"| logins | {' | '.join(counts)} |"
    if len(titles) > 1:
        ratios = [row[-1].ms / row[0].ms for row in done]
        yield f"\n{titles[-1]} over {titles[0]}: {_range(ratios, 2)}, {len(done)} rounds"
        pairs = [zip(row[0].times, row[-1].times, strict=True) for row in done]
        later = [1000 * (here - there) for row in pairs for there, here in row]
        yield f"click to verdict, each film {titles[-1]} less {titles[0]}: {_range(later, 0)} ms"
        there, here = _alike(done)
        if there:
            alike = f"{len(there)} of {sum(len(row[0].frames) for row in done)} pairs"
            yield f"in {alike} that saw as many frames: {sum(here) / sum(there):.2f}"


def _alike(done: Sequence[Sequence[Round]]) -> tuple[list[float], list[float]]:
    """CPU seconds of both where a passage took as many frames, give or take `ALIKE`.

    On a busy machine a passage needs a second window here or there, which costs more than what is
    compared.
    """
    there: list[float] = []
    here: list[float] = []
    for first, *_, last in done:
        for n, seen in enumerate(first.frames):
            if abs(seen - last.frames[n]) <= ALIKE:
                there.append(first.cpu_s[n])
                here.append(last.cpu_s[n])
    return there, here


def _row(name: str, columns: Sequence[Sequence[float]]) -> str:
    return f"| {name} | {' | '.join(_range(values, 0) for values in columns)} |"


def _range(values: Sequence[float], digits: int) -> str:
    low, middle, high = (f"{one:.{digits}f}" for one in (min(values), median(values), max(values)))
    return middle if low == high else f"{middle} ({low}–{high})"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. 2: it could not be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--against", type=Path, help="another working tree")
    parser.add_argument("--policy", type=Path, help="LOOKGATE_POLICY of the server here")
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument("--models", type=Path, default=None, help="folder with the nets")
    args = parser.parse_args(argv)
    trees = {} if args.against is None else {"there": args.against.resolve()}
    trees["here"] = ROOT
    films = [coded(*passage) for passage in PASSAGES]
    people = {subject: coded(*passage) for subject, passage in ENROLMENTS.items()}
    done: list[list[Round]] = []
    try:
        with contextlib.ExitStack() as open_until:
            servers = []
            for tree in trees.values():
                folder = open_until.enter_context(tempfile.TemporaryDirectory(prefix="lookgate-"))
                own = args.policy is not None and tree == ROOT
                changed = {"policy": str(args.policy.resolve())} if own else {}
                made = serving(Path(folder), args.models, root=tree, **changed)
                servers.append(open_until.enter_context(made))
            for server in servers:
                asyncio.run(enrolled(server, people))
            time.sleep(REST_S)
            for _ in range(args.rounds):
                done.append(asyncio.run(one_round(servers, films)))
                print([f"{one.ms:.0f}" for one in done[-1]], file=sys.stderr, flush=True)
    except (ServerFailed, HeadlessError) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 2
    print("\n".join(table(done, list(trees))))
    for n, passage in enumerate(PASSAGES):
        print(*passage, " | ".join(one.outcomes[n] for one in done[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
