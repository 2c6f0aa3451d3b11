"""Tokens: what they say, and every way in which one must not be believed. No store, no keyring."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from server.keys.token import LIFETIME_S, TYPE, TokenError, mint, verify

NOW = datetime(2026, 5, 17, 8, 30, tzinfo=UTC)
ISSUER = "https://login.example"
KEY = ec.generate_private_key(ec.SECP256R1())
JWKS = {"keys": [{**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key())), "kid": "k"}]}


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


def minted(liveness: Sequence[str] = ("passive",)) -> str:
    return mint(
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
        liveness=liveness,
        auth_time=NOW - seconds(1),
        lifetime_s=LIFETIME_S,
        now=NOW,
    )


def check(token: str, jwks: Any, now: datetime = NOW, **changes: str) -> dict[str, Any]:
    expected = {
        "expected_issuer": ISSUER,
        "expected_audience": "shop",
        "expected_nonce": "n" * 16,
        "expected_purpose": "login",
        **changes,
    }
    return verify(token, jwks=jwks, now=now, **expected)


def code_of(token: str, jwks: Any, now: datetime = NOW, **changes: str) -> str:
    with pytest.raises(TokenError) as caught:
        check(token, jwks, now, **changes)
    assert token not in str(caught.value) or not token
    return caught.value.code


def test_a_token_says_what_it_was_told_and_no_more() -> None:
    at = int(NOW.timestamp())
    assert jwt.get_unverified_header(minted()) == {"alg": "ES256", "typ": "face+jwt", "kid": "k"}
    assert check(minted(), JWKS) == {
        **{"iss": ISSUER, "aud": "shop", "sub": "ada", "iat": at, "nbf": at - 10},
        **{"exp": at + LIFETIME_S, "auth_time": at - 1, "jti": "j1", "nonce": "n" * 16},
        **{"sid": "s1", "purpose": "login", "amr": ["face"], "acr": "passive"},
        "lookgate_liveness": ["passive"],
    }


def test_what_is_not_as_expected_is_refused() -> None:
    token, jwks = minted(), JWKS
    assert code_of(token, jwks, expected_issuer="https://evil.example") == "token_issuer"
    assert code_of(token, jwks, expected_audience="zoo") == "token_audience"
    assert code_of(token, jwks, expected_nonce="m" * 16) == "token_nonce"
    assert code_of(token, jwks, expected_purpose="enroll") == "token_purpose"
    assert code_of(token, {"keys": []}) == "token_key_unknown"
    assert code_of(token, {}) == "token_key_unknown"
    assert code_of(token, {"keys": "none"}) == "token_key_unknown"


def test_a_token_has_its_time() -> None:
    token, jwks = minted(), JWKS
    assert check(token, jwks, NOW - seconds(5))
    assert code_of(token, jwks, NOW - seconds(6)) == "token_early"
    assert check(token, jwks, NOW + seconds(LIFETIME_S + 4))
    assert code_of(token, jwks, NOW + seconds(LIFETIME_S + 5)) == "token_expired"


def test_a_signature_has_a_twin_so_jti_alone_makes_a_token_single() -> None:
    token = minted()
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    twin = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    other = f"{signed}.{base64url(twin)}"
    assert other != token
    assert check(other, JWKS)["jti"] == check(token, JWKS)["jti"]


@pytest.mark.parametrize(
    "token",
    ["", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "." * 9000, f"e30.e30.{'A' * 86}="],
)
def test_what_is_no_token_is_malformed(token: str) -> None:
    assert code_of(token, JWKS) == "token_malformed"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encoded(part: Any) -> str:
    return base64url(json.dumps(part).encode())


class Forger:
    """Signs whatever it likes with a key that the key set does hold: to reach the later checks."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        self.jwks = {"keys": [{**public, "kid": "k"}]}
        at = int(NOW.timestamp())
        self.claims: dict[str, Any] = {
            **{"iss": ISSUER, "aud": "shop", "sub": "ada", "iat": at, "nbf": at, "exp": at + 60},
            **{"auth_time": at, "jti": "j", "nonce": "n" * 16, "sid": "s1", "purpose": "login"},
            **{"amr": ["face"], "acr": "passive", "lookgate_liveness": ["passive", "light"]},
        }

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        kept = {k: v for k, v in {**self.claims, **claims}.items() if v is not ...}
        return self.signed(header or {}, kept)

    def signed(self, header: dict[str, Any], payload: Any) -> str:
        headers = {"alg": "ES256", "typ": TYPE, "kid": "k", **header}
        text = f"{encoded(headers)}.{encoded(payload)}"
        r, s = decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def test_a_forger_with_the_key_is_believed_so_the_checks_below_mean_something() -> None:
    forger = Forger()
    assert check(forger.token(), forger.jwks)["sub"] == "ada"


@pytest.mark.parametrize("name", sorted(Forger().claims))
def test_every_claim_is_required_and_typed(name: str) -> None:
    forger = Forger()
    for value in (..., None, True, {}, 1.5, [], ["face", "pwd"]):
        assert code_of(forger.token(**{name: value}), forger.jwks) == "token_claims"


