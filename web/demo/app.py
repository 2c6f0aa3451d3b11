"""The demo app's addresses: register, enrol, log in with password then face, members, leave.

The order of checks lives here; storage in accounts and visits, Lookgate in lookgate, looks in
pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import web

from web.demo import accounts, pages, visits
from web.demo.accounts import User
from web.demo.config import Settings
from web.demo.database import Database
from web.demo.guard import (
    CLOCK,
    COOKIE,
    DATABASE,
    LOOKGATE,
    SETTINGS,
    VISIT,
    caller,
    guard,
    now_s,
    page,
    read_form,
    read_json,
    step_up,
    visit_or_guest,
    wall_clock,
)
from web.demo.lookgate import Lookgate
from web.demo.refusals import Refused
from web.demo.visits import Attempt, Visit

routes = web.RouteTableDef()

MAX_BODY_BYTES = 64 * 1024
HASHERS = web.AppKey("hashers", asyncio.Semaphore)
"""argon2 takes 64 MiB each: more than a few at once is a way to fill the memory."""


def make_app(settings: Settings, *, clock: Callable[[], float] = wall_clock) -> web.Application:
    """The whole demo app; opens its database file at once, its connections at start."""
    app = web.Application(middlewares=[guard], client_max_size=MAX_BODY_BYTES)
    app[SETTINGS] = settings
    app[CLOCK] = clock
    app[HASHERS] = asyncio.Semaphore(2)
    app[DATABASE] = Database(settings.database)
    app.cleanup_ctx.append(_lookgate)
    app.add_routes(routes)
    app.router.add_static("/static/", Path(__file__).parent / "static")
    return app


async def _lookgate(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    async with Lookgate(
        server=settings.server,
        public_server=settings.public_server,
        client=settings.client,
        secret=settings.secret,
    ) as app[LOOKGATE]:
        yield
    app[DATABASE].close()


async def _user(request: web.Request, *levels: visits.Level) -> tuple[Visit, User]:
    """Who is there, if they have come as far as one of `levels`; else Refused."""
    visit = request[VISIT]
    if visit is None or visit.user_id is None:
        raise Refused("login_needed")
    user_id = visit.user_id
    user = await request.app[DATABASE].do(lambda db: accounts.get_user(db, user_id))
    if user is None:
        raise Refused("login_needed")
    if visit.level not in levels:
        raise Refused("face_needed")
    return visit, user


def _may_enroll(visit: Visit, user: User) -> bool:
    """A first face needs the password; another one, the face: else a password replaces a face."""
    return visit.level == "member" or not user.enrolled


# -------------------------------------------------------------------------------------- pages


@routes.get("/")
async def home(request: web.Request) -> web.Response:
    return page(pages.home(request[VISIT]))


@routes.get("/healthz")
async def healthz(_: web.Request) -> web.Response:
    return web.json_response({"ok": True})


@routes.get("/register")
async def register_page(request: web.Request) -> web.Response:
    return page(pages.register(await visit_or_guest(request)))


@routes.post("/register")
async def register(request: web.Request) -> web.Response:
    entry = accounts.read_entry(await read_form(request))
    if not entry.wrong:
        # Hashed before it is known whether the name is free: the time tells nothing.
        async with request.app[HASHERS]:
            hashed = await asyncio.to_thread(accounts.hash_password, entry.password)
        user = await request.app[DATABASE].do(
            lambda db: accounts.add_user(db, entry, hashed, now_s(request))
        )
        if user is not None:
            await step_up(request, "password", user.id)
            raise web.HTTPSeeOther("/enroll")
    return page(pages.register(await visit_or_guest(request), entry), status=422)


@routes.get("/login")
async def login_page(request: web.Request) -> web.Response:
    visit = await visit_or_guest(request)
    if visit.level == "member":
        raise web.HTTPSeeOther("/members")
    return page(pages.login(visit))


@routes.post("/login")
async def login(request: web.Request) -> web.Response:
    form = await read_form(request)
    login = form.get("username", "")[:254]
    user_id = await _check_password(request, login, form.get("password", ""))
    if user_id is None:
        refusal = Refused("credentials_wrong")
        visit = await visit_or_guest(request)
        text = pages.login(visit, username=login, wrong=refusal.text)
        return page(text, status=refusal.status)
    await step_up(request, "password", user_id)
    raise web.HTTPSeeOther("/login/face")


async def _check_password(request: web.Request, login: str, password: str) -> str | None:
    """The user's id; None when name or password is wrong, after the same time in both cases."""
    db, address, at_s = request.app[DATABASE], caller(request), now_s(request)
    await db.do(lambda c: accounts.count_attempt(c, login, address, at_s))
    user_id, stored = await db.do(lambda c: accounts.find_password(c, login))
    typed = accounts.clean_password(password[:1024])
    async with request.app[HASHERS]:
        fits = await asyncio.to_thread(accounts.password_fits, stored, typed)
    if not fits:
        return None
    await db.do(lambda c: accounts.forgive_attempt(c, login, address, at_s))
    return user_id


