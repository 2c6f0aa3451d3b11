"""How a login ends: where the browser goes then, and who is remembered on it.

The page goes there by itself, because a redirect after a POST would fall under its `form-action`
(docs/oidc.md). Not here: the code and its claims (server/oidc/login.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aiohttp import web

from server.factors.steps import Act
from server.http.login.visit import Visit, moved, secure, sent, step, visit_of
from server.oidc import login as logins
from server.oidc.remembered import KEPT, Person, cookie_name, read, with_person, write
from server.parts import Parts
from server.problems import Problem
from server.store.port import Conflict, NotFound


async def ended(
    request: web.Request,
    visit: Visit,
    act: Act,
    *,
    subject: str,
    shown: Sequence[str],
    auth_time: datetime,
    liveness: Sequence[str],
) -> web.Response:
    """The login is done, or the relying app learns that it wants more than was shown.

    Raises Problem login_step, login_over, oidc_client_unknown, oidc_redirect_uri; Unavailable.
    """
    step(visit, act)
    parts = visit.parts
    told = {"session": visit.login.session_id, "shown": list(shown)}
    try:
        # Where a key alone is enough, no verdict tells of it.
        async with parts.audit.act(
            "login", client_id=visit.login.client_id, subject=subject, **told
        ):
            location = await logins.finish(
                parts.store,
                visit.login,
                client=visit.client,
                subject=subject,
                shown=shown,
                auth_time=auth_time,
                liveness=liveness,
                issuer=parts.settings.public_url,
                now=parts.now(),
            )
    except Conflict:
        raise Problem("login_step") from None
    except NotFound:
        raise Problem("login_over") from None
    response = leaving(visit, location)
    if "code" in location.params:
        persons = with_person(remembered(request, parts), Person(visit.people, subject))
        remember(response, parts, persons)
    return response


async def cancel(request: web.Request) -> web.Response:
    """The person does not want to (RFC 6749 section 4.1.2.1)."""
    visit = await visit_of(request)
    await sent(request)
    return await given_up(visit)


async def given_up(visit: Visit) -> web.Response:
    """Ended without success; the relying app hears access_denied."""
    visit = await moved(visit, Act.GIVEN_UP)
    issuer = visit.parts.settings.public_url
    return leaving(visit, logins.refuse(visit.login, "access_denied", issuer=issuer))


def leaving(visit: Visit, location: logins.Location) -> web.Response:
    """Where the page goes. The login's cookie has done its work."""
    posted = location.response_mode == "form_post"
    said = {
        "state": "done" if "code" in location.params else "refused",
        "location": location.url if posted else location.href,
        "fields": dict(location.params) if posted else None,
    }
    response = web.json_response(said, headers={"Cache-Control": "no-store"})
    name = logins.cookie_name(visit.login.login_id, secure=secure(visit.parts))
    response.headers.add("Set-Cookie", _cookie(visit.parts, name, "", 0))
    return response


def remembered(request: web.Request, parts: Parts) -> tuple[Person, ...]:
    """Who logged in on this browser before."""
    value = request.cookies.get(cookie_name(secure=secure(parts)))
    return read(parts.vault, value, parts.now())


def remember(response: web.StreamResponse, parts: Parts, persons: Sequence[Person]) -> None:
    """Those, and nobody else. Raises VaultError."""
    name = cookie_name(secure=secure(parts))
    if persons:
        value, seconds = write(parts.vault, persons, parts.now()), int(KEPT.total_seconds())
    else:
        value, seconds = "", 0
    response.headers.add("Set-Cookie", _cookie(parts, name, value, seconds))


def _cookie(parts: Parts, name: str, value: str, seconds: int) -> str:
    """Lax, because the page is reached from other sites (RFC 6265bis section 5.2)."""
    told = f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"
    return f"{told}; Secure" if secure(parts) else told
