"""`lookgate replay` and `lookgate explain`: what they are given, what they print, how they end.

Here: lines for a person and exit codes. Not here: playing (pipeline/tape), measuring again
(reseeing.py), streaming (attempt.py). Exit codes: 0 the same, 1 something differs or was refused.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from dataclasses import asdict
from typing import Any

from pipeline.encoded import is_key
from pipeline.events import Decided
from pipeline.policy import Policy
from pipeline.tape import TapeError
from pipeline.tape.explain import explain
from pipeline.tape.explain_html import html_of
from pipeline.tape.reader import Tape, open_tape
from pipeline.tape.replay import Replayed, replay
from pipeline.tape.video import jpeg, packet, pictures, received
from server import log
from server.settings import policies
from server.settings.load import command_line, load
from server.tools import reseeing
from server.tools.caller.http_caller import HeadlessError
from server.tools.caller.rtc_caller import Encoded

DIFFERENT = 1
SHOWN = 12
"""Differences that are printed."""
STRIP = 24
"""Pictures on a page."""
PICTURE_PX = 208
"""Width of a picture on a page, shown at half of it."""


def replay_verb(given: argparse.Namespace) -> int:
    """`lookgate replay`."""
    tape = open_tape(given.tape)
    if given.webrtc:
        return _webrtc(given, tape)
    if given.see:
        return _see(given, tape)
    policy = None if given.policy is None else policies.load(given.policy, tape.policy)
    played, took_s = _played(tape, policy, torn=given.torn, times=given.times)
    length_s = played.length_s
    first = _pace(length_s, took_s[0])
    print(f"played    {played.observations} observations, {length_s:.2f} s in {first}")
    if again_s := took_s[1:]:
        best, middle = (_pace(length_s, s) for s in (min(again_s), statistics.median(again_s)))
        print(f"again     {len(again_s)} times, at best in {best}, mostly in {middle}")
    if played.torn:
        print("end       missing: the recording broke off, what is there was read")
    if policy is not None:
        return _judged(played, tape.policy, policy)
    print(f"recorded  {_ended(played.recorded)}")
    print(f"now       {_ended(played.decided)}")
    _differences(played)
    if played.asks_differ:
        print(f"asks      {played.asks_differ} frames would be measured differently now")
    print("result    " + ("the same events" if played.same else f"{played.differ} differences"))
    return 0 if played.same else DIFFERENT


def _played(
    tape: Tape, policy: Policy | None, *, torn: bool, times: int
) -> tuple[Replayed, list[float]]:
    """What came of it, the first time that anything differed if it did, and the seconds of each."""
    kept: Replayed | None = None
    took_s = []
    for _ in range(times):
        began_s = time.perf_counter()
        played = replay(tape, policy=policy, torn=torn)
        took_s.append(time.perf_counter() - began_s)
        if kept is None or (kept.same and not played.same):
            kept = played
    assert kept is not None
    return kept, took_s


def _pace(length_s: float, took_s: float) -> str:
    return f"{1000 * took_s:.1f} ms ({length_s / max(took_s, 1e-6):.0f} x real time)"


def _judged(played: Replayed, was: Policy, policy: Policy) -> int:
    """What another policy changes."""
    before, after = asdict(was), asdict(policy)
    for name in after:
        if before[name] != after[name]:
            print(f"policy    {name}: {before[name]} -> {after[name]}")
    print(f"recorded  {_ended(played.recorded)}")
    print(f"judged    {_ended(played.decided)}")
    if played.decided is None and played.recorded is not None:
        print("          the tape ends before this policy decides")
    _differences(played)
    if played.asks_differ:
        print(
            f"asks      {played.asks_differ} frames would have been measured differently:"
            " what was not measured is not on the tape"
        )
    same = _ended(played.recorded) == _ended(played.decided)
    print("result    " + ("the same verdict" if same else "another verdict"))
    return 0 if same else DIFFERENT


def _differences(played: Replayed) -> None:
    for one in played.differences[:SHOWN]:
        print(f"line {one.line:<5}recorded {one.recorded}, now {one.now}")
    if played.differ > SHOWN:
        print(f"          and {played.differ - SHOWN} more")


def _ended(decided: Decided | None) -> str:
    if decided is None:
        return "no verdict"
    return decided.phase.value + (f" ({', '.join(decided.reasons)})" if decided.reasons else "")


def _see(given: argparse.Namespace, tape: Tape) -> int:
    from server.frames.look import load_see, votes
    from server.session.recorder import nets_here

    settings = load()
    log.set_up(style=settings.log_format, level="warning")
    look, embedder = load_see(settings.models_dir, settings.embedder)
    other = None if settings.embedder is None else embedder.model_id
    recorded = tape.header.get("models")
    if recorded is not None and recorded != nets_here(other, votes(settings.models_dir)):
        print("nets      others than those of the recording")
    seen = reseeing.resee(tape, look, torn=given.torn)
    print(f"seen      {seen.frames} frames, {seen.identical} of them bit for bit the same")
    if seen.absent:
        print(f"absent    {seen.absent} observations have no picture in the video")
    for name, worst in sorted(seen.worst.items(), key=lambda item: -item[1])[:SHOWN]:
        print(f"differs   {name:<28}{worst:.2g}")
    print(f"recorded  {_ended(seen.recorded)}")
    print(f"now       {_ended(seen.decided)}")
    within = "within" if seen.within else "NOT within"
    print(f"result    {within} the tolerance of {reseeing.TOLERANCE:g}")
    same = _ended(seen.recorded) == _ended(seen.decided)
    return 0 if seen.within and same else DIFFERENT


def _webrtc(given: argparse.Namespace, tape: Tape) -> int:
    from server.tools.caller import attempt

    if not given.client:
        raise HeadlessError("client_missing", "give --client, the relying app's id")
    log.set_up(style="plain", level="warning")
    told = command_line()
    purpose = str(tape.header.get("purpose"))
    subject = given.subject or tape.header.get("subject")
    video = _encoded(tape, torn=given.torn)
    result = asyncio.run(
        attempt.attempt(
            server_url=(given.server or told["server"] or "").rstrip("/"),
            client_id=given.client,
            secret=attempt.secret_of(given.secret_file),
            purpose=purpose,
            subject=None if purpose == "identify" else subject,
            video=video,
            origin=given.origin,
            consent=given.consent,
        )
    )
    print("\n".join(attempt.report(result)))
    print(f"sent      {result.frames_sent} of {len(video.frames)} frames as recorded")
    if result.key_frames_asked:
        print(f"asked     {result.key_frames_asked} times for a key frame, which no tape can make")
    recorded = next(
        (line.value for line in tape.lines(torn=given.torn) if isinstance(line.value, Decided)),
        None,
    )
    print(f"recorded  {_ended(recorded)}")
    same = recorded is not None and recorded.phase.value == result.verdict.get("outcome")
    return 0 if same else DIFFERENT


def _frames(tape: Tape, *, torn: bool) -> list[Any]:
    return [line.value for line in tape.lines(torn=torn) if line.kind == "frame"]


def _encoded(tape: Tape, *, torn: bool) -> Encoded:
    """The frames as they were received, at the times of their arrival, with the sender's ticks."""
    with tape.video() as stream:
        found = list(received(_frames(tape, torn=torn), stream, torn=torn))
    if not found:
        raise TapeError("tape_video", "the video has no picture")
    first, data = found[0]
    if not is_key(first.codec, data):
        raise HeadlessError(
            "headless_no_key_frame",
            "the recording does not begin with a key frame: what follows cannot be decoded",
        )
    if any(line.codec != first.codec for line, _ in found):
        raise TapeError("tape_video", "the codec changes on the way")
    return Encoded(
        first.codec,
        [(line.t - first.t, packet(data, line.ticks)) for line, data in found],
    )


