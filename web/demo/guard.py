"""What stands before every handler: headers, one shape of refusal, the cookie's visit, CSRF.

No pages of its own and no rules of logging in. Sources: OWASP ASVS 5.0 V3; CSP Level 3.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from aiohttp import web

from web.demo import pages
from web.demo.addresses import network_of
from web.demo.config import Settings
from web.demo.database import Database
from web.demo.lookgate import Lookgate
from web.demo.people import devices, visits
from web.demo.people.visits import Visit
from web.demo.refusals import Refused

SETTINGS = web.AppKey("settings", Settings)
DATABASE = web.AppKey("database", Database)
LOOKGATE = web.AppKey("lookgate", Lookgate)
VISIT: web.RequestKey[Visit | None] = web.RequestKey("visit")
"""Who is behind this request, as far as known."""
COOKIE: web.RequestKey[str] = web.RequestKey("cookie")
"""Set to send a new cookie; empty takes it away."""
DEVICE: web.RequestKey[str] = web.RequestKey("device")
"""Set to send a new device cookie."""
CLOCK: web.AppKey[Callable[[], float]] = web.AppKey("clock")

BODY_S = 10.0
"""How long a form may take to arrive; the head's time is in front.py."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")
_log = logging.getLogger("demo")


def now_s(request: web.Request) -> float:
    return request.app[CLOCK]()


def wall_clock() -> float:
    return time.time()


def cookie_name(settings: Settings, kind: str = "") -> str:
    # The prefix is the browser's word that no other host of the domain set it (RFC 6265bis 4.1.3).
    return f"{'__Host-' if settings.secure_cookies else ''}lantern{kind}"


def device_cookie(request: web.Request) -> str:
    """Says that a password was right here before; empty when there is none."""
    cookie = request.cookies.get(cookie_name(request.app[SETTINGS], "-device"), "")
    return cookie if len(cookie) <= 128 else ""


def caller(request: web.Request) -> str:
    """The network that attempts are counted by."""
    if request.app[SETTINGS].behind_proxy:
        # The last entry is the proxy's own; those before it are whatever the caller wrote, and so
        # are lines before the proxy's own line (RFC 9110 section 5.3).
        written = ",".join(request.headers.getall("X-Forwarded-For", []))
        return network_of(written.rsplit(",", 1)[-1])
    return network_of(request.remote or "")


def is_api(request: web.Request) -> bool:
    return request.path.startswith("/api/")


def headers(settings: Settings) -> dict[str, str]:
    """Sent with every answer. The widget needs its module, its offer, and nothing inline."""
    server = settings.public_server
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'self' {server}; connect-src 'self' {server}; "
            "style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'; require-trusted-types-for 'script'"
        ),
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


