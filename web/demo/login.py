"""How people come in: register, password, recovery code, out again; and who is there.

The order of checks lives here, storage elsewhere. A password opens the step of the face (faces.py).
A recovery code beside the password opens what the face would.
"""

from __future__ import annotations

import sqlite3

from aiohttp import web

from web.demo import pages
from web.demo.guard import (
    COOKIE,
    DATABASE,
    DEVICE,
    VISIT,
    caller,
    device_cookie,
    now_s,
    page,
    read_form,
    step_up,
    visit_or_guest,
)
from web.demo.people import accounts, codes, devices, tries, visits
from web.demo.people.accounts import User
from web.demo.people.passwords import Hashers
from web.demo.people.visits import Visit
from web.demo.refusals import Refused

routes = web.RouteTableDef()

HASHERS = web.AppKey("hashers", Hashers)


async def user_of(request: web.Request, *levels: visits.Level) -> tuple[Visit, User]:
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


@routes.get("/register")
async def register_page(request: web.Request) -> web.Response:
    return page(pages.register(visit_or_guest(request)))


@routes.post("/register")
async def register(request: web.Request) -> web.Response:
    entry = accounts.read_entry(await read_form(request))
    if not entry.wrong:
        db, at_s, counts = request.app[DATABASE], now_s(request), _registrations(request)
        await db.do(lambda c: tries.count(c, counts, at_s))
        try:
            # Before it is known whether the name is free: the time tells nothing.
            hashed = await request.app[HASHERS].hash(entry.password)
        except Refused:
            await db.do(lambda c: tries.take_back(c, counts, at_s))
            raise
        user = await db.do(lambda c: accounts.add_user(c, entry, hashed, at_s))
        if user is not None:
            await _trust_device(request, user.id)
            await step_up(request, "password", user.id)
            raise web.HTTPSeeOther("/enroll")
    return page(pages.register(visit_or_guest(request), entry), status=422)


def _registrations(request: web.Request) -> list[tries.Count]:
    return [(tries.REGISTRATIONS, caller(request))]


@routes.get("/login")
async def login_page(request: web.Request) -> web.Response:
    visit = visit_or_guest(request)
    if visit.level == "member":
        raise web.HTTPSeeOther("/members")
    return page(pages.login(visit))


@routes.post("/login")
async def login(request: web.Request) -> web.Response:
    form = await read_form(request)
    username = form.get("username", "")[:254]
    user_id = await check_password(request, username, form.get("password", ""))
    if user_id is None:
        refusal = Refused("credentials_wrong")
        text = pages.login(visit_or_guest(request), username=username, wrong=refusal.text)
        return page(text, status=refusal.status)
    await step_up(request, "password", user_id)
    raise web.HTTPSeeOther("/login/face")


async def check_password(request: web.Request, username: str, password: str) -> str | None:
    """The user's id; None when name or password is wrong, after the same time in both cases.

    Raises Refused("too_many_attempts"), ("account_guessed") or ("app_busy").
    """
    db, at_s, cookie = request.app[DATABASE], now_s(request), device_cookie(request)
    name, network = accounts.clean_username(username), caller(request)
    of_name = [
        (tries.PASSWORDS_OF_PAIR, f"{network} {name}"),
        (tries.PASSWORDS_OF_NAME, name),
    ]
    of_address = [(tries.PASSWORDS_OF_ADDRESS, network)]

    def admit(c: sqlite3.Connection) -> tuple[str | None, str | None, bool]:
        user_id, stored = accounts.find_password(c, name)
        if user_id is not None and devices.count_failure(c, cookie, user_id, at_s):
            return user_id, stored, True
        tries.count(c, [*of_address, *of_name], at_s)
        if user_id is not None:
            accounts.count_failure(c, user_id)
        return user_id, stored, False

    def take_back(c: sqlite3.Connection) -> None:
        if user_id is not None and known:
            devices.take_back(c, cookie, user_id)
            return
        tries.take_back(c, [*of_address, *of_name], at_s)
        if user_id is not None:
            accounts.take_back_failure(c, user_id)

    user_id, stored, known = await db.do(admit)
    try:
        fits = await request.app[HASHERS].fits(stored, password, "known" if known else "stranger")
    except Refused:
        await db.do(take_back)
        raise
    if user_id is None or not fits:
        return None
    if not known:
        await db.do(lambda c: tries.take_back(c, of_address, at_s))
        await db.do(lambda c: tries.forget(c, of_name))
    await _trust_device(request, user_id)
    return user_id


async def _trust_device(request: web.Request, user_id: str) -> None:
    """The password was right: this browser is its owner's from now on."""

    def trust(c: sqlite3.Connection) -> str:
        accounts.forget_failures(c, user_id)
        return devices.trust(c, device_cookie(request), user_id, now_s(request))

    request[DEVICE] = await request.app[DATABASE].do(trust)


@routes.get("/recover")
async def recover_page(request: web.Request) -> web.Response:
    return page(pages.recover(visit_or_guest(request)))


@routes.post("/recover")
async def recover(request: web.Request) -> web.Response:
    """User name, password and recovery code at once.

    The code is looked at first. It cannot be guessed, so that nobody's guesses stand in the way of
    an owner who has one.
    """
    form = await read_form(request)
    username = form.get("username", "")[:254]
    user_id = await _check_code(request, username, form.get("password", ""), form.get("code", ""))
    if user_id is None:
        refusal = Refused("code_wrong")
        text = pages.recover(visit_or_guest(request), username=username, wrong=refusal.text)
        return page(text, status=refusal.status)
    await _trust_device(request, user_id)
    await step_up(request, "member", user_id)
    raise web.HTTPSeeOther("/members")


async def _check_code(request: web.Request, username: str, password: str, code: str) -> str | None:
    db, at_s = request.app[DATABASE], now_s(request)
    counts = [(tries.CODES_OF_ADDRESS, caller(request))]

    def admit(c: sqlite3.Connection) -> tuple[str, str | None] | None:
        tries.count(c, counts, at_s)
        user_id, stored = accounts.find_password(c, accounts.clean_username(username))
        if user_id is None or not codes.count_failure(c, user_id, code):
            return None
        return user_id, stored

    def take_back(c: sqlite3.Connection) -> None:
        tries.take_back(c, counts, at_s)
        codes.take_back(c, user_id, code)

    found = await db.do(admit)
    if found is None:
        return None
    user_id, stored = found
    try:
        fits = await request.app[HASHERS].fits(stored, password, "known")
    except Refused:
        await db.do(take_back)
        raise
    if not fits or not await db.do(lambda c: codes.use(c, user_id, code)):
        return None
    await db.do(lambda c: tries.take_back(c, counts, at_s))
    return user_id


@routes.post("/logout")
async def logout(request: web.Request) -> web.Response:
    await read_form(request)
    visit = request[VISIT]
    if visit is not None:
        await request.app[DATABASE].do(lambda db: visits.close_visit(db, visit))
    request[COOKIE], request[VISIT] = "", None
    raise web.HTTPSeeOther("/")