def explain_verb(given: argparse.Namespace) -> int:
    """`lookgate explain`."""
    tape = open_tape(given.tape)
    policy = None if given.policy is None else policies.load(given.policy, tape.policy)
    played = replay(tape, policy=policy, torn=given.torn, rows=True)
    if given.html is None:
        tables = [(at_s - played.first_s, rows) for at_s, rows in played.rows]
        print(explain(tables, played.limits), end="")
        print(f"\nverdict: {_ended(played.decided)}")
        return 0
    strip = _strip(tape, played, torn=given.torn) if tape.has_video else []
    given.html.touch(mode=0o600)
    given.html.write_text(html_of(tape, played, strip), "utf-8")
    print(f"wrote {given.html}")
    if strip:
        print("It shows the person's face: share it only with those who may see it.")
    return 0


def _strip(tape: Tape, played: Replayed, *, torn: bool) -> list[tuple[float, bytes]]:
    """Some pictures, evenly spread, with their seconds since the tape began."""
    frames = _frames(tape, torn=torn)
    step = max(1, -(-len(frames) // STRIP))
    wanted = {line.ticks: line.t - played.first_s for line in frames[::step]}
    with tape.video() as stream:
        return [
            (wanted[ticks], jpeg(picture, PICTURE_PX))
            for ticks, picture in pictures(frames, stream, torn=torn)
            if ticks in wanted
        ]
