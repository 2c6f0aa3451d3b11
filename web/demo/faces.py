"""The face: the pages with the element, the session it asks for, the token that it brings back.

Whether there is a face to compare with is asked of Lookgate each time. A memory of our own would
lock people out for good when the template goes there: by a lost database, another embedder, or an
operator's `lookgate subject remove`.
"""

from __future__ import annotations

import sqlite3

from aiohttp import web

from web.demo import pages
from web.demo.guard import (
    DATABASE,
    LOOKGATE,
    SETTINGS,
    caller,
    now_s,
    page,
    read_json,
    step_up,
)
from web.demo.login import user_of
from web.demo.lookgate import Template
from web.demo.people import codes, tries, visits
from web.demo.people.accounts import User
from web.demo.people.visits import Attempt, Visit
from web.demo.refusals import Refused

routes = web.RouteTableDef()


async def _template(request: web.Request, user: User) -> Template:
    return await request.app[LOOKGATE].template(user.id)


def _may_enroll(visit: Visit, template: Template) -> bool:
    """A first face needs the password; another one, the face: else a password replaces a face.

    A template that no login can use is like none. Whoever may not rely on the password then asks
    for a recovery code here.
    """
    return visit.level == "member" or not template.usable


@routes.get("/login/face")
async def login_face_page(request: web.Request) -> web.Response:
    visit, user = await user_of(request, "password", "member")
    await _check_ready(request)
    if not (await _template(request, user)).usable:
        raise web.HTTPSeeOther("/enroll")
    return _face_page(request, visit, "login")


@routes.get("/enroll")
async def enroll_page(request: web.Request) -> web.Response:
    visit, user = await user_of(request, "password", "member")
    await _check_ready(request)
    template = await _template(request, user)
    if not _may_enroll(visit, template):
        raise web.HTTPSeeOther("/login/face")
    return _face_page(request, visit, "enroll", user=user, again=template.enrolled)


async def _check_ready(request: web.Request) -> None:
    """Better told before the camera opens. Raises Refused("lookgate_unreachable")."""
    if not await request.app[LOOKGATE].ready():
        raise Refused("lookgate_unreachable")


def _face_page(
    request: web.Request,
    visit: Visit,
    purpose: str,
    *,
    user: User | None = None,
    again: bool = False,
) -> web.Response:
    server = request.app[SETTINGS].public_server
    return page(pages.face(visit, purpose=purpose, server=server, user=user, again=again))


@routes.post("/api/face/{purpose:enroll|login}")
async def open_face_session(request: web.Request) -> web.Response:
    """The element's `session-url`: ask Lookgate for a session of whoever is logged in here."""
    await read_json(request)
    visit, user = await user_of(request, "password", "member")
    purpose, db, at_s = request.match_info["purpose"], request.app[DATABASE], now_s(request)
    # A place at the server is scarce, and this app asks for one as often as somebody presses Start.
    counts = [(tries.FACES_OF_ACCOUNT, user.id), (tries.FACES_OF_ADDRESS, caller(request))]
    await db.do(lambda c: tries.count(c, counts, at_s))
    template = await _template(request, user)
    if purpose == "enroll" and not _may_enroll(visit, template):
        raise Refused("face_needed")
    if purpose == "login" and not template.usable:
        raise Refused("not_enrolled")
    opened = await request.app[LOOKGATE].open_session(
        purpose=purpose, subject=user.id, replace=template.enrolled
    )
    attempt = Attempt(opened.nonce, opened.session, purpose)
    await db.do(lambda c: visits.begin_attempt(c, visit, attempt, at_s))
    return web.json_response(opened.for_page)


@routes.post("/api/face/finish")
async def finish(request: web.Request) -> web.Response:
    """The token that the element got: verify it, use it up, and let the person in."""
    body = await read_json(request)
    visit, user = await user_of(request, "password", "member")
    token = body.get("token")
    if not isinstance(token, str) or not 0 < len(token) <= 8192:
        raise Refused("token_refused", "shape")
    db, at_s = request.app[DATABASE], now_s(request)
    attempt = await db.do(lambda c: visits.get_attempt(c, visit, at_s))
    if attempt is None:
        raise Refused("token_refused", "no attempt")
    claims = await request.app[LOOKGATE].verify(
        token,
        subject=user.id,
        nonce=attempt.nonce,
        session=attempt.session,
        purpose=attempt.purpose,
    )
    jti, expires_s = str(claims["jti"]), float(claims["exp"])
    if not await db.do(lambda c: visits.use_token(c, visit, jti, expires_s, at_s)):
        raise Refused("token_replayed")
    fresh = await step_up(request, "member", user.id, claims)

    def close_others(c: sqlite3.Connection) -> int:
        visits.close_others(c, fresh)
        return codes.count_left(c, user.id)

    # After an enrolment, whoever else was in with the old face, or with the password alone, starts
    # again, and nobody is left without another way in.
    alone = attempt.purpose == "enroll" and await db.do(close_others) == 0
    return web.json_response({"next": "/codes" if alone else "/members"})
