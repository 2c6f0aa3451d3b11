"""The keys that sign: published, rotated, kept over restarts and outages, and never slipped in."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from server.keys.keyring import CACHE_S, SETTLE_S, Keyring, make_key, open_key
from server.keys.token import LIFETIME_S
from server.keys.vault import Vault, VaultError
from server.store.keys import KeyRecord
from server.store.port import Unavailable
from server.store.sqlite.store import SqliteStore
from tests.server.keys.test_token import FORGER, ISSUER, NOW, base64url, check, code_of, seconds

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


async def test_rotation_publishes_first_and_signs_later(store: SqliteStore, ring: Keyring) -> None:
    old = (await ring.jwks(NOW))["keys"][0]["kid"]
    then = NOW + timedelta(days=1)
    new = await ring.rotate(then, timedelta(minutes=10))
    assert [key["kid"] for key in (await ring.jwks(then))["keys"]] == [new, old]

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

    over = then + timedelta(minutes=10)
    just_before = over - seconds(0.1)
    assert [key["kid"] for key in (await ring.jwks(just_before))["keys"]] == [new, old]
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
    other = Keyring(store.keys, VAULT, issuer=ISSUER)
    new = await other.rotate(NOW + seconds(1))
    assert len((await ring.jwks(NOW + seconds(CACHE_S - 0.1)))["keys"]) == 1
    assert (await ring.jwks(NOW + seconds(CACHE_S)))["keys"][0]["kid"] == new
    # A clock that was set back asks again, too.
    assert len((await ring.jwks(NOW - seconds(1)))["keys"]) == 2


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
    assert [k.kid for k in await store.keys.published(late) if k.retire_at is None] != [other.kid]


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
        db.execute("UPDATE signing_keys SET public_jwk = ?", (forged,))
    db.close()
    again = Keyring(store.keys, VAULT, issuer=ISSUER)
    assert (await again.jwks(NOW))["keys"][0]["x"] == mine["x"]
    record = KeyRecord("k", forged, b"\0" * 99, NOW, NOW + timedelta(days=1))
    await store.keys.add(record, retire_others_at=None)
    await again.load(NOW)
    assert [key["x"] for key in (await again.jwks(NOW))["keys"]] == [mine["x"]]


def test_no_token_lives_longer_than_the_protocol_allows(store: SqliteStore) -> None:
    for lifetime_s in (0, LIFETIME_S + 1):
        with pytest.raises(ValueError, match="120"):
            Keyring(store.keys, VAULT, issuer=ISSUER, lifetime_s=lifetime_s)
    assert Keyring(store.keys, VAULT, issuer=ISSUER, lifetime_s=60).lifetime_s == 60
