"""Who comes to a login: its record, its cookie, the origin of the request; and a step on.

Every request of the page passes `visit_of`, and every change goes through `moved`. Not here: what a
step asks (who.py, keys.py, faces.py, codes.py), the table of steps (server/factors/steps.py).
Source: docs/oidc.md, "The login page"; RFC 9700 section 4.7 (CSRF).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from server.factors.steps import ENDS, Act, State, after, shown_after
from server.http.fields import TICKET
from server.http.requests import (
    MAX_REQUEST_BYTES,
    address_of,
    body_of,
    opened_parts,
    own_origin,
    stored_client,
)
from server.oidc.authorize import Request, request_of
from server.oidc.codes import hash_of
from server.oidc.login import cookie_name
from server.oidc.registration import registered
from server.oidc.ways import Ways, ways_of
from server.parts import Parts
from server.problems import Problem
from server.store.oidc.logins import Login
from server.store.port import Client, Conflict, NotFound
from server.store.relying import RelyingParty, people_of

MOST_CHANGES = 200
"""Of one login: a person who tries every way and fails at each makes some thirty. Nothing else
bounds what one that was begun costs."""


class AtPage(Protocol):
    """Who is at a page of ours: at that of a login, or of an invitation (server/http/invite/)."""

    @property
    def parts(self) -> Parts: ...

    @property
    def login(self) -> Login: ...

    @property
    def people(self) -> str: ...

    @property
    def address(self) -> str: ...

    @property
    def origin(self) -> str: ...

    @property
    def rp_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser at its own login."""

    parts: Parts
    login: Login
    client: Client
    relying: RelyingParty
    asked: Request
    address: str
    """As limits count it."""

    @property
    def people(self) -> str:
        """The client whose people log in here."""
        return people_of(self.client)

    @property
    def ways(self) -> Ways:
        """What the page may offer."""
        return ways_of(self.relying)

    @property
    def origin(self) -> str:
        """Ours, where the page is."""
        return own_origin(self.parts)

    @property
    def rp_id(self) -> str:
        """Our host, which passkeys are made for (WebAuthn Level 3 section 5.1.2)."""
        return urlsplit(self.parts.settings.public_url).hostname or ""


def secure(parts: Parts) -> bool:
    """Whether browsers reach this server by TLS. Without it, which is for one's own machine, the
    cookies have no `__Host-` and no Secure."""
    return parts.settings.public_url.startswith("https://")


async def login_of(request: web.Request, parts: Parts) -> Login:
    """The login that an address names, of the browser that has its cookie.

    Only who has none is counted by the rate of addresses, because /authorize counted the others: an
    office behind one address logs in at once.
    Raises Problem login_over (unknown, expired), login_foreign, too_many_requests; Unavailable.
    """
    try:
        return await _found(request, parts)
    except Problem:
        await at_address(request, parts)
        raise


async def at_address(request: web.Request, parts: Parts) -> None:
    """Count a request at its address. Raises Problem too_many_requests."""
    wait_s = await parts.rates.take(("address", address_of(request, parts)))
    if wait_s:
        raise Problem("too_many_requests", retry_after_s=wait_s) from None


async def _found(request: web.Request, parts: Parts) -> Login:
    login_id = request.match_info["login"]
    if not TICKET.fits(login_id):
        raise Problem("login_over")
    try:
        login = await parts.store.logins.get(login_id, parts.now())
    except NotFound:
        raise Problem("login_over") from None
    cookie = request.cookies.get(cookie_name(login_id, secure=secure(parts)), "")
    if login.state not in set(State):  # a visit of an invitation, which has a page of its own
        raise Problem("login_over")
    # Who was sent the address by somebody else has no cookie (session fixation).
    if not hmac.compare_digest(hash_of(cookie), login.cookie_hash):
        raise Problem("login_foreign")
    return login


async def visit_of(request: web.Request) -> Visit:
    """The login that a page's script asks about.

    Raises Problem origin_not_allowed, too_many_requests, login_over (also when it ended),
    login_foreign, client_changed, oidc_redirect_uri; Unavailable.
    """
    parts = opened_parts(request)
    # An own page's script sends its origin with every POST (Fetch standard section 3.1), and
    # `null` is anybody's.
    if request.headers.get("Origin") != own_origin(parts):
        raise Problem("origin_not_allowed")
    return await opened(request, parts)


async def opened(request: web.Request, parts: Parts) -> Visit:
    """A login that goes on. Raises as `visit_of`, whatever the origin."""
    login = await login_of(request, parts)
    if State(login.state) in ENDS or login.version > MOST_CHANGES:
        raise Problem("login_over")
    try:
        client = await stored_client(parts, login.client_id)
    except NotFound:
        raise Problem("login_over") from None
    if client.relying is None:
        raise Problem("login_over")
    asked = request_of(login.request)
    if not registered(asked.redirect_uri, client.relying):
        raise Problem("oidc_redirect_uri")  # the operator took it away: nobody is sent there
    return Visit(parts, login, client, client.relying, asked, address_of(request, parts))


async def people_client(parts: Parts, client: Client) -> Client:
    """Whose session looks at the face of who logs in at this client: so templates, policy, lockout,
    galleries and retention are those of the people. Raises Problem login_over, client_changed;
    Unavailable."""
    if people_of(client) == client.client_id:
        return client
    try:
        return await stored_client(parts, people_of(client))
    except NotFound:
        raise Problem("login_over") from None


async def moved(visit: Visit, act: Act | None = None, **changes: Any) -> Visit:
    """A step on, by compare-and-set; without an act the state stays, and the version grows.

    Raises Problem login_step (this cannot happen now, or somebody else was faster), login_over;
    Unavailable.
    """
    was = visit.login
    if act is not None:
        changes["state"] = step(visit, act)
        changes.setdefault("shown", shown_after(was.shown, act))
    try:
        now_is = await visit.parts.store.logins.move(was, replace(was, **changes))
    except Conflict:
        raise Problem("login_step") from None
    except NotFound:
        raise Problem("login_over") from None
    return replace(visit, login=now_is)


def step(visit: Visit, act: Act) -> State:
    """Where an act would lead. Raises Problem login_step."""
    state = after(visit.login.state, act)
    if state is None:
        raise Problem("login_step")
    return state


async def sent(request: web.Request, *names: str) -> list[Any]:
    """These members of a body, None for what is absent. Raises Problem as body_of, and
    request_invalid for any other member."""
    fields = await body_of(request, 4 * MAX_REQUEST_BYTES)
    if fields.keys() - set(names):
        raise Problem("request_invalid", f"A field is not one of {', '.join(names)}.")
    return [fields.get(name) for name in names]


def told(visit: Visit, more: Mapping[str, Any] | None = None) -> web.Response:
    """Where the login stands, for the page's script."""
    said = {"state": visit.login.state, "subject": visit.login.subject, **(more or {})}
    return web.json_response(said, headers={"Cache-Control": "no-store"})