@routes.get("/login/face")
async def login_face_page(request: web.Request) -> web.Response:
    visit, user = await _user(request, "password", "member")
    if not user.enrolled:
        raise web.HTTPSeeOther("/enroll")
    return await _face_page(request, visit, "login")


@routes.get("/enroll")
async def enroll_page(request: web.Request) -> web.Response:
    visit, user = await _user(request, "password", "member")
    if not _may_enroll(visit, user):
        raise web.HTTPSeeOther("/login/face")
    return await _face_page(request, visit, "enroll", again=user.enrolled)


async def _face_page(
    request: web.Request, visit: Visit, purpose: str, *, again: bool = False
) -> web.Response:
    if not await request.app[LOOKGATE].ready():
        raise Refused("lookgate_unreachable")
    server = request.app[SETTINGS].public_server
    return page(pages.face(visit, purpose=purpose, server=server, again=again))


@routes.get("/members")
async def members(request: web.Request) -> web.Response:
    visit, user = await _user(request, "member")
    return page(pages.members(visit, user))


@routes.post("/logout")
async def logout(request: web.Request) -> web.Response:
    await read_form(request)
    visit = request[VISIT]
    if visit is not None:
        await request.app[DATABASE].do(lambda db: visits.close_visit(db, visit))
    request[COOKIE], request[VISIT] = "", None
    raise web.HTTPSeeOther("/")


@routes.post("/face/delete")
async def delete_face(request: web.Request) -> web.Response:
    await read_form(request)
    _, user = await _user(request, "member")
    # First there, then here: if the server is down nothing changes, and the button is still there.
    await request.app[LOOKGATE].forget(user.id)
    await request.app[DATABASE].do(lambda db: accounts.set_enrolled(db, user.id, False))
    raise web.HTTPSeeOther("/members")


@routes.post("/account/delete")
async def delete_account(request: web.Request) -> web.Response:
    form = await read_form(request)
    _, user = await _user(request, "member")
    if await _check_password(request, user.username, form.get("password", "")) != user.id:
        raise Refused("credentials_wrong")
    await request.app[LOOKGATE].forget(user.id)
    await request.app[DATABASE].do(lambda db: accounts.delete_user(db, user.id))
    request[COOKIE], request[VISIT] = "", None
    raise web.HTTPSeeOther("/")


# ------------------------------------------------------------------------- for the page's scripts


@routes.post("/api/face/{purpose:enroll|login}")
async def open_face_session(request: web.Request) -> web.Response:
    """The element's `session-url`: ask Lookgate for a session of whoever is logged in here."""
    await read_json(request)
    visit, user = await _user(request, "password", "member")
    purpose = request.match_info["purpose"]
    if purpose == "enroll" and not _may_enroll(visit, user):
        raise Refused("face_needed")
    if purpose == "login" and not user.enrolled:
        raise Refused("not_enrolled")
    lookgate = request.app[LOOKGATE]
    try:
        opened = await lookgate.open_session(
            purpose=purpose, subject=user.id, replace=user.enrolled
        )
    except Refused as refusal:
        if refusal.cause != "subject_enrolled" or user.enrolled:
            raise
        # An enrolment whose token never reached us: this person may enrol, so this one replaces it.
        opened = await lookgate.open_session(purpose=purpose, subject=user.id, replace=True)
    attempt = Attempt(opened.nonce, opened.session, purpose)
    await request.app[DATABASE].do(
        lambda db: visits.begin_attempt(db, visit, attempt, now_s(request))
    )
    return web.json_response(opened.for_page)


@routes.post("/api/face/finish")
async def finish(request: web.Request) -> web.Response:
    """The token that the element got: verify it, use it up, and let the person in."""
    body = await read_json(request)
    visit, user = await _user(request, "password", "member")
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
    if attempt.purpose == "enroll":
        await db.do(lambda c: accounts.set_enrolled(c, user.id, True))
    fresh = await step_up(request, "member", user.id, claims)
    if attempt.purpose == "enroll":
        # Whoever else was in with the old face, or with the password alone, starts again.
        await db.do(lambda c: visits.close_others(c, fresh))
    return web.json_response({"next": "/members"})
