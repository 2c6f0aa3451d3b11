"""Which address of the invitation's page does what, and which codes only its script is told.

As those of the login page (server/http/login/routes.py), these are no interface for others. Not
here: POST /v1/invitations, which is one (server/http/operations.py).
Source: docs/oidc.md, "Invitations".
"""

from __future__ import annotations

from aiohttp import web

from server.http.invite import own, page, steps
from server.http.login.routes import Route

ROUTES = (
    Route("GET", "/invite/{token}", page.show_page),
    Route("GET", "/web/invite/{file}", page.show_file),
    Route("POST", "/invite/{token}/begin", steps.begin),
    Route("POST", "/invite/{token}/face", steps.begin_face),
    Route("POST", "/invite/{token}/finish", steps.finish_face),
    Route("POST", "/invite/{token}/key-options", steps.key_options),
    Route("POST", "/invite/{token}/key", steps.take_key),
    Route("POST", "/invite/{token}/otp-options", steps.otp_options),
    Route("POST", "/invite/{token}/otp", steps.take_otp),
    Route("POST", "/invite/{token}/codes", steps.new_codes),
    Route("POST", "/invite/{token}/device", steps.link_device),
    Route("POST", "/invite/{token}/end", steps.end),
    Route("GET", "/devices/{client}", own.show_page),
    Route("POST", "/devices/{client}/begin", own.begin_own),
    Route("POST", "/devices/{client}/key-options", own.own_key_options),
    Route("POST", "/devices/{client}/key", own.take_own_key),
    Route("POST", "/devices/{client}/face", steps.begin_face),
    Route("POST", "/devices/{client}/finish", steps.finish_face),
    Route("POST", "/devices/{client}/device", steps.link_device),
    Route("POST", "/devices/{client}/end", steps.end),
)

CODES = ("invitation_over",)
"""Codes of server/problems.py that no other address has."""


def add(app: web.Application) -> None:
    """Put all of them on an application that has its parts (server/http/requests.py, PARTS)."""
    for one in ROUTES:
        name = f"{one.path.split('/')[1]}_{one.handler.__name__}"
        if one.method == "GET":
            app.router.add_get(one.path, one.handler, name=name)  # which answers HEAD as well
        else:
            app.router.add_route(one.method, one.path, one.handler, name=name)
