"""The one JSON shape of every error answer with its status's headers, and how a time is written.

Not here: the codes (server/problems.py), which failure is which (middleware.py, listening.py).
Source: docs/protocol.md, "Errors"; RFC 9110; RFC 3339.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from server.problems import Problem

_PLAIN: Mapping[int, str] = {
    404: "not_found",
    405: "method_not_allowed",
    408: "request_too_slow",
    413: "request_too_large",
}


def answer(problem: Problem) -> web.Response:
    """The one shape of every error answer."""
    said: dict[str, Any] = {
        "error": {"code": problem.code, "text": problem.text, "retry": problem.retry}
    }
    if problem.standing is not None:
        said["line"] = {
            "ahead": problem.standing.ahead,
            "wait_s": round(problem.standing.wait_s, 1),
        }
    response = web.json_response(said, status=problem.status)
    wait_s = problem.retry_after_s
    if wait_s is None and problem.retry and problem.status in (429, 503):
        wait_s = 1.0
    if wait_s is not None:
        # RFC 9110 section 10.2.3: whole seconds; rounding down would invite a second refusal.
        response.headers["Retry-After"] = str(max(1, math.ceil(wait_s)))
    if problem.code == "client_unauthorized":
        # RFC 9110 section 11.6.1: a 401 names the scheme.
        response.headers["WWW-Authenticate"] = 'Basic realm="lookgate", charset="UTF-8"'
    elif problem.code == "ticket_invalid":
        response.headers["WWW-Authenticate"] = 'Bearer realm="lookgate"'
    elif problem.code == "request_encoded":
        # RFC 9110 section 12.5.3: a 415 for a coding says which are taken.
        response.headers["Accept-Encoding"] = "identity"
    response.headers["Cache-Control"] = "no-store"
    # Any page may read why it was refused (Fetch standard section 3.2): else it could say no more
    # than that the server cannot be reached. A refusal holds nothing that is anybody's.
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = "Retry-After"
    return response


def plain(refusal: web.HTTPException) -> web.Response:
    """A refusal of aiohttp's own in the one shape."""
    response = answer(Problem(_PLAIN.get(refusal.status, "request_bad")))
    if "Allow" in refusal.headers:  # RFC 9110 section 15.5.6: a 405 must say what is allowed
        response.headers["Allow"] = refusal.headers["Allow"]
    return response


def dress(response: web.StreamResponse) -> None:
    """What every answer carries: no versions, no guessing of types."""
    response.headers["Server"] = "lookgate"
    response.headers["X-Content-Type-Options"] = "nosniff"


def rfc3339(when: datetime) -> str:
    """An aware datetime as every answer writes it: UTC, to the millisecond, `Z` (RFC 3339)."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
