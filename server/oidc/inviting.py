"""Invitations: who may be invited, for how long, where to afterwards; and the visit of a link.

A link is good once: it is used up by the face that was accepted in it, so that a mail reader which
only looks at it uses nothing up. What comes after belongs to the browser that has the visit's
cookie. A visit is kept as a login is (server/store/oidc/logins.py), in states of its own.
Not here: those states (server/factors/enrolling.py), the page (server/http/invite/).
Source: docs/oidc.md, "Invitations".
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeline.refusal import Refusal
from server.factors.enrolling import Stage
from server.factors.key_challenge import SALT_BYTES
from server.keys.token import base64url
from server.keys.vault import Vault
from server.oidc.codes import hash_of
from server.oidc.profile import profile_bytes
from server.people.registering import user_handle_of
from server.people.sealed_people import seal_profile
from server.store.oidc.invitations import DEVICE, ENROL, Invitation
from server.store.oidc.logins import Login
from server.store.port import Client, NotFound, Store
from server.store.relying import RelyingParty, people_of

LONGEST = timedelta(days=7)
"""Of an invitation, which travels by mail."""
DEVICE_LASTS = timedelta(minutes=10)
"""Of the link to a second device, which lies beside the first."""
VISIT_LASTS = timedelta(minutes=30)
"""From the first click to the last: reading the consent, and writing ten codes down."""


class InvitationError(Refusal):
    """An invitation that cannot be made; `code` is stable."""


@dataclass(frozen=True, slots=True)
class Made:
    """An invitation, and the secret of its link, which is kept nowhere."""

    token: str
    invitation: Invitation

    def url(self, public_url: str) -> str:
        """The link."""
        return f"{public_url}/invite/{self.token}"


async def invite(
    store: Store,
    vault: Vault,
    client: Client,
    subject: str,
    *,
    profile: Mapping[str, Any] | None,
    return_url: str | None,
    lasts: timedelta,
    now: datetime,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Made:
    """Keep an invitation of somebody who has no face here yet.

    Raises InvitationError: `invite_client`, `invite_enrolled`, `invite_days`, `invite_return_url`;
    ProfileError; NotFound (the client was removed), Unavailable, VaultError.
    """
    people = people_of(client)
    if not timedelta(0) < lasts <= LONGEST:
        raise InvitationError("invite_days", f"An invitation lasts 1 to {LONGEST.days} days.")
    if client.relying is None:
        raise InvitationError(
            "invite_client", "Only a client that is registered for OpenID Connect has pages here."
        )
    if return_url is not None and not may_return(client.relying, return_url):
        raise InvitationError(
            "invite_return_url",
            "The return_url must be one of the client's registered addresses, letter by letter.",
        )
    try:
        await store.templates.get(people, subject)
    except NotFound:
        pass
    else:
        raise InvitationError("invite_enrolled", "This subject is enrolled already.")
    sealed = None
    if profile is not None:
        sealed = seal_profile(vault, people, subject, profile_bytes(profile))
    return await _kept(
        store,
        client,
        subject,
        kind=ENROL,
        profile=sealed,
        key_id="" if sealed is None else vault.key_id,
        return_url=return_url,
        lasts=lasts,
        now=now,
        random_bytes=random_bytes,
    )


def may_return(relying: RelyingParty, url: str) -> bool:
    """Whether a person may be sent there: an exact string of those that the operator registered, so
    that no link leads elsewhere."""
    return url in (*relying.redirect_uris, *relying.post_logout_uris)


async def invite_device(
    store: Store,
    client: Client,
    subject: str,
    *,
    now: datetime,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Made:
    """A link by which another device of a person gets a key. The caller has seen key and face.

    Raises NotFound, Unavailable.
    """
    return await _kept(
        store,
        client,
        subject,
        kind=DEVICE,
        profile=None,
        key_id="",
        return_url=None,
        lasts=DEVICE_LASTS,
        now=now,
        random_bytes=random_bytes,
    )


async def _kept(
    store: Store,
    client: Client,
    subject: str,
    *,
    kind: str,
    profile: bytes | None,
    key_id: str,
    return_url: str | None,
    lasts: timedelta,
    now: datetime,
    random_bytes: Callable[[int], bytes],
) -> Made:
    token = base64url(random_bytes(32))
    invitation = Invitation(
        token_hash=hash_of(token),
        client_id=client.client_id,
        people=people_of(client),
        subject=subject,
        profile=profile,
        key_id=key_id,
        return_url=return_url,
        kind=kind,
        created_at=now,
        expires_at=now + lasts,
    )
    await store.invitations.add(invitation)
    return Made(token, invitation)


@dataclass(frozen=True, slots=True)
class Invited:
    """What a visit is about, as its row keeps it."""

    token_hash: str
    """Of the link, base64url."""
    kind: str
    return_url: str | None
    user_handle: str
    """Base64url: what the person's passkeys are kept under."""

    @property
    def handle(self) -> bytes:
        """32 bytes."""
        return base64.urlsafe_b64decode(self.user_handle + "=")


def invited_of(login: Login) -> Invited:
    """Raises ValueError: a login that is no visit of an invitation."""
    said = json.loads(login.request)
    if not isinstance(said, dict) or said.keys() != set(Invited.__slots__):
        raise ValueError("no visit of an invitation")
    return Invited(**said)


async def begin_visit(
    store: Store,
    invitation: Invitation,
    now: datetime,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[Login, str]:
    """A visit, kept, and its cookie's secret. The link is still good.

    Raises NotFound (the client was removed), Unavailable.
    """
    handle = await user_handle_of(store, invitation.people, invitation.subject, random_bytes)
    about = Invited(
        base64url(invitation.token_hash),
        invitation.kind,
        invitation.return_url,
        base64url(handle),
    )
    return await _begun(
        store,
        invitation.client_id,
        about,
        invitation.subject,
        Stage.FACE,
        now,
        random_bytes,
    )


async def _begun(
    store: Store,
    client_id: str,
    about: Invited,
    subject: str | None,
    stage: Stage,
    now: datetime,
    random_bytes: Callable[[int], bytes],
) -> tuple[Login, str]:
    cookie = base64url(random_bytes(32))
    login = Login(
        login_id=base64url(random_bytes(32)),
        client_id=client_id,
        request=json.dumps(asdict(about)),
        cookie_hash=hash_of(cookie),
        state=stage,
        version=1,
        subject=subject,
        shown=(),
        session_id=None,
        attempts=0,
        challenge_salt=random_bytes(SALT_BYTES),
        created_at=now,
        expires_at=now + VISIT_LASTS,
    )
    await store.logins.add(login)
    return login, cookie


OWN = "own"
"""The kind of a visit without a link: somebody who has a device, and wants a link for another."""


def own_hash(client_id: str) -> bytes:
    """What such a visit has in the place of a link's hash. No link's secret has a space in it."""
    return hash_of(f"devices of {client_id}")


async def begin_own(
    store: Store,
    client: Client,
    now: datetime,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[Login, str]:
    """A visit of somebody who is not known yet, kept, and its cookie's secret.

    Raises NotFound (the client was removed), Unavailable.
    """
    about = Invited(base64url(own_hash(client.client_id)), OWN, None, "")
    return await _begun(store, client.client_id, about, None, Stage.PROVE, now, random_bytes)


def visit_cookie(token_hash: bytes, *, secure: bool) -> str:
    """The name of a visit's cookie, one for each link (RFC 6265bis section 4.1.3)."""
    return f"{'__Host-' if secure else ''}invite-{base64url(token_hash)[:8]}"
