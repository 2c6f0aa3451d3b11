"""Around every request: a failure becomes an answer, an answer gets its headers.

Not here: which address does what (routes.py), how an error answer looks (answers.py).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion10, web

from server.http.answers import answer, dress, oauth, page, plain
from server.http.operations import HTML, JSON, OAUTH, OPERATIONS
from server.keys.vault import VaultError
from server.problems import Problem
from server.store.port import Broken, Unavailable

CORS_ORIGIN: web.RequestKey[str | None] = web.RequestKey("cors_origin")
"""The origin that a page may ask from, once that is known (offers.py, consents.py)."""
FOR_PAGES = ("take_offer", "show_consent", "keep_device")
"""Names of the routes whose answers a page of that origin may read (Fetch standard section 3.2).
Refusals may be read by any (answers.py). Pages send cookies along (devices.py), and then an answer
names the origin that it is for."""

_ANSWERS = {JSON: answer, HTML: page, OAUTH: oauth}
_SHAPES = {one.name: one.shape for one in OPERATIONS}
"""By the name of the route, as it was asked for by people, by OAuth or by our own callers."""

logger = logging.getLogger(__name__)


@web.middleware
async def errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn every failure below into an answer; a bug is logged and told as `internal`."""
    answered = _ANSWERS[_SHAPES.get(request.match_info.route.name or "", JSON)]
    try:
        if request.version < HttpVersion10:
            raise Problem("request_bad")  # HTTP/0.9 has no status that could refuse anything
        if request.headers.getall("Content-Encoding", []):
            # Inflating costs a stranger nothing and us much, and our bodies are short.
            raise Problem("request_encoded")
        return await handler(request)
    except Problem as problem:
        return answered(problem)
    except Unavailable as fault:
        # Down or broken: two codes, and the cause is a name that SQLite or the driver gives.
        broken = isinstance(fault, Broken)
        told = {"path": request.match_info.route.name, "cause": f"{fault.text} {fault.cause}"}
        logger.log(
            logging.ERROR if broken else logging.WARNING,
            "store broken" if broken else "store unavailable",
            extra=told,
        )
        return answered(Problem(fault.code))
    except VaultError as fault:
        logger.error("keys cannot be used", extra={"code": fault.code, "cause": fault.text})
        return answered(Problem("not_ready"))
    except web.HTTPException as refusal:
        if refusal.status < 400:
            raise
        return plain(refusal)
    except Exception as error:
        # The type alone: a message may hold what the caller sent.
        logger.error("bug in a request", extra={"error": type(error).__name__}, exc_info=True)
        return answered(Problem("internal"))


@web.middleware
async def headers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Let the page of an allowed origin ask, and read the answer; name no versions."""
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    response = _preflight(request) if asks else await handler(request)
    dress(response)
    if request.match_info.route.name in FOR_PAGES:
        response.headers["Vary"] = "Origin"
        origin = request.get(CORS_ORIGIN)
        if response.status >= 400:
            origin = request.headers.get("Origin")  # whosever: a refusal holds nothing
        if origin is not None:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
    return response


def _preflight(request: web.Request) -> web.Response:
    """Any page may ask (Fetch standard section 3.2.2), at any address and at any time.

    Who may not is told so by the answer to the request itself, because the refusal of a preflight
    has no text that a page can read.
    """
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Origin": request.headers.get("Origin", "*"),
            "Access-Control-Allow-Credentials": "true",
            "Vary": "Origin",
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "authorization, content-type, content-encoding, prefer",
            "Access-Control-Max-Age": "600",
        },
    )
