"""Which address of the login page does what, and which codes its script is told.

The page and the server are of one version, so these addresses are no interface for others and not
in openapi.json. Not here: what is done then. Source: docs/oidc.md, "The login page".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from server.http.login import codes, ending, faces, keys, page, who


@dataclass(frozen=True, slots=True)
class Route:
    """One method at one address."""

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]


ROUTES = (
    Route("GET", "/login/{login}", page.show_page),
    Route("GET", "/web/login/{file}", page.show_file),
    Route("POST", "/login/{login}/who", who.say_who),
    Route("POST", "/login/{login}/forget", who.forget_name),
    Route("POST", "/login/{login}/key-options", keys.key_options),
    Route("POST", "/login/{login}/key", keys.take_key),
    Route("POST", "/login/{login}/face", faces.begin_face),
    Route("POST", "/login/{login}/finish", faces.finish),
    Route("POST", "/login/{login}/otp", codes.take_otp),
    Route("POST", "/login/{login}/recovery", codes.take_recovery),
    Route("POST", "/login/{login}/cancel", ending.cancel),
)

CODES = (
    "login_over",
    "login_foreign",
    "login_step",
    "level_unmet",
    "key_refused",
    "face_refused",
    "code_refused",
)
"""Codes of server/problems.py that no address of openapi.json has."""


def add(app: web.Application) -> None:
    """Put all of them on an application that has its parts (server/http/requests.py, PARTS)."""
    for one in ROUTES:
        name = f"login_{one.handler.__name__}"
        if one.method == "GET":
            app.router.add_get(one.path, one.handler, name=name)  # which answers HEAD as well
        else:
            app.router.add_route(one.method, one.path, one.handler, name=name)
