from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from server.keys.tokens import (
    CACHE_S,
    LIFETIME_S,
    SETTLE_S,
    TYPE,
    Keyring,
    TokenError,
    make_key,
    open_key,
    verify,
)
from server.keys.vault import Vault, VaultError
from server.store.port import KeyRecord, Unavailable
from server.store.sqlite.database import SqliteStore

NOW = datetime(2026, 5, 17, 8, 30, tzinfo=UTC)
ISSUER = "https://login.example"
VAULT = Vault([bytes(range(32))])
WHO: dict[str, str] = {
    "subject": "ada",
    "client_id": "shop",
    "nonce": "n" * 16,
    "session_id": "s1",
    "purpose": "login",
    "acr": "passive",
}


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.sqlite3")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def ring(store: SqliteStore) -> Keyring:
    ring = Keyring(store, VAULT, issuer=ISSUER)
    await ring.load(NOW)
    return ring


async def minted(ring: Keyring, now: datetime = NOW, **changes: str) -> str:
    return await ring.mint(**{**WHO, **changes}, auth_time=now - seconds(1), now=now)


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


async def test_a_token_says_what_the_protocol_promises(ring: Keyring) -> None:
    token = await minted(ring)
    jwks = await ring.jwks(NOW)
    header = jwt.get_unverified_header(token)
    assert header == {"alg": "ES256", "typ": "face+jwt", "kid": jwks["keys"][0]["kid"]}
    claims = check(token, jwks)
    jti = claims.pop("jti")
    assert len(jti) == 22
    at = int(NOW.timestamp())
    assert claims == {
        "iss": ISSUER,
        "aud": "shop",
        "sub": "ada",
        "iat": at,
        "nbf": at,
        "exp": at + LIFETIME_S,
        "auth_time": at - 1,
        "nonce": "n" * 16,
        "sid": "s1",
        "purpose": "login",
        "amr": ["face"],
        "acr": "passive",
    }
    assert check(await minted(ring), jwks)["jti"] != jti


async def test_a_third_party_verifies_it_with_pyjwt_alone(ring: Keyring) -> None:
    now = datetime.now(UTC)
    token = await minted(ring, now)
    (jwk,) = jwt.PyJWKSet.from_dict(await ring.jwks(now)).keys
    claims = jwt.decode(token, jwk, algorithms=["ES256"], audience="shop", issuer=ISSUER)
    assert claims["sub"] == "ada"


