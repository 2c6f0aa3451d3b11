"""The data channel's language: strict reading of the page's messages, writing of the server's.

No sockets, no clock, no session: bytes in, values or a `BadMessage` out, never an exception.
Source: docs/protocol.md; tests/vectors/protocol holds one file per message or fault.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.cues.camera import KINDS
from pipeline.events import Challenged, Hinted, PhaseChanged, Progressed
from server import strict_json

MAX_BYTES = 4096
"""A hello is about 120 bytes; an order of magnitude is room enough."""
MAX_DEPTH = 8
"""The deepest message has 2 levels."""
RATE_PER_S = 20.0
BURST = 40.0
MAX_REFUSALS = 5
"""After so many refused messages the session ends: no honest widget sends even one."""
VERSION = 1
MAX_N = 2**31 - 1
MAX_MS = 60_000.0
"""A challenge is over within a session."""
MAX_STEP = 63


class Fault(StrEnum):
    """Why a message was refused."""

    TOO_LARGE = "message_too_large"
    MALFORMED = "message_malformed"
    UNKNOWN = "message_unknown"
    INVALID = "message_invalid"
    RATE = "message_rate"


TEXTS: Mapping[str, str] = {
    Fault.TOO_LARGE: "This message is longer than 4096 bytes.",
    Fault.MALFORMED: "This message is not a JSON object in text form.",
    Fault.UNKNOWN: "The server does not know messages of this type.",
    Fault.INVALID: "A field of this message has a value that is not allowed.",
    Fault.RATE: "Messages come too fast.",
    "session_over": "This session is already over.",
    "subject_enrolled": "This subject was enrolled by another session meanwhile.",
    "enrolment_refused": "This enrolment was refused; the relying app can say why.",
    "video_too_large": "The camera's picture is larger than 1920x1088 pixels.",
    "store_unavailable": "The server cannot reach its database.",
    "session_replaced": "A newer session of this person began at the same address.",
    "busy": "The server has as many sessions as it takes.",
    "server_stopping": "The server is being stopped.",
    "internal": "The server made a mistake.",
}
"""Every code that an `error` message may carry, and its sentence."""


@dataclass(frozen=True, slots=True)
class Camera:
    """What the browser says its camera does; a claim, never trusted."""

    width: float
    """Pixels."""
    height: float
    """Pixels."""
    fps: float
    """Frames a second."""
    kind: str | None = None
    """What sort of camera its name tells of (pipeline.cues.camera.KINDS), if the page told."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The page introduces itself."""

    version: int
    """Of this protocol; 1."""
    widget: str
    """Name and version of the widget, at most 32 characters."""
    camera: Camera | None = None
    """Settings of the camera, if the page told them."""
    reduced_motion: bool | None = None
    """Whether the person asked for less motion; None: the page is too old to say."""


