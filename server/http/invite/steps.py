"""What an invited person does: begin, a face, a key, codes, another device, the end.

The face's session is made as POST /v1/sessions makes one, consent included, and its verdict comes
by the same way. The link is used up with the face. Not here: the page (page.py), what a key or a
code is (server/factors/, server/people/registering.py). Source: docs/oidc.md, "Invitations".
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import secrets

from aiohttp import web

from pipeline.reasons import Purpose
from server.factors import otp
from server.factors.enrolling import Deed, Stage
from server.factors.refused import FactorRefused
from server.http.invite.visit import (
    Guest,
    check_kind,
    check_own,
    guest_of,
    invitation_of,
    moved,
    step,
    token_of,
    told,
)
from server.http.login.ending import remember, remembered
from server.http.login.faces import seen_of
from server.http.login.keys import challenge_for, make_known
from server.http.login.visit import people_client, secure, sent
from server.http.oidc.reading import take_turn
from server.http.requests import count, opened_parts
from server.http.sessions import started
from server.keys.token import base64url
from server.keys.vault import VaultError
from server.oidc.inviting import (
    OWN,
    VISIT_LASTS,
    begin_visit,
    invite_device,
    may_return,
    visit_cookie,
)
from server.oidc.remembered import Person, with_person
from server.parts import Parts
from server.people import registering
from server.problems import Problem
from server.store.oidc.authenticators import PASSKEY
from server.store.oidc.invitations import ENROL
from server.store.oidc.logins import Login
from server.store.oidc.profiles import Profile
from server.store.port import Conflict, NotFound

_ANSWER = ("kind", "id", "client_data", "attestation", "public_key", "signature", "name")


async def begin(request: web.Request) -> web.Response:
    """A visit of this browser. The link stays good until a face was accepted."""
    parts = opened_parts(request)
    check_own(request, parts)
    await take_turn(request, parts)
    await sent(request)
    token_hash = token_of(request)
    invitation, _, _ = await invitation_of(parts, token_hash)
    try:
        login, cookie = await begin_visit(parts.store, invitation, parts.now())
    except NotFound:
        raise Problem("invitation_over") from None
    said = {"state": login.state, "subject": login.subject}
    response = web.json_response(said, headers={"Cache-Control": "no-store"})
    bind(response, parts, token_hash, login, cookie)
    return response


def bind(response: web.Response, parts: Parts, slot: bytes, login: Login, cookie: str) -> None:
    """The visit belongs to this browser."""
    response.set_cookie(
        visit_cookie(slot, secure=secure(parts)),
        f"{login.login_id}.{cookie}",
        max_age=int(VISIT_LASTS.total_seconds()),
        path="/",
        secure=secure(parts),
        httponly=True,
        samesite="Lax",  # the person comes from a mail
    )


async def begin_face(request: web.Request) -> web.Response:
    """A session and its ticket, for the element; each call makes a new one.

    A second device shows the face of who has one.
    """
    guest = await guest_of(request)
    await sent(request)
    if guest.login.state != Stage.FACE:
        raise Problem("login_step")
    await count(guest.parts, guest.client, guest.subject)
    purpose = Purpose.ENROLL if guest.invited.kind == ENROL else Purpose.LOGIN
    nonce = secrets.token_urlsafe(24)
    whose = await people_client(guest.parts, guest.client)
    made = await started(guest.parts, whose, purpose, guest.subject, nonce=nonce)
    return told(await moved(guest, session_id=made["session"]), made)


async def finish_face(request: web.Request) -> web.Response:
    """The face was accepted: the link is used up, and what came with it is kept.

    The profile first, because again does it again. Nobody has enrolled by a link twice, because
    nobody is enrolled twice; so one that expired meanwhile, or was used in a request that died,
    holds nobody up. A second device has no such witness: of many that come at once, one goes on.
    """
    guest = await guest_of(request)
    (token,) = await sent(request, "token")
    own = guest.invited.kind == OWN
    needs_key = "key" in guest.relying.ways and not own
    deed = Deed.FACE_NEEDS_KEY if needs_key else Deed.FACE_ENOUGH
    step(guest, deed)
    await seen_of(guest, token)
    shown = (*guest.login.shown, "face")
    if own:
        return told(await moved(guest, deed, shown=shown))
    parts, token_hash = guest.parts, token_of(request)
    try:
        invitation = await parts.store.invitations.get(token_hash, parts.now())
        if invitation.profile is not None:
            await parts.store.profiles.put(
                Profile(guest.people, guest.subject, invitation.profile, invitation.key_id)
            )
        await parts.store.invitations.use(token_hash, parts.now())
    except NotFound:
        if guest.invited.kind != ENROL:
            raise Problem("invitation_over") from None
    return told(await moved(guest, deed, shown=shown))


async def key_options(request: web.Request) -> web.Response:
    """A challenge, as navigator.credentials.create wants it. A key of the browser signs it, too."""
    guest = await guest_of(request)
    await sent(request)
    step(guest, Deed.KEY_MADE)
    guest = await moved(guest)  # the next number of this visit
    options = registering.register_options(
        rp_id=guest.rp_id,
        rp_name=guest.relying.name,
        subject=guest.subject,
        user_handle=guest.invited.handle,
        challenge=challenge_for(guest),
    )
    return told(guest, {"options": options})


async def take_key(request: web.Request) -> web.Response:
    """The new key. Its device is a known one from now on."""
    guest = await guest_of(request)
    given = dict(zip(_ANSWER, await sent(request, *_ANSWER), strict=True))
    step(guest, Deed.KEY_MADE)
    check_kind(guest, given["kind"])
    name = given.pop("name")
    if name is not None and not (isinstance(name, str) and name.isprintable()):
        raise Problem("request_invalid", "The field name must be a short text.")
    try:
        key = await registering.register(
            guest.parts.store,
            {one: value for one, value in given.items() if value is not None},
            people=guest.people,
            subject=guest.subject,
            user_handle=guest.invited.handle,
            name=name or "",
            expected_challenge=challenge_for(guest),
            expected_origin=guest.origin,
            expected_rp_id=guest.rp_id,
            now=guest.parts.now(),
        )
    except (FactorRefused, Conflict):
        with contextlib.suppress(Problem):
            await moved(guest)  # this challenge is used up
        raise Problem("key_refused") from None
    except NotFound:  # the person was removed
        raise Problem("login_over") from None
    shown = "key" if key.kind == PASSKEY else "webcrypto"
    guest = await moved(guest, Deed.KEY_MADE, shown=(*guest.login.shown, shown))
    response = told(guest)
    await make_known(request, guest, key, response)
    persons = with_person(remembered(request, guest.parts), Person(guest.people, guest.subject))
    remember(response, guest.parts, persons)
    return response


async def otp_options(request: web.Request) -> web.Response:
    """A secret for a code app. Nothing is kept before the app has shown a code: the page brings the
    secret back, sealed for this visit."""
    guest, _ = await _at_codes(request)
    secret = otp.new_secret()
    uri = otp.provisioning_uri(secret, issuer=guest.relying.name, subject=guest.subject)
    sealed = guest.parts.vault.seal(secret, owner=_offer(guest))
    said = {"svg": otp.qr_svg(uri), "secret": otp.shown_secret(secret), "offer": base64url(sealed)}
    return told(await moved(guest, Deed.STAYED), said)


async def take_otp(request: web.Request) -> web.Response:
    """The app's first code."""
    guest, (offer, code) = await _at_codes(request, "offer", "code")
    if not isinstance(offer, str) or not isinstance(code, str) or len(offer + code) > 1000:
        raise Problem("request_invalid", "The fields offer and code must be short texts.")
    try:
        sealed = base64.b64decode(offer + "=" * (-len(offer) % 4), altchars=b"-_", validate=True)
        secret = guest.parts.vault.open(sealed, owner=_offer(guest))
    except (VaultError, binascii.Error, ValueError):
        raise Problem("code_refused") from None
    parts, whose = guest.parts, {"people": guest.people, "subject": guest.subject}
    try:
        right = await registering.register_otp(
            parts.store, parts.vault, **whose, secret=secret, code=code, now=parts.now()
        )
    except NotFound:
        raise Problem("login_over") from None
    if not right:
        raise Problem("code_refused")
    return told(await moved(guest, Deed.STAYED))


