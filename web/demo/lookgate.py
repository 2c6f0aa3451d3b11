"""Lookgate as a third party knows it: a subject's template, a session, forgetting, a token.

Over HTTP, by docs/protocol.md. No cookies and no users. Sources: RFC 7519, RFC 8725, PyJWT's docs.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import jwt

from web.demo.refusals import Refused

_log = logging.getLogger("demo.lookgate")

TYPE = "face+jwt"
ALGORITHMS = ["ES256"]
"""Ours, never the token's (RFC 8725 section 3.1)."""
MAX_AGE_S = 120
LEEWAY_S = 5
"""How far two servers' clocks may differ."""
_REQUIRED = [
    *("iss", "aud", "sub", "iat", "nbf", "exp", "jti", "nonce", "sid", "purpose"),
    "lookgate_liveness",
]


@dataclass(frozen=True, slots=True)
class Template:
    """What Lookgate has of a subject."""

    enrolled: bool
    usable: bool
    """Whether a login can compare with it: False after another embedder or key, for example."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that Lookgate opened for us."""

    session: str
    nonce: str
    for_page: dict[str, Any]
    """What the element wants; holds the ticket, so it goes to the page and is kept nowhere."""


class Lookgate:
    """One Lookgate server, seen by one client of it."""

    def __init__(self, *, server: str, public_server: str, client: str, secret: str) -> None:
        self._server = server
        self._public = public_server
        self._client = client
        self._auth = aiohttp.encode_basic_auth(client, secret, encoding="utf-8")
        self._http: aiohttp.ClientSession | None = None
        self._keys = jwt.PyJWKClient(f"{server}/.well-known/jwks.json", lifespan=300, timeout=5)

    async def __aenter__(self) -> Lookgate:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http:
            await self._http.close()

    async def ready(self) -> bool:
        """Whether a face session makes sense now."""
        assert self._http
        try:
            timeout = aiohttp.ClientTimeout(total=2)
            async with self._http.get(f"{self._server}/readyz", timeout=timeout) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def template(self, subject: str) -> Template:
        """Ask, because a memory of ours can be wrong: the face can go there without our knowing.

        Raises Refused.
        """
        answer = await self._call("GET", f"/v1/subjects/{quote(subject, safe='')}")
        enrolled, usable = answer.get("enrolled"), answer.get("usable")
        if not isinstance(enrolled, bool) or not isinstance(usable, bool):
            raise Refused("lookgate_refused", "answer without enrolled and usable")
        return Template(enrolled, usable)

    async def open_session(self, *, purpose: str, subject: str, replace: bool = False) -> Opened:
        """Raises Refused."""
        nonce = secrets.token_urlsafe(32)
        body: dict[str, object] = {"purpose": purpose, "subject": subject, "nonce": nonce}
        if purpose == "enroll":
            body["replace"] = replace
        answer = await self._call("POST", "/v1/sessions", body)
        try:
            session, ticket, ice = answer["session"], answer["ticket"], answer["ice_servers"]
            consent = answer["consent"]
        except KeyError as missing:
            raise Refused("lookgate_refused", f"answer without {missing}") from None
        page = {
            "server": self._public,
            "session": session,
            "ticket": ticket,
            "ice_servers": ice,
            "consent": consent,
        }
        return Opened(session, nonce, page)

    async def forget(self, subject: str) -> None:
        """Delete every template of this subject."""
        await self._call("DELETE", f"/v1/subjects/{quote(subject, safe='')}")

    async def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        assert self._http
        try:
            async with self._http.request(
                method,
                self._server + path,
                json=body,
                headers={"Authorization": self._auth},
                allow_redirects=False,
            ) as answer:
                try:
                    content = await answer.json(content_type=None)
                except ValueError:
                    content = None
                if answer.status < 300 and isinstance(content, dict):
                    return content
                raise _refusal(answer.status, content)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Refused("lookgate_unreachable", type(error).__name__) from error

    async def verify(
        self, token: str, *, subject: str, nonce: str, session: str, purpose: str
    ) -> dict[str, Any]:
        """The claims of a token that is ours, of this person and of this attempt.

        Raises Refused("token_refused"), or "lookgate_unreachable" when there are no keys to be had.
        """
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != TYPE or header.get("alg") not in ALGORITHMS:
                raise Refused("token_refused", "header")
            # Blocking: PyJWKClient fetches with urllib.
            key = await asyncio.to_thread(self._keys.get_signing_key_from_jwt, token)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._client,
                issuer=self._public,
                leeway=LEEWAY_S,
                options={"require": _REQUIRED},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise Refused("lookgate_unreachable", type(error).__name__) from error
        except (jwt.PyJWTError, ValueError) as error:
            raise Refused("token_refused", type(error).__name__) from error
        expected = {"sub": subject, "nonce": nonce, "sid": session, "purpose": purpose}
        for name, value in expected.items():
            if not hmac.compare_digest(str(claims[name]).encode(), value.encode()):
                raise Refused("token_refused", name)
        if claims["exp"] - claims["iat"] > MAX_AGE_S:
            raise Refused("token_refused", "lifetime")
        if claims.get("amr") != ["face"]:
            raise Refused("token_refused", "amr")
        passed = claims["lookgate_liveness"]
        if not isinstance(passed, list) or "passive" not in passed:
            raise Refused("token_refused", "lookgate_liveness")
        return claims


def _refusal(status: int, content: object) -> Refused:
    error = content.get("error") if isinstance(content, dict) else None
    code = str(error.get("code", "")) if isinstance(error, dict) else ""
    if status in (429, 503):
        return Refused("lookgate_busy", code)
    # Anything else is this app's mistake or misconfiguration: for the operator, not the person.
    _log.error("lookgate refused a request", extra={"status": status, "code": code[:64]})
    return Refused("lookgate_refused", code)
