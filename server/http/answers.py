"""How an error is answered: the one JSON shape of our own, that of OAuth, or a page for people; and
how a time is written.

Not here: the codes (server/problems.py), which failure is which (middleware.py, listening.py).
Source: docs/protocol.md, "Errors"; docs/oidc.md; RFC 9110; RFC 3339; RFC 6749 section 5.2.
"""

from __future__ import annotations

import html
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


OAUTH = (
    *("invalid_client", "invalid_request", "invalid_grant", "unsupported_grant_type"),
    *("invalid_token", "unsupported_response_type", "invalid_scope", "login_required"),
    *("request_not_supported", "registration_not_supported"),
)
"""Codes that are errors of RFC 6749, RFC 6750 and OpenID Connect Core 3.1.2.6 by the same name."""


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
    _say_when(problem, response)
    if problem.code == "client_unauthorized":
        # RFC 9110 section 11.6.1: a 401 names the scheme.
        response.headers["WWW-Authenticate"] = 'Basic realm="lookgate", charset="UTF-8"'
    elif problem.code == "ticket_invalid":
        response.headers["WWW-Authenticate"] = 'Bearer realm="lookgate"'
    elif problem.code == "request_encoded":
        # RFC 9110 section 12.5.3: a 415 for a coding says which are taken.
        response.headers["Accept-Encoding"] = "identity"
    return _for_any_page(response)


def oauth(problem: Problem) -> web.Response:
    """The shape of RFC 6749 section 5.2: what a client of OAuth knows, by a name that it knows."""
    if problem.code in OAUTH:
        error = problem.code
    elif problem.status == 500:
        error = "server_error"
    else:
        # RFC 6749 section 4.1.2.1: for what passes; a client that asks too often is told when.
        passes = problem.status in (429, 503)
        error = "temporarily_unavailable" if passes else "invalid_request"
    said = {"error": error, "error_description": problem.text}
    response = web.json_response(said, status=problem.status)
    _say_when(problem, response)
    if problem.code == "invalid_client":
        response.headers["WWW-Authenticate"] = 'Basic realm="lookgate", charset="UTF-8"'
    elif problem.code == "invalid_token":  # RFC 6750 section 3
        response.headers["WWW-Authenticate"] = 'Bearer realm="lookgate", error="invalid_token"'
    response.headers["Pragma"] = "no-cache"  # RFC 6749 section 5.1
    return _for_any_page(response)


PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of a page of ours that only says something."""


def page(problem: Problem) -> web.Response:
    """A page for people: the sentence and the code, and nothing that anybody sent."""
    response = said("This login cannot go on", problem.text, problem.code, status=problem.status)
    _say_when(problem, response)
    return response


def said(title: str, text: str, code: str = "", *, status: int = 200) -> web.Response:
    """A page that says one thing."""
    shown = [html.escape(one) for one in (title, text, code)]
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{shown[0]}</title><h1>{shown[0]}</h1><p>{shown[1]}</p>"
    )
    if code:
        body += f"<p><code>{shown[2]}</code></p>"
    return web.Response(
        text=body, status=status, content_type="text/html", headers=dict(PAGE_HEADERS)
    )


def _say_when(problem: Problem, response: web.Response) -> None:
    wait_s = problem.retry_after_s
    if wait_s is None and problem.retry and problem.status in (429, 503):
        wait_s = 1.0
    if wait_s is not None:
        # RFC 9110 section 10.2.3: whole seconds; rounding down would invite a second refusal.
        response.headers["Retry-After"] = str(max(1, math.ceil(wait_s)))


def _for_any_page(response: web.Response) -> web.Response:
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
