"""Log lines hold fields, not secrets."""

from __future__ import annotations

import io
import json
import logging
import secrets
from typing import Any

import pytest

from server import log


@pytest.mark.parametrize("style", ["json", "plain"])
def test_no_secret_is_written_even_if_somebody_tries(style: str) -> None:
    stream = io.StringIO()
    log.set_up(style=style, level="debug", stream=stream)
    ticket = secrets.token_urlsafe(32)
    token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    logger = logging.getLogger("server.test")
    logger.info("careless %s", ticket, extra={"detail": f"got {token}", "ticket": "short"})
    logger.info("careless", extra={"token": "x9", "embedding": [0.25], "session": "abcd1234"})
    try:
        raise ValueError(f"peer said {ticket} and more")
    except ValueError:
        logger.error("broke", exc_info=True)
    text = stream.getvalue()
    for secret in (ticket, token, "c2lnbmF0dXJl", "short", "x9", "0.25", "peer said"):
        assert secret not in text
    assert "ValueError" in text
    assert "test_log.py" in text
    assert "abcd1234" in text
    assert len(text.splitlines()) == 3


def test_json_lines_are_json() -> None:
    stream = io.StringIO()
    log.set_up(style="json", level="info", stream=stream)
    logging.getLogger("server.test").info("static\nmessage", extra={"n": 3, "who": 'a"b'})
    logging.getLogger("server.test").debug("not told")
    (line,) = stream.getvalue().splitlines()
    row = json.loads(line)
    assert (row["level"], row["message"], row["n"], row["who"]) == (
        "info",
        "static\nmessage",
        3,
        'a"b',
    )
    assert row["time"].endswith("+00:00")


def test_libraries_speak_up_only_from_warnings_on() -> None:
    stream = io.StringIO()
    log.set_up(style="plain", level="debug", stream=stream)
    logging.getLogger("some.library").info("candidate 10.0.0.1")
    logging.getLogger("some.library").warning("odd")
    assert stream.getvalue().count("\n") == 1
    assert "odd" in stream.getvalue()


def test_bytes_that_are_no_http_do_not_fill_the_log() -> None:
    from aiohttp.http_exceptions import BadStatusLine

    stream = io.StringIO()
    log.set_up(style="json", level="debug", stream=stream)
    for error in (BadStatusLine("GET / s3cret"), ZeroDivisionError("s3cret")):
        try:
            raise error
        except Exception:
            logging.getLogger("aiohttp.server").exception("Error handling request")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["error"] == "ZeroDivisionError"
    assert "s3cret" not in line


def told(times_s: list[float], **changed: Any) -> list[Any]:
    """What `Repeats` lets through of one warning at these times: the number held back, or None."""
    repeats, found = log.Repeats(), []
    for at_s in times_s:
        record = logging.makeLogRecord(
            {"name": "asyncio", "levelno": logging.ERROR, "lineno": 7, "msg": "no file", **changed}
        )
        record.created = at_s
        if repeats.filter(record):
            found.append(getattr(record, "held_back", None))
    return found


def test_one_cause_is_told_once_a_second() -> None:
    assert told([0.0, 0.1, 0.2, 0.9, 1.0, 1.5, 9.0]) == [None, 3, 1]
    assert told([10.0, 10.5, 9.0]) == [None, 1], "a clock that was set back"
    assert told([0.0, 0.1, 0.2], levelno=logging.INFO) == [None] * 3


def test_causes_are_told_apart_by_their_first_line() -> None:
    stream = io.StringIO()
    log.set_up(style="json", level="info", stream=stream)
    logger = logging.getLogger("asyncio")
    for n in range(50):
        for what in ("socket.accept() out of system resource", "something else"):
            logger.error("%s\nsocket: %d" % (what, n))  # noqa: UP031 (as asyncio does)
    assert len(stream.getvalue().splitlines()) == 2
    assert sum("out of system resource" in line for line in stream.getvalue().splitlines()) == 1


def test_causes_that_are_remembered_are_bounded() -> None:
    repeats = log.Repeats()
    for n in range(3 * log.MAX_CAUSES):
        record = logging.makeLogRecord({"levelno": logging.ERROR, "msg": f"cause {n}"})
        assert repeats.filter(record)
    assert len(repeats) <= log.MAX_CAUSES
