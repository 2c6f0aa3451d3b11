"""Who comes with an invitation: its link, the visit's cookie, the origin; and a step on.

Every request of the page's script passes `guest_of`, and every change goes through `moved`. Not
here: what a step asks (steps.py), the table of steps (server/factors/enrolling.py).
Source: docs/oidc.md, "Invitations"; RFC 9700 section 4.7 (CSRF).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from server.factors.enrolling import Deed, Stage, stage_after
from server.http.fields import TICKET
from server.http.login.visit import MOST_CHANGES, secure
from server.http.oidc.reading import take_turn
from server.http.requests import address_of, opened_parts, own_origin, stored_client
from server.keys.token import base64url
from server.oidc.codes import hash_of
from server.oidc.inviting import Invited, invited_of, own_hash, visit_cookie
from server.oidc.ways import ways_of
from server.parts import Parts
from server.problems import Problem
from server.store.oidc.authenticators import PASSKEY, WEBCRYPTO
from server.store.oidc.invitations import Invitation
from server.store.oidc.logins import Login
from server.store.port import Client, Conflict, NotFound
from server.store.relying import RelyingParty, people_of


@dataclass(frozen=True, slots=True)
class Guest:
    """A browser at its own visit."""

    parts: Parts
    login: Login
    client: Client
    relying: RelyingParty
    invited: Invited
    address: str
    """As limits count it."""

    @property
    def people(self) -> str:
        """The client whose people these are."""
        return people_of(self.client)

    @property
    def subject(self) -> str:
        """Who is invited, or whose key it was. Nobody is asked for more before that."""
        assert self.login.subject is not None, "only Stage.PROVE knows nobody"
        return self.login.subject

    @property
    def origin(self) -> str:
        """Ours, where the page is."""
        return own_origin(self.parts)

    @property
    def rp_id(self) -> str:
        """Our host, which passkeys are made for (WebAuthn Level 3 section 5.1.2)."""
        return urlsplit(self.parts.settings.public_url).hostname or ""


def check_kind(guest: Guest, kind: object) -> None:
    """Whether keys of this kind lead anywhere at the relying app, as on its login page. Raises
    Problem request_invalid, level_unmet."""
    if kind not in (PASSKEY, WEBCRYPTO):
        raise Problem("request_invalid", "The field kind must be passkey or webcrypto.")
    ways = ways_of(guest.relying)
    if not (ways.passkey if kind == PASSKEY else ways.device_key):
        raise Problem("level_unmet")


def slot_of(request: web.Request) -> bytes:
    """What the address names: a link, or the devices of an app's people. Raises Problem
    invitation_over."""
    if "client" in request.match_info:
        return own_hash(request.match_info["client"])
    return token_of(request)


def token_of(request: web.Request) -> bytes:
    """SHA-256 of the link's secret. Raises Problem invitation_over."""
    token = request.match_info["token"]
    if not TICKET.fits(token):
        raise Problem("invitation_over")
    return hash_of(token)


def check_own(request: web.Request, parts: Parts) -> None:
    """That a page of ours asks: its script sends its origin with every POST (Fetch standard section
    3.1). Raises Problem origin_not_allowed."""
    if request.headers.get("Origin") != own_origin(parts):
        raise Problem("origin_not_allowed")


async def invitation_of(parts: Parts, token_hash: bytes) -> tuple[Invitation, Client, RelyingParty]:
    """A link that is good, and whose it is.

    Raises Problem invitation_over, client_changed; Unavailable.
    """
    try:
        invitation = await parts.store.invitations.get(token_hash, parts.now())
        client = await stored_client(parts, invitation.client_id)
    except NotFound:
        raise Problem("invitation_over") from None
    # Nor one from before the client's people were others.
    if client.relying is None or invitation.people != people_of(client):
        raise Problem("invitation_over")
    return invitation, client, client.relying


async def guest_of(request: web.Request) -> Guest:
    """The visit that a page's script asks about.

    Raises Problem origin_not_allowed, invitation_over, login_over, login_foreign, client_changed,
    too_many_requests; Unavailable.
    """
    parts = opened_parts(request)
    check_own(request, parts)
    try:
        return await visiting(request, parts)
    except Problem:  # who has a visit was counted when it began
        await take_turn(request, parts)
        raise


async def visiting(request: web.Request, parts: Parts) -> Guest:
    """The visit that goes on in this browser. Raises as `guest_of`, whatever the origin."""
    token_hash = slot_of(request)
    name = visit_cookie(token_hash, secure=secure(parts))
    login_id, dot, cookie = request.cookies.get(name, "").partition(".")
    if not dot or not TICKET.fits(login_id):
        raise Problem("login_foreign")
    try:
        login = await parts.store.logins.get(login_id, parts.now())
    except NotFound:
        raise Problem("login_over") from None
    if not hmac.compare_digest(hash_of(cookie), login.cookie_hash):
        raise Problem("login_foreign")
    if login.state not in set(Stage) or login.state == Stage.DONE or login.version > MOST_CHANGES:
        raise Problem("login_over")
    invited = invited_of(login)
    if not hmac.compare_digest(invited.token_hash, base64url(token_hash)):
        raise Problem("login_foreign")
    try:
        client = await stored_client(parts, login.client_id)
    except NotFound:
        raise Problem("login_over") from None
    if client.relying is None:
        raise Problem("login_over")
    return Guest(parts, login, client, client.relying, invited, address_of(request, parts))


def step(guest: Guest, deed: Deed) -> Stage:
    """Where a deed would lead. Raises Problem login_step."""
    stage = stage_after(guest.login.state, deed)
    if stage is None:
        raise Problem("login_step")
    return stage


async def moved(guest: Guest, deed: Deed | None = None, **changes: Any) -> Guest:
    """A step on, by compare-and-set; without a deed the state stays, and the version grows.

    Raises Problem login_step (this cannot happen now, or somebody else was faster), login_over;
    Unavailable.
    """
    if deed is not None:
        changes["state"] = step(guest, deed)
    try:
        now_is = await guest.parts.store.logins.move(guest.login, replace(guest.login, **changes))
    except Conflict:
        raise Problem("login_step") from None
    except NotFound:
        raise Problem("login_over") from None
    return replace(guest, login=now_is)


def told(guest: Guest, more: Mapping[str, Any] | None = None) -> web.Response:
    """Where the visit stands, for the page's script."""
    said = {"state": guest.login.state, "subject": guest.login.subject, **(more or {})}
    return web.json_response(said, headers={"Cache-Control": "no-store"})
