"""An invitation in a test, and the browser that opens it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from server.parts import Parts
from tests.server.factors.authenticator import Passkey
from tests.server.http.asking import AUTH, Http
from tests.server.http.login.visiting import OURS, challenge
from tests.server.stage import enrolled

HELLO = "https://shop.example/hello"


@dataclass
class Browser:
    """The script of the page of one link."""

    http: Http
    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return self.url.removeprefix(OURS)

    async def look(self) -> tuple[int, str]:
        """The page itself."""
        async with self.http.get(self.path, headers={"Cookie": self.jar()}) as response:
            return response.status, await response.text()

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

    def jar(self) -> str:
        """The Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items() if value)

    async def face(self, parts: Parts, person: int = 1) -> str:
        """The token of a face that was just accepted, and whose template is kept."""
        made = await self.good("face")
        return await seen(parts, made, person)

    async def by_face(self, parts: Parts) -> dict[str, Any]:
        """Begun, and the face is done."""
        await self.good("begin")
        return await self.good("finish", {"token": await self.face(parts)})

    async def passkey(self, key: Passkey, origin: str = OURS) -> dict[str, Any]:
        """A new passkey's answer to a fresh challenge."""
        said = await self.good("key-options")
        return {"kind": "passkey", **key.register(challenge(said), origin)}


async def seen(parts: Parts, made: dict[str, Any], person: int = 1) -> str:
    """A session of the page ends well: what the verdict does, without a camera."""
    ticket_hash = hashlib.sha256(made["ticket"].encode()).digest()
    record = await parts.store.sessions.claim(made["session"], ticket_hash, parts.now())
    assert record.subject is not None
    if record.purpose == "enroll":
        await enrolled(parts, record.subject, person)
    token = await parts.keyring.mint(
        subject=record.subject,
        client_id=record.client_id,
        nonce=record.nonce,
        session_id=record.session_id,
        purpose=record.purpose,
        acr="passive",
        liveness=("passive",),
        auth_time=parts.now(),
        now=parts.now(),
    )
    await parts.store.endings.accept(record.session_id, at=parts.now(), subject=record.subject)
    return token


async def ask(http: Http, **fields: Any) -> tuple[int, dict[str, Any]]:
    """POST /v1/invitations as the relying app's backend."""
    wish = {"subject": "bob", **fields}
    async with http.post("/v1/invitations", json=wish, headers=AUTH) as response:
        return response.status, await response.json()


async def invited(http: Http, **fields: Any) -> Browser:
    """A browser that was sent the link."""
    status, said = await ask(http, **fields)
    assert status == 201, said
    assert set(said) == {"url", "expires_at"}
    return Browser(http, said["url"])
