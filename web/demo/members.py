"""What somebody does who is in: their page, recovery codes, deleting the face, leaving."""

from __future__ import annotations

from aiohttp import web

from web.demo import pages
from web.demo.guard import COOKIE, DATABASE, LOOKGATE, VISIT, page, read_form
from web.demo.login import check_password, user_of
from web.demo.people import accounts, codes
from web.demo.people.accounts import User
from web.demo.refusals import Refused

routes = web.RouteTableDef()


@routes.get("/members")
async def members(request: web.Request) -> web.Response:
    visit, user = await user_of(request, "member")
    left = await request.app[DATABASE].do(lambda db: codes.count_left(db, user.id))
    try:
        template = await request.app[LOOKGATE].template(user.id)
    except Refused:  # the page has more to show than the face
        template = None
    return page(pages.members(visit, user, template=template, codes_left=left))


@routes.get("/codes")
async def codes_page(request: web.Request) -> web.Response:
    visit, user = await user_of(request, "member")
    left = await request.app[DATABASE].do(lambda db: codes.count_left(db, user.id))
    return page(pages.codes(visit, user, left=left))


@routes.post("/codes")
async def make_codes(request: web.Request) -> web.Response:
    """The only answer that ever has the codes: what is kept is their hashes."""
    form = await read_form(request)
    visit, user = await user_of(request, "member")
    await _confirm(request, user, form)
    fresh = await request.app[DATABASE].do(lambda db: codes.make(db, user.id))
    return page(pages.fresh_codes(visit, fresh))


@routes.post("/face/delete")
async def delete_face(request: web.Request) -> web.Response:
    await read_form(request)
    _, user = await user_of(request, "member")
    await request.app[LOOKGATE].forget(user.id)
    raise web.HTTPSeeOther("/members")


@routes.post("/account/delete")
async def delete_account(request: web.Request) -> web.Response:
    """With the face where there is one, else with the password alone: everybody can leave."""
    form = await read_form(request)
    visit, user = await user_of(request, "password", "member")
    lookgate = request.app[LOOKGATE]
    if visit.level != "member" and (await lookgate.template(user.id)).usable:
        raise Refused("face_needed")
    await _confirm(request, user, form)
    # First there, then here: if the server is down nothing changes, and the button is still there.
    await lookgate.forget(user.id)
    await request.app[DATABASE].do(lambda db: accounts.delete_user(db, user.id))
    request[COOKIE], request[VISIT] = "", None
    raise web.HTTPSeeOther("/")


async def _confirm(request: web.Request, user: User, form: dict[str, str]) -> None:
    """The password once more, for what cannot be undone (OWASP ASVS 5.0 7.5.1)."""
    if await check_password(request, user.username, form.get("password", "")) != user.id:
        raise Refused("credentials_wrong")