async def name_server(_: web.Request, response: web.StreamResponse) -> None:
    """On every answer, aiohttp's own included: no names and versions of what runs here."""
    response.headers["Server"] = "lantern"


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find the visit, run the handler, make what goes wrong a refusal, set cookie and headers."""
    request[VISIT] = None
    try:
        await _find(request)
        response = await handler(request)
    except web.HTTPException as problem:
        if problem.status < 400:  # a redirect
            _dress(request, problem)
            raise
        known = {404: "not_found", 405: "method_not_allowed", 413: "request_too_large"}
        response = refuse(request, Refused(known.get(problem.status, "request_invalid")))
    except Refused as refusal:
        if refusal.cause:
            _log.info("refused", extra={"code": refusal.code, "cause": refusal.cause})
        response = refuse(request, refusal)
    except Exception:
        _log.exception("bug in a request")
        response = refuse(request, Refused("internal"))
    _dress(request, response)
    return response


def _dress(request: web.Request, response: web.StreamResponse) -> None:
    settings = request.app[SETTINGS]
    for name, value in headers(settings).items():
        response.headers.setdefault(name, value)
    if not request.path.startswith("/static/"):
        response.headers["Cache-Control"] = "no-store"
    cookie, device, secure = request.get(COOKIE), request.get(DEVICE), settings.secure_cookies
    if device is not None:
        response.set_cookie(
            cookie_name(settings, "-device"),
            device,
            max_age=int(devices.LIFETIME_S),
            httponly=True,
            samesite="Lax",
            secure=secure,
            path="/",
        )
    if cookie is None:
        return
    name = cookie_name(settings)
    if cookie:
        response.set_cookie(name, cookie, httponly=True, samesite="Lax", secure=secure, path="/")
    else:
        response.del_cookie(name, httponly=True, samesite="Lax", secure=secure, path="/")


async def _find(request: web.Request) -> None:
    cookie = request.cookies.get(cookie_name(request.app[SETTINGS]))
    if not cookie or len(cookie) > 128:
        return
    request[VISIT] = visits.find_guest(cookie)
    if request[VISIT] is None:
        request[VISIT] = await request.app[DATABASE].do(
            lambda db: visits.find_visit(db, cookie, now_s(request))
        )


def refuse(request: web.Request, refusal: Refused) -> web.Response:
    """The one shape for scripts, a page for people."""
    if is_api(request):
        error = {"code": refusal.code, "text": refusal.text, "retry": refusal.retry}
        return web.json_response({"error": error}, status=refusal.status)
    back = {"login_needed": "/login", "face_needed": "/login", "not_enrolled": "/enroll"}
    # A POST is not repeated by a link: its page is.
    page = request.path if request.method == "GET" else "/members"
    visit: Visit | None = request[VISIT]
    if refusal.code in ("csrf", "too_many_attempts", "app_busy", "request_too_slow"):
        page = request.path if request.path in ("/login", "/register", "/recover") else "/"
    text = pages.refused(
        refusal, visit=visit, back=back.get(refusal.code, page if refusal.retry else "/")
    )
    return web.Response(text=text, content_type="text/html", status=refusal.status)


def page(text: str, *, status: int = 200) -> web.Response:
    return web.Response(text=text, content_type="text/html", status=status)


def visit_or_guest(request: web.Request) -> Visit:
    """The visit; a new guest's when there is none, for the CSRF token of the form that follows."""
    known: Visit | None = request[VISIT]
    if known is not None:
        return known
    cookie, visit = visits.new_guest()
    request[COOKIE], request[VISIT] = cookie, visit
    return visit


async def step_up(
    request: web.Request,
    level: Literal["password", "member"],
    user_id: str,
    claims: dict[str, object] | None = None,
) -> Visit:
    """A new cookie for a new level."""
    old: Visit | None = request[VISIT]
    cookie, visit = await request.app[DATABASE].do(
        lambda db: visits.open_visit(
            db, now_s=now_s(request), level=level, user_id=user_id, claims=claims, instead_of=old
        )
    )
    request[COOKIE], request[VISIT] = cookie, visit
    return visit


async def read_form(request: web.Request) -> dict[str, str]:
    """A form's fields, after its CSRF token was checked."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refused("request_invalid")
    form = pages.only_known(await _arrived(request.post()))
    check_csrf(request, form.pop("csrf", ""))
    return form


async def read_json(request: web.Request) -> dict[str, object]:
    """A script's JSON object, after its CSRF header was checked."""
    check_csrf(request, request.headers.get("X-CSRF-Token", ""))
    if request.content_type != "application/json":
        raise Refused("request_invalid")
    body = await _arrived(request.json())
    if not isinstance(body, dict):
        raise Refused("request_invalid")
    return body


async def _arrived(reading: Awaitable[T]) -> T:
    """What a request's body holds, if it comes in time and can be read."""
    try:
        async with asyncio.timeout(BODY_S):
            return await reading
    except TimeoutError:
        raise Refused("request_too_slow") from None
    except (ValueError, LookupError, RecursionError):  # no such text, charset or JSON
        raise Refused("request_invalid") from None
    except (OSError, web.RequestPayloadError):  # they went away, or it was no HTTP
        raise Refused("request_invalid") from None


def check_csrf(request: web.Request, token: str) -> None:
    visit: Visit | None = request[VISIT]
    if visit is None or not visits.csrf_fits(visit, token):
        raise Refused("csrf")
