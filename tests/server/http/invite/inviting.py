"""An invitation in a test, and the browser that opens it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from server.parts import Parts
from tests.server.factors.authenticator import Passkey
from tests.server.http.asking import AUTH, Http
from tests.server.http.login.visiting import OURS, Script, challenge
from tests.server.stage import enrolled

HELLO = "https://shop.example/hello"


@dataclass
class Browser(Script):
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
