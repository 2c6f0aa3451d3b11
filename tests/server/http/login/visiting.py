"""A login in a test, and the browser that has its cookie."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any

from server.factors.otp import new_secret
from server.factors.recovery import hash_of, new_codes
from server.keys.token import base64url
from server.oidc.authorize import checked
from server.oidc.login import begin, cookie_name
from server.parts import Parts
from server.people.sealed_people import seal_secret
from server.store.oidc.authenticators import PASSKEY, Authenticator
from server.store.oidc.logins import Login
from server.store.oidc.otps import Totp
from server.store.relying import RelyingParty
from tests.server.factors.authenticator import Passkey
from tests.server.http.asking import Http
from tests.server.oidc.asking import REDIRECT, asked
from tests.server.stage import CLIENT, change_client

OURS = "http://localhost:8470"
"""LOOKGATE_PUBLIC_URL as it is without one."""
ALL = RelyingParty("Shop", (REDIRECT,), ways=("key", "otp", "identify"))


class Script:
    """What the script of any of our pages does: it posts, with the browser's cookies."""

    http: Http
    cookies: dict[str, str]

    @property
    def path(self) -> str:
        """The page's own."""
        raise NotImplementedError

    def jar(self) -> str:
        """The Cookie header."""
        raise NotImplementedError

    async def post(
        self, what: str, body: dict[str, Any] | None = None, **headers: str | None
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer. A header that is None is left out."""
        given = {"Origin": OURS, "Cookie": self.jar(), **headers}
        sent = {name: value for name, value in given.items() if value is not None}
        async with self.http.post(f"{self.path}/{what}", json=body or {}, headers=sent) as response:
            for name, kept in response.cookies.items():
                self.cookies[name] = kept.value
            return response.status, await response.json()

    async def good(self, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer of what has to work."""
        status, said = await self.post(what, body)
        assert status == 200, said
        return said

    async def refused(self, what: str, body: dict[str, Any] | None = None) -> str:
        """The code of what must not work."""
        status, said = await self.post(what, body)
        assert status >= 400, said
        return str(said["error"]["code"])


@dataclass
class Page(Script):
    """The login page's script."""

    http: Http
    login_id: str
    cookie: str
    cookies: dict[str, str] = field(default_factory=dict)
    """What else the browser keeps."""
    name: str = ""

    @property
    def path(self) -> str:
        return f"/login/{self.login_id}"

    def jar(self) -> str:
        """The Cookie header."""
        name = self.name or cookie_name(self.login_id, secure=False)
        kept = {**self.cookies, name: self.cookie}
        return "; ".join(f"{name}={value}" for name, value in kept.items() if value)

    async def sign(self, key: Passkey, origin: str = OURS) -> dict[str, Any]:
        """The passkey's answer to a fresh challenge."""
        said = await self.good("key-options")
        return {"kind": "passkey", **key.sign(challenge(said), origin)}

    async def by_passkey(self, key: Passkey) -> dict[str, Any]:
        """The first step, done."""
        return await self.good("key", await self.sign(key))


def challenge(said: dict[str, Any]) -> bytes:
    """Of an answer of key-options."""
    text = said["options"]["challenge"]
    return base64.urlsafe_b64decode(text + "=")


async def begun(
    http: Http, parts: Parts, relying: RelyingParty = ALL, **changes: str | None
) -> Page:
    """A login that /authorize just made, for a client with these settings."""
    client = await parts.store.clients.get(CLIENT)
    if client.relying != relying:
        await change_client(parts, relying=relying)
    one = begin(checked(asked(**changes), CLIENT, relying), parts.now())
    await parts.store.logins.add(one.login)
    return Page(http, one.login.login_id, one.cookie)


async def kept(parts: Parts, page: Page) -> Login:
    return await parts.store.logins.get(page.login_id, parts.now())


async def with_passkey(parts: Parts, subject: str = "ann") -> Passkey:
    """A passkey of somebody who has a template."""
    key = Passkey(secrets.token_bytes(32))
    await parts.store.authenticators.add(
        Authenticator(
            key_id=base64url(key.key_id),
            people=CLIENT,
            subject=subject,
            user_handle=key.user_handle,
            public_key=key.cose(),
            kind=PASSKEY,
            sign_count=0,
            created_at=parts.now(),
            used_at=None,
            name="phone",
        )
    )
    return key


async def with_codes(parts: Parts, subject: str = "ann") -> tuple[bytes, tuple[str, ...]]:
    """The secret of somebody's app, and ten recovery codes."""
    secret, codes = new_secret(), new_codes()
    sealed = seal_secret(parts.vault, CLIENT, subject, secret)
    await parts.store.otps.put(
        Totp(CLIENT, subject, sealed, parts.vault.key_id, -1, parts.now(), None)
    )
    hashes = [hash_of(code, people=CLIENT, subject=subject) or b"" for code in codes]
    await parts.store.recovery.put(CLIENT, subject, hashes)
    return secret, codes


async def accepted(parts: Parts, made: dict[str, Any], subject: str = "ann") -> str:
    """The token of a session whose face was just accepted."""
    ticket_hash = hashlib.sha256(made["ticket"].encode()).digest()
    record = await parts.store.sessions.claim(made["session"], ticket_hash, parts.now())
    token = await parts.keyring.mint(
        subject=subject,
        client_id=record.client_id,
        nonce=record.nonce,
        session_id=record.session_id,
        purpose=record.purpose,
        acr="passive",
        liveness=("passive", "light"),
        auth_time=parts.now(),
        now=parts.now(),
    )
    await parts.store.endings.accept(record.session_id, at=parts.now(), subject=subject)
    return token


async def at_once(*calls: Any) -> list[Any]:
    """All of them together."""
    return await asyncio.gather(*calls)
