"""How relying apps show who they are: each in its one way, and every other one is refused."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from server.oidc.client_auth import JWT_BEARER, Presented, authenticated
from server.problems import Problem
from server.store.port import Client, NotFound
from tests.server.oidc.asking import APP, ISSUER, NOW, an_app
from tests.server.oidc.test_registration import jwk, jwks

SECRET = APP  # of a client made for tests, its id
EC_KEY, RSA_KEY = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
OTHER = ec.generate_private_key(ec.SECP256R1())
KEYS = jwks(jwk(EC_KEY.public_key(), kid="e"), jwk(RSA_KEY.public_key(), kid="r"))
AUDIENCES = (ISSUER, f"{ISSUER}/token")


class Remembered:
    """The names that were seen."""

    def __init__(self) -> None:
        self.names: set[tuple[str, str]] = set()

    async def once(self, client_id: str, jti: str, until: datetime, now: datetime) -> bool:
        new = (client_id, jti) not in self.names
        self.names.add((client_id, jti))
        return new


async def let_in(shown: Presented, client: Client, seen: Remembered | None = None) -> Client:
    async def find(client_id: str) -> Client:
        if client_id != client.client_id:
            raise NotFound("client")
        return client

    return await authenticated(
        shown, find=find, seen=seen or Remembered(), audiences=AUDIENCES, now=NOW
    )


async def code_of(shown: Presented, client: Client, seen: Remembered | None = None) -> str:
    with pytest.raises(Problem) as caught:
        await let_in(shown, client, seen)
    return caught.value.code


def posted(**form: str) -> Presented:
    return Presented(form)


def shown_as(how: str) -> Presented:
    return {
        "client_secret_basic": Presented({}, (APP, SECRET)),
        "client_secret_post": posted(client_id=APP, client_secret=SECRET),
        "private_key_jwt": asserted(),
        "none": posted(client_id=APP),
    }[how]


def app_of(how: str) -> Client:
    return an_app(auth=how, jwks=KEYS if how == "private_key_jwt" else None)


def claims(**changes: Any) -> dict[str, Any]:
    at = int(NOW.timestamp())
    said = {"iss": APP, "sub": APP, "aud": ISSUER, "exp": at + 60, "iat": at, "jti": "j"} | changes
    return {name: value for name, value in said.items() if value is not None}


def asserted(
    key: Any = EC_KEY, alg: str = "ES256", headers: Any = None, **changes: Any
) -> Presented:
    made = jwt.encode(claims(**changes), key, algorithm=alg, headers=headers)
    return posted(client_assertion_type=JWT_BEARER, client_assertion=made)


WAYS = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]


@pytest.mark.parametrize("how", WAYS)
async def test_each_client_has_exactly_one_way(how: str) -> None:
    client = app_of(how)
    assert await let_in(shown_as(how), client) == client
    for other in WAYS:
        if other != how:
            assert await code_of(shown_as(other), client) == "invalid_client", other
    assert await code_of(shown_as(how), replace(client, relying=None)) == "invalid_client"
    assert await code_of(shown_as(how), replace(client, client_id="zoo")) == "invalid_client"


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        (Presented({}, (APP, "wrong")), "invalid_client"),
        (Presented({}, ("", "")), "invalid_client"),
        (Presented({}), "invalid_client"),
        (Presented({"client_secret": SECRET}, (APP, SECRET)), "invalid_request"),
        (Presented({"client_assertion": "x"}, (APP, SECRET)), "invalid_request"),
        (Presented({"client_assertion_type": "x"}, (APP, SECRET)), "invalid_request"),
        (Presented({"client_id": "zoo"}, (APP, SECRET)), "invalid_request"),
    ],
)
async def test_two_ways_or_a_wrong_secret_are_none(shown: Presented, code: str) -> None:
    client = app_of("client_secret_basic")
    await let_in(Presented({"client_id": APP}, (APP, SECRET)), client)
    assert await code_of(shown, client) == code


@pytest.mark.parametrize(
    "shown",
    [
        asserted(),
        asserted(headers={"kid": "e"}),
        asserted(headers={"typ": "client-authentication+jwt"}),
        asserted(RSA_KEY, "RS256", {"kid": "r"}),
        asserted(aud=f"{ISSUER}/token"),
        asserted(aud=[ISSUER, f"{ISSUER}/token"]),
        asserted(exp=int(NOW.timestamp()) + 300),
        asserted(iat=None),
        asserted(nbf=int(NOW.timestamp())),
        replace(asserted(), form={**asserted().form, "client_id": APP}),
    ],
)
async def test_an_assertion_that_is_taken(shown: Presented) -> None:
    await let_in(shown, app_of("private_key_jwt"))


AT = int(NOW.timestamp())


@pytest.mark.parametrize(
    "shown",
    [
        asserted(OTHER),
        asserted(RSA_KEY, "RS256", {"kid": "e"}),
        asserted(RSA_KEY, "PS256"),
        asserted(headers={"kid": "../../e"}),
        asserted(headers={"kid": "r"}),
        asserted(headers={"typ": "face+jwt"}),
        asserted(headers={"crit": ["b64"], "b64": True}),
        asserted("a" * 32, "HS256"),
        asserted(None, "none"),
        asserted(iss="zoo"),
        asserted(sub="zoo"),
        asserted(aud="https://other.example"),
        asserted(aud=[ISSUER, "https://other.example"]),
        asserted(aud=[]),
        asserted(aud=None),
        asserted(exp=None),
        asserted(exp=AT - 6),
        asserted(exp=AT + 400),
        asserted(exp=str(AT + 60)),
        asserted(exp=True),
        asserted(exp=10**30),
        asserted(nbf=AT + 60),
        asserted(iat=AT + 60),
        asserted(jti=None),
        asserted(jti=""),
        asserted(jti="j" * 257),
        asserted(jti=7),
        posted(client_assertion_type="other", client_assertion="x"),
        posted(client_assertion_type=JWT_BEARER),
        posted(client_assertion_type=JWT_BEARER, client_assertion="x.y.z"),
        posted(client_assertion_type=JWT_BEARER, client_assertion="é" * 9),
        posted(client_assertion_type=JWT_BEARER, client_assertion="a" * 9000),
    ],
)
async def test_an_assertion_that_is_not(shown: Presented) -> None:
    client = app_of("private_key_jwt")
    await let_in(asserted(), client)
    assert await code_of(shown, client) == "invalid_client"


async def test_an_assertion_is_taken_once_and_only_from_its_owner() -> None:
    client, seen = app_of("private_key_jwt"), Remembered()
    assert await code_of(asserted(OTHER), client, seen) == "invalid_client"
    assert seen.names == set()
    await let_in(asserted(), client, seen)
    assert await code_of(asserted(), client, seen) == "invalid_client"
    await let_in(asserted(jti="k"), client, seen)


async def test_the_public_key_is_no_secret_of_an_hmac() -> None:
    """RFC 8725 section 2.1: HS256 with the text of the public key as the secret."""
    client = app_of("private_key_jwt")
    assert client.relying is not None
    assert client.relying.jwks is not None
    for key in json.loads(client.relying.jwks)["keys"]:
        for secret in (json.dumps(key), key.get("n", ""), key.get("x", "")):
            if len(secret) >= 32:
                parts = asserted("0" * 32, "HS256", {"kid": key["kid"]}).form["client_assertion"]
                signed, _, _ = parts.rpartition(".")
                mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
                    signed.encode(), secret.encode()
                )
                forged = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
                shown = posted(client_assertion_type=JWT_BEARER, client_assertion=forged)
                assert await code_of(shown, client) == "invalid_client"
