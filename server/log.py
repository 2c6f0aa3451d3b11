"""Log lines: static messages, values in fields, as JSON or as plain text, on standard error.

Here: the two formats, what may never be written, and how often one cause is told. Not here: what
is logged (each module's own).
Source: this project; a face is a secret, so is everything that opens a session.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

SECRET_FIELDS = frozenset(
    {"ticket", "token", "secret", "password", "authorization", "embedding", "image", "sdp", "nonce"}
)
"""Fields with these names are dropped, whatever they hold: the last line of defence."""

LONGEST = 400
"""Characters of a field; the rest of it is cut off."""

_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_LONG = re.compile(r"[\w-]{40,}={0,2}")
"""Tickets and secrets are token_urlsafe(32): 43 characters. Session ids are as long; log
`session[:8]`, as all of this package does."""


def redacted(text: str) -> str:
    """`text` without anything that looks like a token, a ticket or a secret."""
    return _LONG.sub("[redacted]", _JWT.sub("[redacted]", text))


EVERY_S = 1.0
"""Between two lines of one cause."""
MAX_CAUSES = 1000
"""Causes that are remembered; there are some 100 places that log."""


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in vars(record).items():
        if name in _STANDARD or name.startswith("_"):
            continue
        if name in SECRET_FIELDS:
            out[name] = "[redacted]"
        elif value is None or isinstance(value, bool | int | float):
            out[name] = value
        else:
            out[name] = redacted(str(value))[:LONGEST]
    if record.exc_info and record.exc_info[0] is not None:
        # Where it broke, not what it said: the text of an error may repeat peer data.
        out["error"] = record.exc_info[0].__name__
        frames = traceback.extract_tb(record.exc_info[2])[-6:]
        out["at"] = " < ".join(f"{f.filename.rpartition('/')[2]}:{f.lineno}" for f in frames[::-1])
    return out


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        row = {"time": when, "level": record.levelname.lower(), "logger": record.name}
        row["message"] = redacted(record.getMessage())
        return json.dumps({**row, **_fields(record)}, ensure_ascii=True, default=str)


class Plain(logging.Formatter):
    """One readable line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        when = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        fields = " ".join(f"{k}={v}".replace("\n", " ") for k, v in _fields(record).items())
        message = redacted(record.getMessage()).replace("\n", " ")
        return f"{when} {record.levelname:<7} {message}" + (f" · {fields}" if fields else "")


def _ours(record: logging.LogRecord) -> bool:
    """False for a request that was no HTTP: whoever sends one must not fill the log."""
    error = record.exc_info[0] if record.exc_info else None
    return error is None or error.__module__ != "aiohttp.http_exceptions"


class Repeats(logging.Filter):
    """Lets one line a second through for one cause, and says how many it held back.

    A stranger who can bring about a line must not be able to fill the disk with it. The causes are
    as few as the places that log, because messages are static; of asyncio's, which list what they
    hold, the first line is the cause. Lines under WARNING tell of what went well: not held back.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[Any, ...], tuple[float, int]] = {}
        """When a cause was last told, and how many lines were held back since."""

    def __len__(self) -> int:
        """How many causes are remembered."""
        return len(self._told)

    def filter(self, record: logging.LogRecord) -> bool:
        """False: held back."""
        if record.levelno < logging.WARNING:
            return True
        error = record.exc_info[0] if record.exc_info else None
        cause = (record.name, record.lineno, str(record.msg).partition("\n")[0], error)
        last_s, held = self._told.get(cause, (-math.inf, 0))
        # A clock that was set back must not silence anything.
        if 0.0 <= record.created - last_s < EVERY_S:
            self._told[cause] = (last_s, held + 1)
            return False
        if len(self._told) >= MAX_CAUSES:
            self._told.clear()
        self._told[cause] = (record.created, 0)
        if held:
            record.held_back = held
        return True


def set_up(*, style: str, level: str, stream: TextIO | None = None) -> None:
    """Send everything to `stream` (standard error); `style` is `json` or `plain`."""
    to = logging.StreamHandler(stream or sys.stderr)
    to.setFormatter(JsonLines() if style == "json" else Plain())
    to.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers[:] = [to]
    root.setLevel(logging.WARNING)
    # Libraries under WARNING tell SDP and addresses; ours is set on its own.
    logging.getLogger("aiohttp.server").addFilter(_ours)
    for ours in ("server", "lookgate"):
        logging.getLogger(ours).setLevel(level.upper())
