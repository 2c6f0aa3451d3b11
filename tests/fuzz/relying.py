"""What relying apps and their browsers can send to the OpenID provider.

Not here: changing the examples (mutation.py), the other ways in (targets.py).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from server.http.oidc.reading import pairs_of
from server.oidc.authorize import Declined, checked, request_of
from server.oidc.client_auth import JWT_BEARER, Presented, authenticated
from server.oidc.hint import HintError, hint_of
from server.oidc.login import Location, begin, declined, refuse
from server.problems import Problem
from server.store.port import Client
from server.store.relying import RelyingParty

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ISSUER, REDIRECT = "https://id.example", "https://shop.example/cb?a=1"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).decode()[:43]
QUERY = urlencode(
    {
        "client_id": "shop",
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": "openid email",
        "state": "a state",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "prompt": "login consent",
        "max_age": "60",
        "response_mode": "form_post",
    }
).encode()

KEY = ec.generate_private_key(ec.SECP256R1())
JWK = {**jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k"}
RELYING = RelyingParty(
    "Shop", (REDIRECT,), auth="private_key_jwt", jwks=json.dumps({"keys": [JWK]})
)
CLIENT = Client("shop", bytes(32), (), "standard", NOW, relying=RELYING)
_CLAIMS = {"iss": "shop", "sub": "shop", "aud": ISSUER, "jti": "j", "exp": NOW.timestamp() + 60}
ASSERTION = jwt.encode(_CLAIMS, KEY, algorithm="ES256", headers={"kid": "k"}).encode()
HINT = jwt.encode(
    {"iss": ISSUER, "aud": "shop", "sub": "ann"}, KEY, algorithm="ES256", headers={"kid": "k"}
).encode()


def authorize(data: bytes) -> None:
    """Whatever is asked, an answer goes to the registered address, with the state as it came."""
    try:
        asked = pairs_of(data.decode("latin-1"), Problem("request_invalid"))
        wanted = checked(asked, "shop", RELYING)
    except Problem:
        return
    except Declined as refused:
        _is_ours(declined(refused, issuer=ISSUER), asked.get("state"))
        return
    if wanted.code_challenge is None or request_of(wanted.to_json()) != wanted:
        raise AssertionError("PKCE was left out, or a request is not kept as it is")
    _is_ours(refuse(begin(wanted, NOW).login, "access_denied", issuer=ISSUER), asked.get("state"))


def _is_ours(location: Location, state: str | None) -> None:
    href = location.href
    said = parse_qsl(urlsplit(href).query, keep_blank_values=True)
    names = [name for name, _ in said]
    if not href.startswith(REDIRECT + "&") or not href.isascii() or not href.isprintable():
        raise AssertionError("an answer goes elsewhere, or ends a header")
    if len(set(names)) != len(names) or dict(said).get("state") != state or names[-1] != "iss":
        raise AssertionError("an answer says something else")


class _Once:
    async def once(self, client_id: str, jti: str, until: datetime, now: datetime) -> bool:
        if (client_id, jti) != ("shop", "j"):
            raise AssertionError("a changed name was signed")
        return True


def assertion(data: bytes) -> None:
    """What is not signed is refused; what is, says what was signed."""
    form = {
        "client_assertion_type": JWT_BEARER,
        "client_assertion": data.decode("utf-8", "surrogateescape"),
    }

    async def find(_: str) -> Client:
        return CLIENT

    async def ask() -> None:
        await authenticated(Presented(form), find=find, seen=_Once(), audiences=(ISSUER,), now=NOW)

    try:
        asyncio.run(ask())
    except Problem:
        return


def hint(data: bytes) -> None:
    """As an assertion."""
    try:
        found = hint_of(
            data.decode("utf-8", "surrogateescape"), jwks={"keys": [JWK]}, issuer=ISSUER
        )
    except HintError:
        return
    if found is not None and (found.client_id, found.sub) != ("shop", "ann"):
        raise AssertionError("a changed hint is good")
