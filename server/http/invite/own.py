"""/devices/{client}: who has a device already shows its key and their face, and gets a link for
another.

Not here: the face and the link (steps.py), what the answer of a key is worth
(server/http/login/keys.py).
Source: docs/oidc.md, "Invitations".
"""

from __future__ import annotations

import contextlib

from aiohttp import web

from server.factors.enrolling import Deed, Stage
from server.factors.passkey import request_options
from server.factors.refused import FactorRefused
from server.http.invite.page import BEGIN, shown
from server.http.invite.steps import bind
from server.http.invite.visit import (
    check_kind,
    check_own,
    guest_of,
    moved,
    slot_of,
    step,
    told,
    visiting,
)
from server.http.login.keys import MEMBERS, challenge_for, make_known, read_answer, tried
from server.http.login.page import refusal
from server.http.login.visit import sent
from server.http.oidc.reading import relying_client, take_turn
from server.http.requests import opened_parts
from server.oidc.inviting import OWN
from server.oidc.inviting import begin_own as begun
from server.parts import Parts
from server.problems import Problem
from server.store.oidc.authenticators import PASSKEY
from server.store.port import Client, NotFound, Unavailable


async def show_page(request: web.Request) -> web.Response:
    """GET /devices/{client}."""
    parts = opened_parts(request)
    try:
        await take_turn(request, parts)
        client = await _client(request, parts)
        state, subject = BEGIN, None
        with contextlib.suppress(Problem):
            guest = await visiting(request, parts)
            if guest.login.state == Stage.MORE:
                state, subject = guest.login.state, guest.login.subject
    except Problem as problem:
        return refusal(request, problem)
    except Unavailable as fault:
        return refusal(request, Problem(fault.code))
    return shown(request, client, state=state, subject=subject, kind=OWN, back=None)


async def begin_own(request: web.Request) -> web.Response:
    """A visit of this browser, of somebody who is not known yet."""
    parts = opened_parts(request)
    check_own(request, parts)
    await take_turn(request, parts)
    await sent(request)
    client = await _client(request, parts)
    try:
        login, cookie = await begun(parts.store, client, parts.now())
    except NotFound:
        raise Problem("oidc_client_unknown") from None
    said = {"state": login.state, "subject": None}
    response = web.json_response(said, headers={"Cache-Control": "no-store"})
    bind(response, parts, slot_of(request), login, cookie)
    return response


async def own_key_options(request: web.Request) -> web.Response:
    """A challenge, as navigator.credentials.get wants it. A key of the browser signs it, too."""
    guest = await guest_of(request)
    await sent(request)
    step(guest, Deed.KEY_SHOWN)
    guest = await moved(guest)  # the next number of this visit
    options = request_options(rp_id=guest.rp_id, challenge=challenge_for(guest))
    return told(guest, {"options": options})


async def take_own_key(request: web.Request) -> web.Response:
    """The answer to it, which says whose it is."""
    guest = await guest_of(request)
    given = dict(zip(MEMBERS, await sent(request, *MEMBERS), strict=True))
    step(guest, Deed.KEY_SHOWN)
    check_kind(guest, given["kind"])
    try:
        answer = read_answer(given)
    except FactorRefused as refused:
        raise Problem("request_invalid", refused.text) from None
    try:
        key = await tried(request, guest, answer)
    except FactorRefused:
        with contextlib.suppress(Problem):
            await moved(guest)  # this challenge is used up
        raise Problem("key_refused") from None
    what = "key" if key.kind == PASSKEY else "webcrypto"
    guest = await moved(guest, Deed.KEY_SHOWN, subject=key.subject, shown=(what,))
    response = told(guest)
    await make_known(request, guest, key, response)
    return response


async def _client(request: web.Request, parts: Parts) -> Client:
    """Raises Problem oidc_client_unknown, client_changed; Unavailable."""
    try:
        client = await relying_client(parts, request.match_info["client"])
    except NotFound:
        raise Problem("oidc_client_unknown") from None
    if client.relying is None or "key" not in client.relying.ways:
        raise Problem("oidc_client_unknown")
    return client