async def new_codes(request: web.Request) -> web.Response:
    """Ten recovery codes, which nobody is shown again: who asks anew has others."""
    guest, _ = await _at_codes(request)
    guest = await moved(guest, Deed.STAYED)
    store = guest.parts.store
    try:
        codes = await registering.new_recovery_codes(store, guest.people, guest.subject)
    except NotFound:
        raise Problem("login_over") from None
    return told(guest, {"codes": list(codes)})


async def link_device(request: web.Request) -> web.Response:
    """A link for another device, from one that has shown key and face in this visit."""
    guest = await guest_of(request)
    await sent(request)
    step(guest, Deed.STAYED)
    shown = set(guest.login.shown)
    if "face" not in shown or not shown & {"key", "webcrypto"}:
        raise Problem("level_unmet")
    guest = await moved(guest, Deed.STAYED)
    parts, client_id = guest.parts, guest.client.client_id
    async with parts.audit.act(
        "invitation", client_id=client_id, subject=guest.subject, by="person", of="device"
    ):
        try:
            made = await invite_device(parts.store, guest.client, guest.subject, now=parts.now())
        except NotFound:
            raise Problem("login_over") from None
    url = made.url(parts.settings.public_url)
    return told(guest, {"url": url, "svg": otp.qr_svg(url)})


async def end(request: web.Request) -> web.Response:
    """The person is done, and goes where the inviter wanted."""
    guest = await guest_of(request)
    await sent(request)
    guest = await moved(guest, Deed.ENDED)
    back = guest.invited.return_url
    if back is not None and not may_return(guest.relying, back):
        back = None  # the operator took it away since the invitation
    return told(guest, {"location": back})


async def _at_codes(request: web.Request, *names: str) -> tuple[Guest, list[object]]:
    """A guest who may have codes now, at the end of an enrolment for an app that takes codes; and
    what was sent."""
    guest = await guest_of(request)
    fields = await sent(request, *names)
    step(guest, Deed.STAYED)
    if guest.invited.kind != ENROL or "otp" not in guest.relying.ways:
        raise Problem("level_unmet")
    return guest, fields


def _offer(guest: Guest) -> tuple[str, ...]:
    return ("offered one-time password", guest.login.login_id)
