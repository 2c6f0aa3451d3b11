"""A known device: its cookie is read from an offer, and set after the verdict, once.

A verdict comes over the data channel, which can set no cookie. So it brings a word, and the page
fetches the cookie with it. Not here: what is in the cookie (server/people/devices.py), what a
known device is good for (server/session/lockout.py).
Source: docs/protocol.md, "Known devices".
"""

from __future__ import annotations

import hmac
from datetime import timedelta

from aiohttp import web

from pipeline.reasons import Purpose
from server.http.requests import addressed, bearer_of, opened_parts, own_origin
from server.parts import Parts
from server.people.devices import KEPT, MOST, cookie_name, open_device, seal_device
from server.problems import Problem
from server.session.lockout import device_counter
from server.store.port import Conflict, NotFound, SessionRecord

WORD_FOR = timedelta(seconds=60)
"""How long after the verdict its word is good; the page fetches at once."""


def device_of(request: web.Request, parts: Parts, record: SessionRecord) -> str | None:
    """The device that an offer's cookie names, for the person that its session is of."""
    if record.subject is None:
        return None
    return device_for(request, parts, client_id=record.client_id, subject=record.subject)


def device_for(request: web.Request, parts: Parts, *, client_id: str, subject: str) -> str | None:
    """The device that a cookie names for this person."""
    value = request.cookies.get(cookie_name(client_id, subject, secure=_secure(parts)))
    if value is None:
        return None
    return open_device(parts.vault, value, client_id=client_id, subject=subject, now=parts.now())


async def keep_device(request: web.Request) -> web.Response:
    """A page whose person was accepted fetches its cookie."""
    parts = opened_parts(request)
    record, _ = await addressed(request, parts)
    word = bearer_of(request)
    if record is None or not hmac.compare_digest(word, parts.opening.lockout.word(record)):
        raise Problem("ticket_invalid")
    now, subject = parts.now(), record.subject
    good = record.state == "accepted" and record.purpose in (Purpose.LOGIN, Purpose.ENROLL)
    late = record.finished_at is None or abs(now - record.finished_at) > WORD_FOR
    if not good or late or subject is None:
        raise Problem("ticket_invalid")
    device_id = parts.opening.lockout.device_id(record)
    whose = {"client_id": record.client_id, "subject": subject}
    try:
        await parts.store.tries.keep_device(
            device_counter(record.client_id, subject, device_id),
            now + KEPT,
            most=MOST,
            instead=device_of(request, parts, record),
        )
    except Conflict:
        raise Problem("ticket_used") from None
    except NotFound:
        raise Problem("ticket_invalid") from None
    response = web.Response(status=204, headers={"Cache-Control": "no-store"})
    value = seal_device(parts.vault, **whose, device_id=device_id, now=now)
    response.headers.add("Set-Cookie", device_cookie(request, parts, value, **whose))
    return response


def device_cookie(
    request: web.Request, parts: Parts, value: str, *, client_id: str, subject: str
) -> str:
    """A Set-Cookie, as the origins allow. On another site than the page's it is a third party's
    cookie, which browsers keep only apart for each site (CHIPS); and without TLS only as a first
    party's."""
    secure = _secure(parts)
    name = cookie_name(client_id, subject, secure=secure)
    told = [f"{name}={value}", "Path=/", f"Max-Age={int(KEPT.total_seconds())}", "HttpOnly"]
    if not secure:
        return "; ".join([*told, "SameSite=Lax"])
    if request.headers.get("Origin") == own_origin(parts):
        return "; ".join([*told, "Secure", "SameSite=Strict"])
    return "; ".join([*told, "Secure", "SameSite=None", "Partitioned"])


def _secure(parts: Parts) -> bool:
    """Whether browsers reach this server by TLS, as it was told."""
    return parts.settings.public_url.startswith("https://")
