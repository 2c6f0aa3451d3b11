"""What a caller over HTTP did wrong, or what the server cannot do now: one code, one JSON shape.

Here: the table of codes, `Problem`, and the middleware that turns everything that goes wrong into
it. Not here: reasons (the person's, pipeline/reasons.py). Source: docs/protocol.md, "Errors".
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from server.store.port import Unavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table."""

    status: int
    """HTTP status code (RFC 9110 section 15)."""
    text: str
    """For people; never holds what the caller sent."""
    retry: bool = False
    """Whether the same request may work later."""


KINDS: Mapping[str, Kind] = {
    "request_malformed": Kind(400, "The body is not a JSON object."),
    "request_invalid": Kind(400, "A field of the request is missing, unknown or not allowed."),
    "request_too_large": Kind(413, "The body is too large."),
    "request_too_slow": Kind(408, "The body did not arrive in time.", True),
    "request_bad": Kind(400, "The request is not valid HTTP for this server."),
    "not_found": Kind(404, "There is nothing at this address."),
    "method_not_allowed": Kind(405, "This address does not take this method."),
    "client_unauthorized": Kind(401, "Client id or secret is wrong."),
    "metrics_forbidden": Kind(403, "Metrics are for the operator only."),
    "origin_not_allowed": Kind(403, "This web origin may not use this session."),
    "session_unknown": Kind(404, "There is no such session."),
    "subject_enrolled": Kind(409, "This subject has a template; ask for it to be replaced."),
    "ticket_invalid": Kind(401, "The ticket is wrong or has expired."),
    "ticket_used": Kind(409, "The ticket has been used."),
    "offer_invalid": Kind(400, "The offer is not one this server can answer."),
    "too_many_requests": Kind(429, "Requests come too fast.", True),
    "too_many_failures": Kind(429, "Too many failed logins of this subject in a row.", True),
    "busy": Kind(503, "The server has as many sessions as it takes.", True),
    "store_unavailable": Kind(503, "The server cannot reach its database.", True),
    "server_stopping": Kind(503, "The server is being stopped.", True),
    "not_ready": Kind(503, "The server is not ready yet.", True),
    "internal": Kind(500, "The server made a mistake.", True),
}
"""Every code that an HTTP answer may carry, but for those of `server.rtc.sdp`, which come with
texts of their own and status 400."""


class Problem(Exception):
    """A refusal that the caller learns of."""

    def __init__(
        self, code: str, text: str | None = None, *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        kind = KINDS.get(code, KINDS["offer_invalid"])
        self.status = kind.status
        self.retry = kind.retry
        self.text = text or kind.text
        self.retry_after_s = retry_after_s


_PLAIN: Mapping[int, str] = {
    404: "not_found",
    405: "method_not_allowed",
    408: "request_too_slow",
    413: "request_too_large",
}


def answer(problem: Problem) -> web.Response:
    """The one shape of every error answer."""
    response = web.json_response(
        {"error": {"code": problem.code, "text": problem.text, "retry": problem.retry}},
        status=problem.status,
    )
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
    response.headers["Cache-Control"] = "no-store"
    return response


@web.middleware
async def middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn every failure below into `answer`; a bug is logged and told as `internal`."""
    try:
        return await handler(request)
    except Problem as problem:
        return answer(problem)
    except Unavailable:
        logger.warning("store unavailable", extra={"path": request.match_info.route.name})
        return answer(Problem("store_unavailable"))
    except web.HTTPException as refusal:
        if refusal.status < 400:
            raise
        response = answer(Problem(_PLAIN.get(refusal.status, "request_bad")))
        if "Allow" in refusal.headers:  # RFC 9110 section 15.5.6: a 405 must say what is allowed
            response.headers["Allow"] = refusal.headers["Allow"]
        return response
    except Exception as error:
        # The type alone: a message may hold what the caller sent.
        logger.error("bug in a request", extra={"error": type(error).__name__}, exc_info=True)
        return answer(Problem("internal"))
