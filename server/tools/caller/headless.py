"""A login without a browser: a video file as the camera, for command line, tests and benchmarks.

Speaks the page's half of docs/protocol.md with a session and ticket that a backend made. Knows
nothing of HTTP (http_caller.py), of WebRTC (rtc_caller.py), of files (server/tools/clips.py) or of
tapes (server/commands/tape_verbs.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from server.rtc.network import Network
from server.tools import clips
from server.tools.caller.http_caller import HOLD_S, HeadlessError, NoPlace, post_offer
from server.tools.caller.rtc_caller import Caller, Encoded

WIDGET = "lookgate-headless"
PING_S = 1.0
"""As docs/protocol.md says."""
HELD_S = 1.0
"""An answer that came sooner was not held."""
SILENCE_S = 4.0
"""After so long without a word, pongs included, nobody is there any more: as the page's element."""


@dataclass(frozen=True, slots=True)
class HeadlessResult:
    """What came of one attempt."""

    verdict: dict[str, Any]
    """The verdict message, with the token if the outcome is accepted: do not log it."""
    messages: tuple[tuple[float, dict[str, Any]], ...]
    """Every message of the server with the time of its arrival, ms after the offer was posted."""
    timeline_ms: dict[str, float]
    """answer, connected, channel, first_message, verdict: ms after the offer was posted that was
    answered."""
    held: bool
    """The server was free to hold that offer until there was a place."""
    frames_sent: int
    key_frames_asked: int
    """Requests of the server that an encoded video could not answer."""


class _Conversation:
    """What the server said, in order."""

    def __init__(self, on_message: Callable[[dict[str, Any]], None] | None) -> None:
        self.messages: list[tuple[float, dict[str, Any]]] = []
        self.times_s: dict[str, float] = {}
        self.verdict: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._on_message = on_message
        self._heard_s = 0.0

    def mark(self, stage: str, at_s: float | None = None) -> None:
        self.times_s.setdefault(stage, time.monotonic() if at_s is None else at_s)

    def hear(self, raw: str | bytes) -> None:
        try:
            message = json.loads(raw)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        at_s = self._heard_s = time.monotonic()
        self.mark("first_message", at_s)
        self.messages.append((at_s, message))
        if self._on_message is not None:
            self._on_message(message)
        if message.get("type") == "verdict" and not self.verdict.done():
            self.mark("verdict", at_s)
            self.verdict.set_result(message)

    async def silence(self, channel_open: asyncio.Event) -> None:
        """Return when the server has said nothing for SILENCE_S on an open channel."""
        await channel_open.wait()
        self._heard_s = max(self._heard_s, time.monotonic())
        while (left_s := self._heard_s + SILENCE_S - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left_s)  # until it would be too long, not to look again