@dataclass(frozen=True, slots=True)
class Ping:
    """The page is alive."""

    n: int
    """0 to 2^31-1, given back by the pong."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """The person gave up."""


@dataclass(frozen=True, slots=True)
class Painted:
    """A step of a challenge is on the screen; a claim, believed within bounds."""

    n: int
    """Which challenge."""
    step: int
    """Which of its steps, from 0."""
    ms: float
    """Since the challenge came."""


@dataclass(frozen=True, slots=True)
class Decline:
    """The person does not want to be recorded; the session goes on."""


Message = Hello | Ping | Cancel | Painted | Decline


@dataclass(frozen=True, slots=True)
class BadMessage:
    """A message that was not understood; its text is never repeated anywhere."""

    code: Fault
    """Stable, for the `error` message."""


class _Invalid(ValueError):
    """Inside `parse` only."""


def parse(data: str | bytes) -> Message | BadMessage:
    """Read one message of the page. Never raises, whatever comes."""
    # Sizes count in bytes of UTF-8; a lone surrogate cannot come over SCTP, but must not raise.
    raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_BYTES:
        return BadMessage(Fault.TOO_LARGE)
    if isinstance(data, bytes):
        return BadMessage(Fault.MALFORMED)
    try:
        fields = strict_json.parse(data, max_depth=MAX_DEPTH)
    except ValueError:
        return BadMessage(Fault.MALFORMED)
    kind = fields.pop("type", None)
    if not isinstance(kind, str):
        return BadMessage(Fault.INVALID)
    reader = _READERS.get(kind)
    if reader is None:
        return BadMessage(Fault.UNKNOWN)
    try:
        return reader(fields)
    except _Invalid:
        return BadMessage(Fault.INVALID)


def _only(fields: Mapping[str, Any], required: set[str], optional: frozenset[str]) -> None:
    if not required <= fields.keys() or fields.keys() - required - optional:
        raise _Invalid


def _integer(value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _Invalid
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Invalid
    try:
        number = float(value)
    except OverflowError:
        raise _Invalid from None
    if not math.isfinite(number):
        raise _Invalid
    return number


def _text(value: Any, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise _Invalid
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise _Invalid
    return value


def _one_of(value: Any, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise _Invalid
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Invalid
    return value


def _hello(fields: dict[str, Any]) -> Hello:
    _only(fields, {"version", "widget"}, frozenset({"camera", "reduced_motion"}))
    camera = None
    if "camera" in fields:
        claim = fields["camera"]
        if not isinstance(claim, dict):
            raise _Invalid
        _only(claim, {"width", "height", "fps"}, frozenset({"kind"}))
        width, height, fps = (_number(claim[name]) for name in ("width", "height", "fps"))
        kind = _one_of(claim["kind"], KINDS) if "kind" in claim else None
        camera = Camera(width, height, fps, kind)
    version = _integer(fields["version"], VERSION, VERSION)
    still = _flag(fields["reduced_motion"]) if "reduced_motion" in fields else None
    return Hello(version, _text(fields["widget"], 32), camera, still)


def _ping(fields: dict[str, Any]) -> Ping:
    _only(fields, {"n"}, frozenset())
    return Ping(_integer(fields["n"], 0, MAX_N))


def _cancel(fields: dict[str, Any]) -> Cancel:
    _only(fields, set(), frozenset())
    return Cancel()


def _painted(fields: dict[str, Any]) -> Painted:
    _only(fields, {"n", "step", "ms"}, frozenset())
    ms = _number(fields["ms"])
    if not 0.0 <= ms <= MAX_MS:
        raise _Invalid
    return Painted(_integer(fields["n"], 1, MAX_N), _integer(fields["step"], 0, MAX_STEP), ms)


def _decline(fields: dict[str, Any]) -> Decline:
    _only(fields, set(), frozenset())
    return Decline()


_READERS: Mapping[str, Callable[[dict[str, Any]], Message]] = {
    "hello": _hello,
    "ping": _ping,
    "cancel": _cancel,
    "decline": _decline,
    "painted": _painted,
}


def _dump(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields}, allow_nan=False, separators=(",", ":"))


def encode(event: PhaseChanged | Progressed | Hinted | Challenged) -> str:
    """Write what the core said. `Decided` is not here: its verdict needs the store and a token."""
    match event:
        case PhaseChanged():
            return _dump("phase", phase=event.phase.value)
        case Progressed():
            return _dump("progress", fraction=event.fraction)
        case Hinted():
            return _dump("hint", hint=None if event.hint is None else event.hint.value)
        case Challenged():
            light = event.light
            steps = [
                {"color": f"#{bytes(step.color).hex()}", "ms": step.ms} for step in light.steps
            ]
            return _dump("challenge", n=light.n, steps=steps)


def welcome(*, session: str, purpose: str, time_limit_s: float, recorded: bool) -> str:
    """Write the first message."""
    return _dump(
        "welcome", session=session, purpose=purpose, time_limit_s=time_limit_s, recorded=recorded
    )


def recording(*, recorded: bool) -> str:
    """Write whether the session is recorded from now on: the answer to a `decline`."""
    return _dump("recording", recorded=recorded)


def pong(n: int) -> str:
    """Write the answer to a ping."""
    return _dump("pong", n=n)


def verdict(
    *,
    outcome: str,
    reasons: tuple[str, ...],
    retry: bool,
    wait_s: float | None = None,
    token: str | None = None,
    expires_in_s: int | None = None,
    device: str | None = None,
) -> str:
    """Write the last message; `token` and `expires_in_s` exactly when accepted, `device` only
    then. `wait_s`: until a new session makes sense, where time helps."""
    accepted = outcome == "accepted"
    if not (accepted == (token is not None) == (expires_in_s is not None) == (not reasons)):
        raise AssertionError("a token goes with acceptance, and only with it")
    extra: dict[str, Any] = {}
    if token is not None:
        extra = {"token": token, "expires_in_s": expires_in_s}
        if device is not None:
            extra["device"] = device
    if wait_s:
        extra["wait_s"] = math.ceil(wait_s)
    return _dump("verdict", outcome=outcome, reasons=list(reasons), **extra, retry=retry)


def error(code: str, *, retry: bool = False) -> str:
    """Write an error message; `code` must be in TEXTS."""
    return _dump("error", error={"code": str(code), "text": TEXTS[code], "retry": retry})
