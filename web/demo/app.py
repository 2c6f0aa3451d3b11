"""The demo app, put together: its parts, its addresses, and those that need no login.

Not here: how people come in (login.py), the face (faces.py), what members do (members.py), how
connections are taken (front.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import web

from web.demo import faces, login, members, pages
from web.demo.config import Settings
from web.demo.database import Database
from web.demo.guard import (
    CLOCK,
    DATABASE,
    LOOKGATE,
    SETTINGS,
    VISIT,
    guard,
    name_server,
    page,
    wall_clock,
)
from web.demo.lookgate import Lookgate
from web.demo.people.passwords import Hashers
from web.demo.refusals import Refused

routes = web.RouteTableDef()

MAX_BODY_BYTES = 64 * 1024
STATIC = {file.name: file for file in (Path(__file__).parent / "static").iterdir()}
"""The files of the pages, by name: no name that a stranger makes up reaches the file system."""


def make_app(
    settings: Settings,
    *,
    clock: Callable[[], float] = wall_clock,
    hashers: Hashers | None = None,
) -> web.Application:
    """The whole demo app; opens its database file at once, its connections at start."""
    app = web.Application(middlewares=[guard], client_max_size=MAX_BODY_BYTES)
    app[SETTINGS] = settings
    app[CLOCK] = clock
    app[login.HASHERS] = hashers or Hashers()
    app[DATABASE] = Database(settings.database)
    app.cleanup_ctx.append(_lookgate)
    app.on_response_prepare.append(name_server)
    for table in (routes, login.routes, faces.routes, members.routes):
        app.add_routes(table)
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


@routes.get("/")
async def home(request: web.Request) -> web.Response:
    return page(pages.home(request[VISIT]))


@routes.get("/static/{name}")
async def static(request: web.Request) -> web.FileResponse:
    file = STATIC.get(request.match_info["name"])
    if file is None:
        raise Refused("not_found")
    return web.FileResponse(file)


@routes.get("/healthz")
async def healthz(_: web.Request) -> web.Response:
    return web.json_response({"ok": True})
