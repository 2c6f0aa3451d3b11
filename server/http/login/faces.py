"""The face of a login: a session as POST /v1/sessions makes one, and what its token is good for.

The verdict comes by the same way as everybody's. Its token counts here if it is of this login's
session, person and relying app. Not here: looking at faces (server/session/), the token's own
checks (server/keys/token.py). Source: docs/oidc.md, "The login page".
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from pipeline.reasons import Purpose
from server.factors.steps import Act, State, shown_after
from server.http.login.ending import ended
from server.http.login.visit import (
    AtPage,
    Visit,
    at_address,
    moved,
    people_client,
    sent,
    told,
    visit_of,
)
from server.http.sessions import started
from server.keys.token import TokenError, verify
from server.oidc.ways import wants_code
from server.problems import Problem
from server.store.port import NotFound

ONE_WAY = 6
"""Changes of a login in which somebody shows a key and asks for the camera. /authorize counted
these at their address, and each face after them counts there, too. None counts with the relying app
or the person: anybody can begin logins, in whosever name, and must use up nothing of theirs."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A face that was accepted in this login."""

    subject: str
    at: datetime
    liveness: tuple[str, ...]


async def begin_face(request: web.Request) -> web.Response:
    """A session and its ticket, for the element; each call makes a new one."""
    visit = await visit_of(request)
    await sent(request)
    act = None
    if visit.login.state == State.KEY:
        if not visit.ways.no_key:
            raise Problem("level_unmet")
        act = Act.NO_KEY
    elif visit.login.state != State.FACE:
        raise Problem("login_step")
    subject = visit.login.subject
    if visit.login.version > ONE_WAY:
        await at_address(request, visit.parts)
    purpose = Purpose.IDENTIFY if subject is None else Purpose.LOGIN
    nonce = secrets.token_urlsafe(24)
    whose = await people_client(visit.parts, visit.client)
    made = await started(visit.parts, whose, purpose, subject, nonce=nonce)
    return told(await moved(visit, act, session_id=made["session"]), made)


async def finish(request: web.Request) -> web.Response:
    """With a token: the face was accepted. Without one: the passkey is to be enough."""
    visit = await visit_of(request)
    (token,) = await sent(request, "token")
    login = visit.login
    if login.state != State.FACE:
        raise Problem("login_step")
    if token is None:
        if not visit.ways.key_alone or "key" not in login.shown or login.subject is None:
            raise Problem("level_unmet")
        return await ended(
            request,
            visit,
            Act.KEY_ALONE,
            subject=login.subject,
            shown=login.shown,
            auth_time=visit.parts.now(),
            liveness=(),
        )
    seen = await seen_of(visit, token)
    shown = shown_after(login.shown, Act.FACE_ENOUGH)
    # From here on it is known whose face it is, so what they have gives nobody away.
    wants = wants_code(visit.relying, visit.asked.acr_values, shown)
    if wants and await _has_codes(visit, seen):
        return told(await moved(visit, Act.FACE_AND_CODE, subject=seen.subject))
    return await ended(
        request,
        visit,
        Act.FACE_ENOUGH,
        subject=seen.subject,
        shown=shown,
        auth_time=seen.at,
        liveness=seen.liveness,
    )


async def seen_of(visit: AtPage, token: object) -> Seen:
    """What the token of this login's own session says. A token is good for two minutes; one that
    waits for a code is checked as of its session's end, because the login has an end of its own.

    Raises Problem face_refused; Unavailable, VaultError.
    """
    parts, login = visit.parts, visit.login
    refused = Problem("face_refused")
    if not isinstance(token, str) or login.session_id is None:
        raise refused
    try:
        record = await parts.store.sessions.get(login.session_id)
    except NotFound:
        raise refused from None
    at = record.finished_at
    if record.state != "accepted" or at is None or record.client_id != visit.people:
        raise refused
    try:
        claims = verify(
            token,
            expected_issuer=parts.settings.public_url,
            expected_audience=visit.people,
            expected_nonce=record.nonce,
            expected_purpose=record.purpose,
            jwks=await parts.keyring.jwks(parts.now()),
            now=at if login.state == State.OTP else parts.now(),
        )
    except TokenError:
        raise refused from None
    # Of this session, and of whom the key or the name said.
    if claims["sid"] != login.session_id or login.subject not in (None, claims["sub"]):
        raise refused
    when = datetime.fromtimestamp(claims["auth_time"], UTC)
    return Seen(claims["sub"], when, tuple(claims["lookgate_liveness"]))


async def _has_codes(visit: Visit, seen: Seen) -> bool:
    store = visit.parts.store
    try:
        await store.otps.get(visit.people, seen.subject)
    except NotFound:
        return await store.recovery.left(visit.people, seen.subject) > 0
    return True
