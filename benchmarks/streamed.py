"""Do clips get the verdicts through WebRTC that they get without it?

    python -m benchmarks.streamed [--data ../shared/data] [--only NAME] [--at-once 2]

Streams every film of the manifest by the headless client to a server of its own, in which any face
is a match, and compares with the session that plays the same film offline (liveness.py). What
differs on the way: the encoder (1.4 instead of 0.6 Mbit/s), and times, which are those of arrival.
Table: docs/liveness.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2

from benchmarks.liveness import POLICY, play
from benchmarks.liveness_clips import Clip, NoClips, Seen, clips, version
from benchmarks.serving import CLIENT, Server, ServerFailed, serving
from models.manifest import default_dir
from pipeline.nets.ort import Nets, NetUnusable
from pipeline.reasons import Phase
from server.tools.caller.attempt import attempt
from server.tools.caller.http_caller import HeadlessError
from server.tools.clips import MediaError

ANYBODY = {
    "match_score": -1.0, "mismatch_score": -1.0, "identify_score": -1.0, "identify_margin": -3.0,
}  # fmt: skip
"""Sessions search for whoever it is: a search locks nobody's account."""


def offline(clip: Clip, nets: Nets, cache: Path, now: str) -> str:
    """The verdict of a session without a network."""
    seen = Seen(clip, nets, cache, now)
    outcome = play(seen, POLICY)
    seen.save()
    if outcome.phase is None:
        return "film over"
    return " ".join([outcome.phase.value, *(reason.value for reason in outcome.reasons)])


async def streamed(server: Server, clip: Clip) -> str:
    """The verdict of the server."""
    try:
        result = await attempt(
            server_url=server.url, client_id=CLIENT, secret=server.secret,
            purpose="identify", subject=None, video=clip.path,
        )  # fmt: skip
    except (HeadlessError, MediaError) as problem:
        return f"error {problem.code}"
    outcome = str(result.verdict["outcome"])
    if outcome == Phase.EXPIRED.value:
        return "film over"  # no more pictures: nothing is left but the time limit
    return " ".join([outcome, *map(str, result.verdict.get("reasons", ()))])


async def _all(server: Server, found: Sequence[Clip], enrolled: Clip, at_once: int) -> list[str]:
    await attempt(
        server_url=server.url, client_id=CLIENT, secret=server.secret,
        purpose="enroll", subject="anybody", video=enrolled.path, loop=True,
    )  # fmt: skip
    places = asyncio.Semaphore(at_once)

    async def one(clip: Clip) -> str:
        async with places:
            said = await streamed(server, clip)
            print(".", end="", file=sys.stderr, flush=True)
            return said

    return await asyncio.gather(*map(one, found))


def main(argv: Sequence[str] | None = None) -> int:
    """Stream, play, compare. 2: nothing could be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=default_dir().parent / "liveness")
    parser.add_argument("--only", default="", help="clips with this in their name")
    parser.add_argument("--enroll", default="cap12", help="the clip of whom to search for")
    parser.add_argument("--at-once", type=int, default=2)
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)
    try:
        every = clips(args.data)
        found = [clip for clip in every if args.only in clip.name]
        enrolled = next((clip for clip in every if args.enroll in clip.name), every[0])
        nets = Nets(default_dir())
        with tempfile.TemporaryDirectory(prefix="lookgate-bench-") as name:
            policy = Path(name) / "policy.json"
            policy.write_text(json.dumps(ANYBODY))
            with serving(Path(name), policy=str(policy)) as server:
                live = asyncio.run(_all(server, found, enrolled, args.at_once))
    except (NoClips, NetUnusable, ServerFailed, HeadlessError) as problem:
        print(f"nothing measured: {problem}", file=sys.stderr)
        return 2
    now = version(default_dir())
    pairs = [
        (clip, offline(clip, nets, args.cache, now), on)
        for clip, on in zip(found, live, strict=True)
    ]
    same = Counter(clip.group for clip, off, on in pairs if off == on)
    print("\n| group | films | the same verdict |\n|---|---|---|")
    for group, count in Counter(clip.group for clip in found).items():
        print(f"| {group} | {count} | {same[group]} |")
    print(f"| **all** | {len(found)} | {same.total()} |\n\n| film | offline | streamed |\n|-|-|-|")
    for clip, off, on in pairs:
        if off != on:
            print(f"| {clip.name} | {off} | {on} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