@pytest.mark.parametrize(
    "liveness",
    [
        ["light"],  # a challenge is asked beside passive evidence, never in its place
        ["light", "passive"],
        ["passive", "passive"],
        ["passive", "nod"],
        ["passive", None],
        ["passive", ["light"]],
        "passive",
    ],
)
def test_a_liveness_that_no_session_can_have_passed_is_refused(liveness: Any) -> None:
    forger = Forger()
    assert code_of(forger.token(lookgate_liveness=liveness), forger.jwks) == "token_claims"


@pytest.mark.parametrize("liveness", [["passive"], ["passive", "light"], ["passive", "turn"]])
def test_a_token_says_what_was_asked_and_passed(liveness: list[str]) -> None:
    token = minted(liveness)
    assert check(token, JWKS)["lookgate_liveness"] == liveness


@pytest.mark.parametrize("liveness", [[], ["light"], ["nod"]])
def test_no_token_is_made_of_what_nobody_passed(liveness: list[str]) -> None:
    with pytest.raises(AssertionError):
        minted(liveness)


@pytest.mark.parametrize("payload", [[], ["sub"], "sub", 1, None])
def test_claims_that_are_no_object_are_none(payload: Any) -> None:
    forger = Forger()
    assert code_of(forger.signed({}, payload), forger.jwks) == "token_claims"


def test_a_token_has_a_size() -> None:
    forger = Forger()
    room = 8192 - len(forger.token(more=""))
    for more, well_formed in ((room * 3 // 4 - 4, True), (room * 3 // 4 + 4, False)):
        token = forger.token(more="a" * more)
        assert (len(token) <= 8192) is well_formed
        if well_formed:
            assert check(token, forger.jwks)["sub"] == "ada"
        else:
            assert code_of(token, forger.jwks) == "token_malformed"


def test_a_key_without_a_name_is_nobodys() -> None:
    forger = Forger()
    (public,) = forger.jwks["keys"]
    nameless = {"keys": [{name: public[name] for name in ("kty", "crv", "x", "y")}]}
    assert code_of(forger.token({"kid": None}), nameless) == "token_key_unknown"


def test_a_list_of_audiences_or_a_long_life_is_refused() -> None:
    forger = Forger()
    assert code_of(forger.token(aud=["shop"]), forger.jwks) == "token_claims"
    long = forger.claims["iat"] + LIFETIME_S + 1
    assert code_of(forger.token(exp=long), forger.jwks) == "token_claims"


def test_another_type_of_token_is_refused() -> None:
    forger = Forger()
    for kind in ("JWT", "at+jwt", None, 1):
        assert code_of(forger.token({"typ": kind}), forger.jwks) == "token_type"
    assert code_of(forger.token({"kid": "other"}), forger.jwks) == "token_key_unknown"
    assert code_of(forger.token({"kid": None}), forger.jwks) == "token_key_unknown"


def test_the_header_does_not_choose_the_algorithm() -> None:
    forger = Forger()
    body = encoded(forger.claims)
    public = forger.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for alg in ("none", "HS256", "ES384", "RS256", "es256", None, ["ES256"], 1):
        header = encoded({"alg": alg, "typ": TYPE, "kid": "k"})
        assert code_of(f"{header}.{body}.{'A' * 86}", forger.jwks) == "token_algorithm"
        assert code_of(f"{header}.{body}.", forger.jwks) == "token_malformed"
    # The classic: a MAC with the public key as its secret (RFC 8725 section 2.1).
    header = encoded({"alg": "ES256", "typ": TYPE, "kid": "k"})
    mac = hmac.new(public, f"{header}.{body}".encode(), hashlib.sha512).digest()
    token = f"{header}.{body}.{base64url(mac)}"
    assert code_of(token, forger.jwks) == "token_signature"


def test_a_key_of_another_kind_is_not_used() -> None:
    forger = Forger()
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    p384 = ec.generate_private_key(ec.SECP384R1()).public_key()
    good = forger.jwks["keys"][0]
    others = [
        json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key)),
        json.loads(jwt.algorithms.ECAlgorithm.to_jwk(p384)),
        {"kty": "oct", "k": "AAAA"},
        {**good, "use": "enc"},
        {**good, "alg": "ES384"},
        {**good, "x": "AAAA"},
        {**good, "x": 5},
        {**good, "y": ""},
        "k",
        None,
    ]
    for other in others:
        jwk = {**other, "kid": "k"} if isinstance(other, dict) else other
        assert code_of(forger.token(), {"keys": [jwk]}) == "token_key_unknown"


FORGER = Forger()
TOKEN = FORGER.token()


@given(st.integers(0, 8 * len(TOKEN) - 1))
def test_a_single_flipped_bit_is_refused(bit: int) -> None:
    changed = bytearray(TOKEN.encode())
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(TokenError):
        check(changed.decode("latin-1"), FORGER.jwks)


def test_the_unused_bits_of_the_last_character_are_not_free() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    value = alphabet.index(TOKEN[-1])
    same = [c for n, c in enumerate(alphabet) if n >> 4 == value >> 4 and n != value]
    assert len(same) == 15  # 86 characters hold 516 bits, a signature has 512
    for other in same:
        assert code_of(TOKEN[:-1] + other, FORGER.jwks) == "token_malformed"
