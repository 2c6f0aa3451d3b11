"""What may be registered of a relying app, and which redirect address a request may name then."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from server.oidc.registration import (
    RegistrationError,
    check_relying,
    check_uri,
    keys_of,
    registered,
)
from server.store.relying import RelyingParty

GOOD = RelyingParty("Shop", ("https://shop.example/cb?a=1", "http://127.0.0.1/cb"))
EC_KEY, RSA_KEY = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)


def jwk(key: Any, **changes: Any) -> dict[str, Any]:
    kind: Any = jwt.algorithms.ECAlgorithm if hasattr(key, "curve") else jwt.algorithms.RSAAlgorithm
    return {**kind.to_jwk(key, as_dict=True), **changes}


def jwks(*keys: Any) -> str:
    return json.dumps({"keys": keys})


PUBLIC = jwk(EC_KEY.public_key(), kid="a", use="sig")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"auth": "none"},
        {"auth": "private_key_jwt", "jwks": jwks(PUBLIC, jwk(RSA_KEY.public_key(), alg="RS256"))},
        {"pkce": "nonce", "id_token_alg": "ES256"},
        {"subject_type": "pairwise", "pairwise_salt": "0f" * 32},
        {"ways": (), "min_acr": "urn:lookgate:face"},
        {"ways": ("otp",), "min_acr": "urn:lookgate:face+otp"},
        {"min_acr": "phr", "accent": "#a0B1c2", "key_alone": True, "name": "Zoë's Ωmega"},
        {"post_logout_uris": ("https://shop.example/", "https://shop.example")},
    ],
)
def test_what_may_be_registered(changes: dict[str, Any]) -> None:
    check_relying(replace(GOOD, **changes))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"redirect_uris": ()}, "redirect_uri_invalid"),
        ({"redirect_uris": ("https://a/", "https://a/")}, "redirect_uri_invalid"),
        ({"redirect_uris": tuple(f"https://a/{n}" for n in range(33))}, "redirect_uri_invalid"),
        ({"post_logout_uris": ("https://shop.example/#a",)}, "redirect_uri_invalid"),
        ({"auth": "tls_client_auth"}, "relying_invalid"),
        ({"id_token_alg": "none"}, "relying_invalid"),
        ({"id_token_alg": "HS256"}, "relying_invalid"),
        ({"pkce": "plain"}, "relying_invalid"),
        ({"min_acr": "phrh"}, "relying_invalid"),
        ({"subject_type": "other"}, "relying_invalid"),
        ({"subject_type": "pairwise"}, "relying_invalid"),
        ({"subject_type": "pairwise", "pairwise_salt": "0f" * 31}, "relying_invalid"),
        ({"ways": ("key", "password")}, "relying_invalid"),
        ({"ways": ("key", "key")}, "relying_invalid"),
        ({"ways": ("otp",), "min_acr": "phr"}, "relying_invalid"),
        ({"ways": (), "min_acr": "urn:lookgate:face+otp"}, "relying_invalid"),
        ({"ways": (), "key_alone": True}, "relying_invalid"),
        ({"name": ""}, "relying_invalid"),
        ({"name": "a\u202eb"}, "relying_invalid"),
        ({"name": "a\nb"}, "relying_invalid"),
        ({"accent": "red;}"}, "relying_invalid"),
        ({"auth": "none", "pkce": "nonce"}, "relying_invalid"),
        ({"auth": "private_key_jwt"}, "jwks_invalid"),
        ({"jwks": jwks(PUBLIC)}, "jwks_invalid"),
        ({"auth": "private_key_jwt", "jwks": "{}"}, "jwks_invalid"),
        ({"auth": "private_key_jwt", "jwks": jwks()}, "jwks_invalid"),
        ({"auth": "private_key_jwt", "jwks": jwks(jwk(EC_KEY))}, "jwks_invalid"),
        ({"auth": "private_key_jwt", "jwks": jwks({"kty": "oct", "k": "AA"})}, "jwks_invalid"),
        ({"auth": "private_key_jwt", "jwks": jwks({**PUBLIC, "use": "enc"})}, "jwks_invalid"),
        ({"auth": "private_key_jwt", "jwks": jwks({**PUBLIC, "alg": "RS256"})}, "jwks_invalid"),
        ({"auth": "private_key_jwt", "jwks": jwks({**PUBLIC, "x": "AA"})}, "jwks_invalid"),
    ],
)
def test_what_may_not(changes: dict[str, Any], code: str) -> None:
    check_relying(GOOD)
    with pytest.raises(RegistrationError) as caught:
        check_relying(replace(GOOD, **changes))
    assert caught.value.code == code


def test_short_keys_and_other_curves_are_refused() -> None:
    keys_of(jwks(jwk(RSA_KEY.public_key())))
    for key in (rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP384R1())):
        with pytest.raises(RegistrationError):
            keys_of(jwks(jwk(key.public_key())))


@pytest.mark.parametrize(
    "uri",
    [
        "https://shop.example",
        "https://shop.example:8443/a/b?x=1&y=%20",
        "http://127.0.0.1:8000/cb",
        "http://[::1]/cb",
        "http://localhost:3000/cb",
        "https://shop.example/a..b/...",
    ],
)
def test_addresses_that_may_be_registered(uri: str) -> None:
    check_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://",
        "shop.example/cb",
        "//shop.example/cb",
        "javascript:alert(1)",
        "data:text/html,a",
        "com.example.app:/cb",
        "http://shop.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://localhost@evil.example/cb",
        "https://user:pw@shop.example/cb",
        "https://shop.example/cb#",
        "https://shop.example/cb#a",
        "https://*.shop.example/cb",
        "https://shop.example/*",
        "https://shop.example/a/../b",
        "https://shop.example/a/%2e%2E/b",
        "https://shop.example/a/..%2Fb",
        "https://shop.example/./b",
        "https://shop.example\\@evil.example/",
        "https://shop.example:0/",
        "https://shop.example:99999/",
        "https://shop.example/ cb",
        "https://shop.example/cb\r\nSet-Cookie: a=b",
        "https://shöp.example/cb",
        "https://shop.example/cb?code=1",
        "https://shop.example/cb?a=1&iss=x",
        "https://shop.example/" + "a" * 2000,
    ],
)
def test_addresses_that_may_not(uri: str) -> None:
    with pytest.raises(RegistrationError) as caught:
        check_uri(uri)
    assert caught.value.code == "redirect_uri_invalid"
    assert len(uri) < 10 or uri not in caught.value.text


@pytest.mark.parametrize(
    "uri",
    [
        "https://shop.example/cb",
        "https://shop.example/cb?a=1&b=2",
        "https://shop.example:443/cb?a=1",
        "https://shop.example/CB?a=1",
        "https://SHOP.example/cb?a=1",
        "https://shop.example/x/../cb?a=1",
        "https://shop.example/cb%3Fa=1",
        "https://shop.example%2Fcb?a=1",
        "http://shop.example/cb?a=1",
        "http://127.0.0.1:8000/cb",
        "",
    ],
)
def test_a_redirect_address_is_an_exact_string(uri: str) -> None:
    assert registered("https://shop.example/cb?a=1", GOOD)
    assert registered("http://127.0.0.1/cb", GOOD)
    assert not registered(uri, GOOD)


def test_only_the_port_of_a_public_clients_loopback_address_is_free() -> None:
    uris = ("http://127.0.0.1:1/cb", "http://[::1]/cb?a=1", "http://localhost:1/cb", "https://a/")
    public = RelyingParty("App", uris, auth="none")
    for good in ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", "http://[::1]:9/cb?a=1"):
        assert registered(good, public), good
        assert not registered(good, replace(public, auth="client_secret_basic")), good
    for bad in (
        "http://127.0.0.1:51004/other",
        "http://127.0.0.1:51004/cb?a=1",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.2:51004/cb",
        "http://localhost:2/cb",
        "https://127.0.0.1:51004/cb",
        "https://a:8443/",
        "http://127.0.0.1@evil.example/cb",
        "http://127.0.0.1:51004\n/cb",
    ):
        assert not registered(bad, public), bad
