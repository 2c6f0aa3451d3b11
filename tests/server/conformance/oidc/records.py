"""Records of OpenID Connect to store, each valid, each open to changes."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

from server.store.oidc.authenticators import PASSKEY, Authenticator
from server.store.oidc.codes import Access, Code
from server.store.oidc.invitations import ENROL, Invitation
from server.store.oidc.logins import DONE, Login
from server.store.oidc.otps import Totp
from server.store.oidc.profiles import Profile
from server.store.oidc.pushed import Pushed
from server.store.port import Store
from tests.server.conformance.records import DAY, MINUTE, NOW, a_template


def hashed(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def a_login(login_id: str = "l1", **changes: Any) -> Login:
    login = Login(
        login_id=login_id,
        client_id="shop",
        request='{"scope": "openid"}',
        cookie_hash=hashed("cookie"),
        state="who",
        version=1,
        subject=None,
        shown=(),
        session_id=None,
        attempts=0,
        challenge_salt=bytes(range(32)),
        created_at=NOW,
        expires_at=NOW + 10 * MINUTE,
    )
    return dataclasses.replace(login, **changes)


def a_code(text: str = "code", **changes: Any) -> Code:
    code = Code(
        code_hash=hashed(text),
        client_id="shop",
        login_id="l1",
        subject="ada",
        redirect_uri="https://shop.example/back?at=1",
        code_challenge="c" * 43,
        claims='{"nonce": "n"}',
        issued_at=NOW,
        expires_at=NOW + MINUTE,
    )
    return dataclasses.replace(code, **changes)


def an_access(text: str = "token", **changes: Any) -> Access:
    access = Access(
        token_hash=hashed(text),
        code_hash=hashed("code"),
        client_id="shop",
        subject="ada",
        scopes="openid profile",
        claims="{}",
        expires_at=NOW + 5 * MINUTE,
    )
    return dataclasses.replace(access, **changes)


def a_pushed(text: str = "uri", **changes: Any) -> Pushed:
    pushed = Pushed(hashed(text), "shop", '{"state": "s"}', NOW + MINUTE)
    return dataclasses.replace(pushed, **changes)


def an_authenticator(key_id: str = "k1", **changes: Any) -> Authenticator:
    authenticator = Authenticator(
        key_id=key_id,
        people="shop",
        subject="ada",
        user_handle=hashed("handle"),
        public_key=b"cose",
        kind=PASSKEY,
        sign_count=0,
        created_at=NOW,
        used_at=None,
        name="laptop",
    )
    return dataclasses.replace(authenticator, **changes)


def a_totp(**changes: Any) -> Totp:
    totp = Totp("shop", "ada", b"sealed secret", "0123456789abcdef", -1, NOW)
    return dataclasses.replace(totp, **changes)


def an_invitation(text: str = "link", **changes: Any) -> Invitation:
    invitation = Invitation(
        token_hash=hashed(text),
        client_id="shop",
        people="shop",
        subject="ada",
        profile=b"sealed profile",
        key_id="0123456789abcdef",
        return_url="https://shop.example/",
        kind=ENROL,
        created_at=NOW,
        expires_at=NOW + DAY,
    )
    return dataclasses.replace(invitation, **changes)


def a_profile(**changes: Any) -> Profile:
    profile = Profile("shop", "ada", b"sealed profile", "0123456789abcdef")
    return dataclasses.replace(profile, **changes)


async def enrol(store: Store, subject: str = "ada", **changes: Any) -> None:
    """Give the subject a template."""
    await store.templates.put(a_template(subject, **changes), replace=False)


async def done(store: Store, login_id: str = "l1", **changes: Any) -> Code:
    """A login that is done, and its code."""
    code = a_code(login_id, login_id=login_id, **changes)
    login = a_login(login_id, client_id=code.client_id, subject=code.subject)
    await store.logins.add(login)
    await store.logins.move(login, dataclasses.replace(login, state=DONE), code)
    return code