async def test_the_published_key_is_public(ring: Keyring) -> None:
    (key,) = (await ring.jwks(NOW))["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    named = {name: key[name] for name in ("kty", "crv", "use", "alg")}
    assert named == {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256"}


def test_the_thumbprint_is_the_one_of_rfc_7638() -> None:
    record = make_key(VAULT, NOW)
    members = json.loads(record.public_jwk)
    text = '{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.format(**members)
    digest = hashlib.sha256(text.encode()).digest()
    assert record.kid == base64url(digest)
    assert open_key(VAULT, record).jwk["x"] == members["x"]
    assert "private" not in repr(open_key(VAULT, record)).lower()


async def test_what_is_not_as_expected_is_refused(ring: Keyring) -> None:
    token, jwks = await minted(ring), await ring.jwks(NOW)
    assert code_of(token, jwks, expected_issuer="https://evil.example") == "token_issuer"
    assert code_of(token, jwks, expected_audience="zoo") == "token_audience"
    assert code_of(token, jwks, expected_nonce="m" * 16) == "token_nonce"
    assert code_of(token, jwks, expected_purpose="enroll") == "token_purpose"
    assert code_of(token, {"keys": []}) == "token_key_unknown"
    assert code_of(token, {}) == "token_key_unknown"
    assert code_of(token, {"keys": "none"}) == "token_key_unknown"


async def test_a_token_has_its_time(ring: Keyring) -> None:
    token, jwks = await minted(ring), await ring.jwks(NOW)
    assert check(token, jwks, NOW - seconds(5))
    assert code_of(token, jwks, NOW - seconds(6)) == "token_early"
    assert check(token, jwks, NOW + seconds(LIFETIME_S + 4))
    assert code_of(token, jwks, NOW + seconds(LIFETIME_S + 5)) == "token_expired"


@pytest.mark.parametrize(
    "token",
    ["", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "." * 9000, f"e30.e30.{'A' * 86}="],
)
async def test_what_is_no_token_is_malformed(ring: Keyring, token: str) -> None:
    assert code_of(token, await ring.jwks(NOW)) == "token_malformed"


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
            **{"amr": ["face"], "acr": "passive"},
        }

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        kept = {k: v for k, v in {**self.claims, **claims}.items() if v is not ...}
        headers = {"alg": "ES256", "typ": TYPE, "kid": "k", **(header or {})}
        text = f"{encoded(headers)}.{encoded(kept)}"
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


# keys


async def test_rotation_publishes_first_and_signs_later(store: SqliteStore, ring: Keyring) -> None:
    old = (await ring.jwks(NOW))["keys"][0]["kid"]
    then = NOW + timedelta(days=1)
    before = await minted(ring, then)
    new = await ring.rotate(then, timedelta(minutes=10))
    assert [key["kid"] for key in (await ring.jwks(then))["keys"]] == [new, old]

    # Another process may not know the new key for as long as it caches: nobody signs with it yet.
    token = await minted(ring, then + seconds(SETTLE_S - 0.1))
    assert jwt.get_unverified_header(token)["kid"] == old
    settled = then + seconds(SETTLE_S)
    token = await minted(ring, settled)
    assert jwt.get_unverified_header(token)["kid"] == new
    jwks = await ring.jwks(settled)
    assert check(token, jwks, settled)
    assert check(before, jwks, settled)

    over = then + timedelta(minutes=10)
    assert [key["kid"] for key in (await ring.jwks(over))["keys"]] == [new]


async def test_a_leaked_key_goes_at_once(ring: Keyring) -> None:
    stolen = await minted(ring)
    new = await ring.rotate(NOW, timedelta(0))
    assert [key["kid"] for key in (await ring.jwks(NOW))["keys"]] == [new]
    assert jwt.get_unverified_header(await minted(ring))["kid"] == new
    assert code_of(stolen, await ring.jwks(NOW)) == "token_key_unknown"


async def test_a_key_signs_nothing_that_outlives_it(ring: Keyring) -> None:
    then = NOW + timedelta(days=1)
    new = await ring.rotate(then, seconds(LIFETIME_S - 1))
    assert jwt.get_unverified_header(await minted(ring, then))["kid"] == new


async def test_a_rotation_by_another_process_is_noticed(store: SqliteStore, ring: Keyring) -> None:
    other = Keyring(store, VAULT, issuer=ISSUER)
    new = await other.rotate(NOW + seconds(1))
    assert len((await ring.jwks(NOW + seconds(CACHE_S - 0.1)))["keys"]) == 1
    assert (await ring.jwks(NOW + seconds(CACHE_S)))["keys"][0]["kid"] == new
    # A clock that was set back asks again, too.
    assert len((await ring.jwks(NOW - seconds(1)))["keys"]) == 2


async def test_keys_stay_over_a_restart(store: SqliteStore, ring: Keyring) -> None:
    again = Keyring(store, VAULT, issuer=ISSUER)
    assert await again.jwks(NOW) == await ring.jwks(NOW)


async def test_known_keys_stay_published_in_an_outage(store: SqliteStore, ring: Keyring) -> None:
    known = await ring.jwks(NOW)
    await store.close()
    assert await ring.jwks(NOW + timedelta(minutes=5)) == known
    fresh = Keyring(store, VAULT, issuer=ISSUER)
    with pytest.raises(Unavailable):
        await fresh.jwks(NOW)
    with pytest.raises(Unavailable):
        await ring.rotate(NOW)
    await store.open()
    assert await fresh.jwks(NOW) == known


async def test_a_lost_master_key_is_told_at_start(store: SqliteStore, ring: Keyring) -> None:
    with pytest.raises(VaultError) as caught:
        await Keyring(store, Vault([bytes(32)]), issuer=ISSUER).load(NOW)
    assert caught.value.code == "vault_key_unknown"


async def test_a_key_slipped_into_the_database_is_never_published(
    store: SqliteStore, ring: Keyring, tmp_path: Path
) -> None:
    mine = json.loads((await store.keys(NOW))[0].public_jwk)
    forged = json.dumps(FORGER.jwks["keys"][0])
    with sqlite3.connect(tmp_path / "store.sqlite3") as db:
        db.execute("UPDATE signing_keys SET public_jwk = ?", (forged,))
    db.close()
    again = Keyring(store, VAULT, issuer=ISSUER)
    assert (await again.jwks(NOW))["keys"][0]["x"] == mine["x"]
    record = KeyRecord("k", forged, b"\0" * 99, NOW, NOW + timedelta(days=1))
    await store.add_key(record, retire_others_at=None)
    with pytest.raises(VaultError):
        await again.load(NOW)


def test_no_token_lives_longer_than_the_protocol_allows(store: SqliteStore) -> None:
    for lifetime_s in (0, LIFETIME_S + 1):
        with pytest.raises(ValueError, match="120"):
            Keyring(store, VAULT, issuer=ISSUER, lifetime_s=lifetime_s)
    assert Keyring(store, VAULT, issuer=ISSUER, lifetime_s=60).lifetime_s == 60
