"""Receipts for erasures: what they say, and that none is a login token."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from server.keys.receipt import TYPE, Erasure, sign_receipt, verify_receipt
from server.keys.token import TokenError, mint, verify

NOW = datetime(2026, 5, 17, 8, 30, tzinfo=UTC)
ISSUER = "https://login.example"
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
JWKS = {"keys": [{**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key())), "kid": "k"}]}
ERASED = {"sessions": 2, "templates": 1, "tries": 0, "recordings": 1}


def receipt(key: ec.EllipticCurvePrivateKey = KEY) -> str:
    erasure = Erasure("r1", "shop", "ab" * 16, "cd" * 8, ERASED)
    return sign_receipt(key, erasure, kid="k", issuer=ISSUER, now=NOW)


def refused(text: str, *, issuer: str = ISSUER, audience: str = "shop") -> str:
    with pytest.raises(TokenError) as caught:
        verify_receipt(text, expected_issuer=issuer, expected_audience=audience, jwks=JWKS)
    return caught.value.code


def test_a_receipt_says_what_went_and_names_nobody() -> None:
    assert jwt.get_unverified_header(receipt()) == {"alg": "ES256", "typ": TYPE, "kid": "k"}
    assert verify_receipt(
        receipt(), expected_issuer=ISSUER, expected_audience="shop", jwks=JWKS
    ) == {
        "iss": ISSUER,
        "aud": "shop",
        "iat": int(NOW.timestamp()),
        "jti": "r1",
        "subject_hash": "ab" * 16,
        "hash_key": "cd" * 8,
        "erased": ERASED,
    }


def test_a_receipt_is_no_login_token_and_a_token_no_receipt() -> None:
    expected = {
        "expected_issuer": ISSUER,
        "expected_audience": "shop",
        "expected_nonce": "n" * 16,
        "expected_purpose": "login",
    }
    with pytest.raises(TokenError) as caught:
        verify(receipt(), jwks=JWKS, now=NOW, **expected)
    assert caught.value.code == "token_type"
    token = mint(
        KEY,
        kid="k",
        issuer=ISSUER,
        audience="shop",
        subject="ada",
        nonce="n" * 16,
        session_id="s1",
        token_id="j1",
        purpose="login",
        acr="passive",
        liveness=("passive",),
        auth_time=NOW,
        lifetime_s=60,
        now=NOW,
    )
    assert refused(token) == "token_type"


def test_what_does_not_fit_is_refused() -> None:
    assert refused(receipt(OTHER)) == "token_signature"
    assert refused(receipt(), issuer="https://other.example") == "token_issuer"
    assert refused(receipt(), audience="zoo") == "token_audience"
    assert refused("") == "token_malformed"
    body = jwt.encode({"aud": "shop", "iss": ISSUER}, KEY, "ES256", {"typ": TYPE, "kid": "k"})
    assert refused(body) == "token_claims"
    unknown = jwt.encode({"erased": {}}, KEY, "ES256", {"typ": TYPE, "kid": "x"})
    assert refused(unknown) == "token_key_unknown"
    hmac = jwt.encode({"erased": {}}, "s" * 32, "HS256", {"typ": TYPE, "kid": "k"})
    assert refused(hmac) in ("token_algorithm", "token_malformed")
