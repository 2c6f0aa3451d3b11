"""A one-time code or a recovery code, after the face. Each try counts before it is looked at.

Not here: which codes there are (server/factors/otp.py, server/factors/recovery.py).
Source: RFC 6238 section 5.2; NIST SP 800-63B-4 section 3.2.2 (throttling).
"""

from __future__ import annotations

from aiohttp import web

from server.factors.otp import TRIES_A_LOGIN, step_of
from server.factors.recovery import hash_of
from server.factors.steps import Act, shown_after
from server.http.devices import device_for
from server.http.login.ending import ended, given_up
from server.http.login.faces import seen_of
from server.http.login.visit import Visit, moved, sent, step, visit_of
from server.oidc.claims import OTP, RECOVERY
from server.people.sealed_people import open_secret
from server.problems import Problem
from server.session.lockout import Caller, code_counter
from server.store.port import Conflict, NotFound

MOST_CHARACTERS = 64
"""Of a code as people type it."""


async def take_otp(request: web.Request) -> web.Response:
    """Six digits of an app."""
    return await _take(request, OTP)


async def take_recovery(request: web.Request) -> web.Response:
    """One of the ten that were printed."""
    return await _take(request, RECOVERY)


async def _take(request: web.Request, kind: str) -> web.Response:
    visit = await visit_of(request)
    token, code = await sent(request, "token", "code")
    step(visit, Act.CODE)
    if not isinstance(code, str) or len(code) > MOST_CHARACTERS:
        raise Problem("request_invalid", "The field code must be a short text.")
    seen = await seen_of(visit, token)
    # Of many at once each wins another version, so that none is looked at beyond the last.
    visit = await moved(visit, attempts=visit.login.attempts + 1)
    if not await _tried(request, visit, seen.subject, kind, code):
        if visit.login.attempts >= TRIES_A_LOGIN:
            return await given_up(visit)
        raise Problem("code_refused")
    return await ended(
        request,
        visit,
        Act.CODE,
        subject=seen.subject,
        shown=shown_after(visit.login.shown, Act.CODE, kind),
        auth_time=seen.at,
        liveness=seen.liveness,
    )


async def _tried(request: web.Request, visit: Visit, subject: str, kind: str, code: str) -> bool:
    """Whether it counts, as a try of this person on this device.

    Raises Problem too_many_failures, face_disabled; Unavailable, VaultError.
    """
    parts, lockout = visit.parts, visit.parts.opening.lockout
    device = device_for(request, parts, client_id=visit.people, subject=subject)
    try_id = f"code {visit.login.login_id} {visit.login.version}"
    counters = (
        *await lockout.of_person(visit.people, subject, Caller(visit.address, device)),
        # A face that passes resets its device's counter, and would give five more codes each time.
        code_counter(visit.people, subject),
    )
    try:
        await lockout.take(try_id, counters)
    except NotFound:
        raise Problem("login_over") from None
    right = False
    try:
        right = await (_otp if kind == OTP else _recovery)(visit, subject, code)
    finally:
        await parts.store.tries.end(
            try_id, counters, failed=None if right else True, at=parts.now()
        )
    return right


async def _otp(visit: Visit, subject: str, code: str) -> bool:
    parts = visit.parts
    try:
        totp = await parts.store.otps.get(visit.people, subject)
        secret = open_secret(parts.vault, totp)
        found = step_of(code, secret, now=parts.now(), last_step=totp.last_step)
        if found is None:
            return False
        await parts.store.otps.step(visit.people, subject, found, parts.now())
    except (NotFound, Conflict):
        return False
    return True


async def _recovery(visit: Visit, subject: str, code: str) -> bool:
    hashed = hash_of(code, people=visit.people, subject=subject)
    if hashed is None:
        return False
    try:
        await visit.parts.store.recovery.use(visit.people, subject, hashed, visit.parts.now())
    except NotFound:
        return False
    return True
