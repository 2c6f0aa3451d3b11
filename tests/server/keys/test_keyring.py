"""The keys that sign: published, rotated, kept over restarts and outages, and never slipped in."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server.keys.keyring import CACHE_S, LONGEST_S, SETTLE_S, Keyring
from server.keys.signing_key import make_key
from server.keys.token import LIFETIME_S
from server.keys.vault import Vault, VaultError
from server.store.keys import KeyRecord
from server.store.port import Unavailable
from server.store.sqlite.store import SqliteStore
from tests.server.keys.test_token import (
    FORGER,
    ISSUER,
    NOW,
    base64url,
    check,
    code_of,
    seconds,
)

VAULT = Vault([bytes(range(32))])
WHO: dict[str, Any] = {
    "subject": "ada",
    "client_id": "shop",
    "nonce": "n" * 16,
    "session_id": "s1",
    "purpose": "login",
    "acr": "passive",
    "liveness": ["passive", "turn"],
}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.sqlite3")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def ring(store: SqliteStore) -> Keyring:
    ring = Keyring(store.keys, VAULT, issuer=ISSUER)
    await ring.load(NOW)
    return ring


def kids(jwks: dict[str, Any], alg: str = "ES256") -> list[str]:
    return [key["kid"] for key in jwks["keys"] if key["alg"] == alg]


async def minted(ring: Keyring, now: datetime = NOW, **changes: str) -> str:
    return await ring.mint(**{**WHO, **changes}, auth_time=now - seconds(1), now=now)


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
        "nbf": at - 10,
        "exp": at + LIFETIME_S,
        "auth_time": at - 1,
        "nonce": "n" * 16,
        "sid": "s1",
        "purpose": "login",
        "amr": ["face"],
        "acr": "passive",
        "lookgate_liveness": ["passive", "turn"],
    }
    assert check(await minted(ring), jwks)["jti"] != jti


async def test_a_third_party_verifies_it_with_pyjwt_alone(ring: Keyring) -> None:
    now = datetime.now(UTC)
    token = await minted(ring, now)
    (jwk, _) = jwt.PyJWKSet.from_dict(await ring.jwks(now)).keys
    claims = jwt.decode(token, jwk, algorithms=["ES256"], audience="shop", issuer=ISSUER)
    assert claims["sub"] == "ada"


async def signed(ring: Keyring, alg: str, now: datetime = NOW) -> str:
    claims = {"iss": ISSUER, "aud": "shop", "sub": "ada", "exp": int(now.timestamp()) + 300}
    return await ring.sign(claims, alg=alg, typ="JWT", now=now)


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
async def test_another_kind_of_jwt_is_signed_with_the_key_of_its_algorithm(
    ring: Keyring, alg: str
) -> None:
    now = datetime.now(UTC)
    text, jwks = await signed(ring, alg, now), await ring.jwks(now)
    (kid,) = kids(jwks, alg)
    assert jwt.get_unverified_header(text) == {"alg": alg, "typ": "JWT", "kid": kid}
    key = jwt.PyJWKSet.from_dict(jwks)[kid]
    claims = jwt.decode(text, key, algorithms=[alg], audience="shop", issuer=ISSUER)
    assert claims["sub"] == "ada"
    # Whatever it says, it is no face login token (RFC 8725 section 3.11).
    code = {"ES256": "token_type", "RS256": "token_malformed"}[alg]
    assert code_of(text, jwks, now) == code


async def test_no_published_key_of_rsa_makes_a_face_login_token(ring: Keyring) -> None:
    """With its public part as the secret of a MAC, or as a key that it is not (RFC 8725 2.1)."""
    jwks = await ring.jwks(NOW)
    (kid,) = kids(jwks, "RS256")
    body = FORGER.token({}).split(".")[1]
    public = jwt.PyJWKSet.from_dict(jwks)[kid].key.public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    for alg, code in (
        ("ES256", "token_key_unknown"),
        ("RS256", "token_algorithm"),
        ("HS256", "token_algorithm"),
        ("none", "token_algorithm"),
    ):
        head = base64url(json.dumps({"alg": alg, "typ": "face+jwt", "kid": kid}).encode())
        mac = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha512).digest()
        assert code_of(f"{head}.{body}.{base64url(mac)}", jwks) == code
        short = base64url(mac[:32]) if alg == "HS256" else ""
        assert code_of(f"{head}.{body}.{short}", jwks) == "token_malformed"


@pytest.mark.parametrize("typ", ["face+jwt", "lookgate-erasure+jwt"])
async def test_no_one_else_signs_a_token_or_a_receipt(ring: Keyring, typ: str) -> None:
    with pytest.raises(AssertionError):
        await ring.sign({}, alg="ES256", typ=typ, now=NOW)


async def test_a_store_of_a_version_before_gets_a_key_of_rs256(
    store: SqliteStore, tmp_path: Path
) -> None:
    await Keyring(store.keys, VAULT, issuer=ISSUER).load(NOW)
    with sqlite3.connect(tmp_path / "store.sqlite3") as db:
        db.execute("DELETE FROM signing_keys WHERE alg = 'RS256'")
    db.close()
    (old,) = await store.keys.published(NOW)
    rings = [Keyring(store.keys, VAULT, issuer=ISSUER) for _ in range(3)]
    await asyncio.gather(*(ring.load(NOW) for ring in rings))
    first, *others = [await ring.jwks(NOW) for ring in rings]
    assert others == [first, first]
    assert kids(first) == [old.kid]
    assert len(kids(first, "RS256")) == 1
    await signed(rings[0], "RS256")


async def test_rotation_publishes_first_and_signs_later(store: SqliteStore, ring: Keyring) -> None:
    (old,) = kids(await ring.jwks(NOW))
    then = NOW + timedelta(days=1)
    new = (await ring.rotate(then, timedelta(minutes=11)))["ES256"]
    assert kids(await ring.jwks(then)) == [new, old]

    # A cache may hold the set without the new key: nobody signs with it yet.
    token = await minted(ring, then + seconds(SETTLE_S - 0.1))
    assert jwt.get_unverified_header(token)["kid"] == old
    settled = then + seconds(SETTLE_S)
    token = await minted(ring, settled)
    assert jwt.get_unverified_header(token)["kid"] == new
    last = await minted(ring, settled - seconds(1))
    jwks = await ring.jwks(settled)
    assert check(token, jwks, settled)
    assert check(last, jwks, settled)

    over = then + timedelta(minutes=11)
    assert kids(await ring.jwks(over - seconds(0.1))) == [new, old]
    assert kids(await ring.jwks(over)) == [new]


async def test_a_leaked_key_goes_at_once(ring: Keyring) -> None:
    stolen = await minted(ring)
    new = await ring.rotate(NOW, timedelta(0))
    assert [key["kid"] for key in (await ring.jwks(NOW))["keys"]] == [new["ES256"], new["RS256"]]
    assert jwt.get_unverified_header(await minted(ring))["kid"] == new["ES256"]
    assert code_of(stolen, await ring.jwks(NOW)) == "token_key_unknown"


async def test_a_key_signs_nothing_that_outlives_it(ring: Keyring) -> None:
    then = NOW + timedelta(days=1)
    new = await ring.rotate(then, seconds(LONGEST_S - 1))
    assert jwt.get_unverified_header(await minted(ring, then))["kid"] == new["ES256"]
    for alg, kid in new.items():
        assert jwt.get_unverified_header(await signed(ring, alg, then))["kid"] == kid


async def test_a_rotation_by_another_process_is_noticed(store: SqliteStore, ring: Keyring) -> None:
    other = Keyring(store.keys, VAULT, issuer=ISSUER)
    new = await other.rotate(NOW + seconds(1))
    assert len((await ring.jwks(NOW + seconds(CACHE_S - 0.1)))["keys"]) == 2
    for alg, kid in new.items():
        assert kids(await ring.jwks(NOW + seconds(CACHE_S)), alg)[0] == kid
    # A clock that was set back asks again, too.
    assert len((await ring.jwks(NOW - seconds(1)))["keys"]) == 4


async def test_keys_stay_over_a_restart(store: SqliteStore, ring: Keyring) -> None:
    again = Keyring(store.keys, VAULT, issuer=ISSUER)
    assert await again.jwks(NOW) == await ring.jwks(NOW)


async def test_known_keys_stay_published_in_an_outage(store: SqliteStore, ring: Keyring) -> None:
    known = await ring.jwks(NOW)
    await store.close()
    assert await ring.jwks(NOW + timedelta(minutes=5)) == known
    fresh = Keyring(store.keys, VAULT, issuer=ISSUER)
    with pytest.raises(Unavailable):
        await fresh.jwks(NOW)
    with pytest.raises(Unavailable):
        await ring.rotate(NOW)
    await store.open()
    assert await fresh.jwks(NOW) == known


async def test_a_key_that_does_not_open_is_left_out_and_counted(
    store: SqliteStore, ring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    """A junk row, and one of a foreign master key: neither stops who is there."""
    mine = await ring.jwks(NOW)
    junk = KeyRecord("junk", "{}", b"\0" * 99, NOW, NOW + timedelta(days=1))
    await store.keys.add(junk, retire_others_at=None)
    other = make_key(Vault([bytes(32)]), NOW)
    await store.keys.add(other, retire_others_at=NOW + timedelta(minutes=10))
    later = NOW + seconds(CACHE_S)
    with caplog.at_level(logging.ERROR):
        for n in range(3):
            assert await ring.jwks(later + seconds(n * CACHE_S)) == mine
    assert ring.unusable == 2
    told = {(getattr(r, "kid", ""), getattr(r, "code", "")) for r in caplog.records}
    assert told == {("junk", "vault_format"), (other.kid, "vault_key_unknown")}
    assert len(caplog.records) == 2  # each once
    assert check(await minted(ring, later), mine, later)
    # Nothing that opens outlives a token now: refused by name, not a bug.
    late = NOW + timedelta(minutes=9)
    with pytest.raises(VaultError) as caught:
        await minted(ring, late)
    assert caught.value.code == "signing_key_unusable"
    # A start retires the one that ought to sign and does not open.
    await ring.load(late)
    assert check(await minted(ring, late), await ring.jwks(late), late)
    signing = [k.kid for k in await store.keys.published(late) if k.retire_at is None]
    assert len(signing) == 2
    assert other.kid not in signing


async def test_no_key_that_opens_is_a_refusal(store: SqliteStore, ring: Keyring) -> None:
    stranger = Keyring(store.keys, Vault([bytes(32)]), issuer=ISSUER)
    for call in (stranger.jwks(NOW), minted(stranger)):
        with pytest.raises(VaultError) as caught:
            await call
        assert caught.value.code == "signing_key_unusable"


async def test_a_key_slipped_into_the_database_is_never_published(
    store: SqliteStore, ring: Keyring, tmp_path: Path
) -> None:
    mine = json.loads((await store.keys.published(NOW))[0].public_jwk)
    forged = json.dumps(FORGER.jwks["keys"][0])
    with sqlite3.connect(tmp_path / "store.sqlite3") as db:
        db.execute("UPDATE signing_keys SET public_jwk = ? WHERE alg = 'ES256'", (forged,))
    db.close()
    again = Keyring(store.keys, VAULT, issuer=ISSUER)
    assert (await again.jwks(NOW))["keys"][0]["x"] == mine["x"]
    record = KeyRecord("k", forged, b"\0" * 99, NOW, NOW + timedelta(days=1))
    await store.keys.add(record, retire_others_at=None)
    await again.load(NOW)
    assert [key.get("x") for key in (await again.jwks(NOW))["keys"]] == [mine["x"], None]


def test_no_token_lives_longer_than_the_protocol_allows(store: SqliteStore) -> None:
    for lifetime_s in (0, LIFETIME_S + 1):
        with pytest.raises(ValueError, match="120"):
            Keyring(store.keys, VAULT, issuer=ISSUER, lifetime_s=lifetime_s)
    assert Keyring(store.keys, VAULT, issuer=ISSUER, lifetime_s=60).lifetime_s == 60
