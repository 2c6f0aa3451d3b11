"""Which address does what. Source: docs/protocol.md, "HTTP".

Not here: the table of addresses (operations.py), what is done then (sessions.py, subjects.py,
offers.py, consents.py, devices.py, published.py, operator.py, oidc/), and what is done around every
request, a browser's preflight included (middleware.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from server.http.consents import show_consent
from server.http.devices import keep_device
from server.http.invite.making import make_invitation
from server.http.offers import take_offer
from server.http.oidc import backends, browsers
from server.http.oidc.reading import counted
from server.http.operations import OPERATIONS
from server.http.operator import healthz, metrics, readyz
from server.http.published import interface, jwks, widget
from server.http.sessions import create_session, show_session
from server.http.subjects import allow_subject, remove_subject, show_export, show_subject

HANDLERS: Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    "create_session": create_session,
    "show_session": show_session,
    "show_consent": show_consent,
    "take_offer": take_offer,
    "keep_device": keep_device,
    "show_subject": show_subject,
    "remove_subject": remove_subject,
    "export_subject": show_export,
    "unlock_subject": allow_subject,
    "make_invitation": make_invitation,
    "jwks": jwks,
    **{
        name: browsers.on_page(counted(name.removesuffix("_form"), handler))
        for name, handler in (
            ("authorize", browsers.authorize),
            ("authorize_form", browsers.authorize),
            ("logout", browsers.logout),
            ("logout_form", browsers.logout),
        )
    },
    **{
        name: counted(name.removesuffix("_form"), handler)
        for name, handler in (
            ("push", backends.push),
            ("token", backends.token),
            ("userinfo", backends.userinfo),
            ("userinfo_form", backends.userinfo),
            ("introspect", backends.introspect),
            ("revoke", backends.revoke),
        )
    },
    "discovery": backends.discovery,
    "oauth_server": backends.discovery,
    "interface": interface,
    "healthz": healthz,
    "readyz": readyz,
    "metrics": metrics,
    "widget": widget,
}
"""Who does it, by the name of the operation."""


def add(app: web.Application) -> None:
    """Put all of them on an application that has its parts (requests.PARTS)."""
    for one in OPERATIONS:
        handler = HANDLERS[one.name]
        path = one.path.replace("{file}", "{file:.+}")  # a file may lie in a folder
        if one.head:
            app.router.add_get(path, handler, name=one.name)  # which answers HEAD as well
        else:
            app.router.add_route(one.method, path, handler, name=one.name)