async def run(
    *,
    server_url: str,
    session: str,
    ticket: str,
    video: Path | str | Iterator[clips.Timed] | Encoded,
    ice_servers: Sequence[Mapping[str, Any]] = (),
    origin: str | None = None,
    fps: float = 15,
    size: int = 640,
    loop: bool = False,
    on_message: Callable[[dict[str, Any]], None] | None = None,
    timeout_s: float = 40,
    network: Network | None = None,
    relay_only: bool = False,
    wait_on: Callable[[NoPlace], bool] | None = None,
    consent: Mapping[str, str] | None = None,
    address: str | None = None,
) -> HeadlessResult:
    """Play `video` (a film, a still, pictures with their seconds, or frames that are encoded
    already and sent as they are) until the verdict comes.

    At most `fps` pictures a second, at most `size` px on the longer side, at the file's own pace,
    from the moment of connection. A still is shown all the time; `loop` repeats a film. `origin`
    is the page's origin that the client registered; `relay_only` tries the TURN server among
    `ice_servers` and no other way. `wait_on` hears of every refusal for want of a place, and says
    whether to wait for one as docs/protocol.md tells; `timeout_s` begins anew with each wait.
    `consent`: that of an enrolment, as http_caller.agreed gives it. `address`: of this machine,
    from which the offer comes.
    Raises HeadlessError and clips.MediaError.
    """
    shown: Iterator[clips.Timed] | Encoded
    if isinstance(video, str | Path):
        shown = await _camera(Path(video), fps=fps, size=size, loop=loop)
    elif isinstance(video, Encoded):
        shown = video
    else:
        shown = ((t, clips.resize(picture, size)) for t, picture in video)
    talk = _Conversation(on_message)
    caller = await Caller.offer(
        shown,
        on_message=talk.hear,
        ice_servers=ice_servers,
        network=network or _near(server_url),
        relay_only=relay_only,
    )
    pinging: asyncio.Task[None] | None = None
    held = False
    offered_s = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s) as limit:
            while True:
                offered_s = time.monotonic()
                try:
                    answer = await post_offer(
                        server_url, session, ticket=ticket, origin=origin, sdp=caller.offer_sdp,
                        hold_s=HOLD_S if held else 0, consent=consent, address=address,
                    )  # fmt: skip
                    break
                except NoPlace as full:
                    if wait_on is None or not wait_on(full):
                        raise
                    pause_s = again_s(full, held_s=time.monotonic() - offered_s if held else None)
                    limit.reschedule(asyncio.get_running_loop().time() + pause_s + timeout_s)
                    await asyncio.sleep(pause_s)
                    held = full.ahead is not None
            talk.mark("answer")
            try:
                await caller.connect(answer)
            except ValueError as fault:
                raise HeadlessError("headless_bad_answer", "the answer is no SDP") from fault
            pinging = asyncio.create_task(_speak(caller, talk))
            verdict = await _wait(caller, talk)
    except TimeoutError as fault:
        if isinstance(caller.camera.fault, clips.MediaError):
            raise caller.camera.fault from fault
        stage = list(talk.times_s)[-1] if talk.times_s else "offer"
        raise HeadlessError("headless_timeout", f"no verdict in time (came to: {stage})") from fault
    finally:
        if pinging is not None:
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)
        await caller.close()
    return HeadlessResult(
        verdict=verdict,
        messages=tuple(((at_s - offered_s) * 1000, message) for at_s, message in talk.messages),
        timeline_ms={stage: (at_s - offered_s) * 1000 for stage, at_s in talk.times_s.items()},
        held=held,
        frames_sent=caller.camera.sent,
        key_frames_asked=caller.key_frames_asked,
    )


def again_s(full: NoPlace, *, held_s: float | None) -> float:
    """How long to wait until the next offer (docs/protocol.md, "Waiting in line").

    `held_s`: after how long this answer came, if the server was free to hold it.
    """
    in_line = full.ahead is not None
    was_held = held_s is None or held_s >= HELD_S
    return 0.0 if in_line and was_held else full.again_s


async def _speak(caller: Caller, talk: _Conversation) -> None:
    await caller.connected.wait()
    talk.mark("connected")
    await caller.channel_open.wait()
    talk.mark("channel")
    caller.send(json.dumps({"type": "hello", "version": 1, "widget": WIDGET}))
    n = 0
    while True:
        await asyncio.sleep(PING_S)
        caller.send(json.dumps({"type": "ping", "n": n}))
        n += 1


async def _wait(caller: Caller, talk: _Conversation) -> dict[str, Any]:
    ended = asyncio.create_task(caller.closed.wait())
    silent = asyncio.create_task(talk.silence(caller.channel_open))
    first: set[asyncio.Future[Any]] = {ended, silent, talk.verdict}
    try:
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.cancel()
        silent.cancel()
    if talk.verdict.done():
        return talk.verdict.result()
    if silent.done() and not silent.cancelled():
        raise HeadlessError("headless_silent", f"the server said nothing for {SILENCE_S:g} s")
    raise HeadlessError("headless_closed", "the connection ended without a verdict")


def _near(server_url: str) -> Network:
    """127.0.0.1 is only worth offering to a server on this machine."""
    host = urlsplit(server_url).hostname or ""
    with contextlib.suppress(ValueError):
        return Network(loopback=ipaddress.ip_address(host).is_loopback)
    return Network(loopback=host == "localhost")


async def _camera(path: Path, *, fps: float, size: int, loop: bool) -> Iterator[clips.Timed]:
    """Pictures ready to encode. What is wrong with the file is known before anybody is called."""
    clip = clips.read_clip(path, fps=fps)
    first = await asyncio.to_thread(next, clip, None)
    second = await asyncio.to_thread(next, clip, None)
    assert first is not None  # read_clip raises when there is no picture

    def played() -> Iterator[clips.Timed]:
        if second is None:
            still, n = clips.resize(first[1], size), 0
            while True:
                yield n / fps, still
                n += 1
        offset_s = last_s = 0.0
        pictures = itertools.chain([first, second], clip)
        while True:
            for time_s, picture in pictures:
                last_s = time_s
                yield offset_s + time_s, clips.resize(picture, size)
            if not loop:
                return
            offset_s += last_s + 1 / fps
            pictures = itertools.chain(clips.read_clip(path, fps=fps))

    return played()
