"""The proof that is handed to the relying app: ES256 JWTs and the keys that sign them.

Mints after the store said "finished" (server/session/verdict.py asks it), publishes the keys,
verifies as a relying app must. No HTTP, no clock. Source: RFC 7519, RFC 7515, RFC 7517, RFC 7638,
RFC 8725.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from server.keys.vault import Vault
from server.store.port import Conflict, KeyRecord, Store, Unavailable

ALGORITHM = "ES256"
TYPE = "face+jwt"
"""Its own `typ`, so that no other JWT passes for one of these (RFC 8725 section 3.11)."""

LIFETIME_S = 120
"""Longest life that docs/protocol.md promises; a token is exchanged at once, by a backend."""

CACHE_S = 5.0
"""How long the keys are believed without asking the store again."""

SETTLE_S = 2 * CACHE_S
"""A new key is published this long before it signs: by then every process on the same store
publishes it, and no relying app meets a `kid` that one of them does not know yet."""

OVERLAP = timedelta(hours=1)
"""How long a retired key stays published by default: far more than a token lives, and about what
relying apps cache a key set for."""

_CLAIMS: Mapping[str, type | tuple[type, ...]] = {
    "iss": str,
    "aud": str,
    "sub": str,
    "iat": int,
    "nbf": int,
    "exp": int,
    "auth_time": int,
    "jti": str,
    "nonce": str,
    "sid": str,
    "purpose": str,
    "amr": list,
    "acr": str,
}
"""What docs/protocol.md says a token holds: all of it, always."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")
"""JWS compact serialisation with an ES256 signature of 64 bytes (RFC 7518 section 3.4)."""

_MAX_CHARACTERS = 8192


class TokenError(Exception):
    """A token that must not be believed. `code` is stable; the text never quotes the token."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair, opened."""

    kid: str
    """RFC 7638 thumbprint of the public part."""
    private: ec.EllipticCurvePrivateKey
    created_at: datetime
    retire_at: datetime | None

    def __repr__(self) -> str:
        return f"SigningKey({self.kid})"

    @property
    def jwk(self) -> dict[str, str]:
        """The public JWK, as published."""
        return {**_public_members(self.private), "kid": self.kid, "use": "sig", "alg": ALGORITHM}


def _public_members(private: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = private.public_key().public_numbers()
    return {
        "crv": "P-256",
        "kty": "EC",
        "x": _base64url(numbers.x.to_bytes(32, "big")),
        "y": _base64url(numbers.y.to_bytes(32, "big")),
    }


def _thumbprint(private: ec.EllipticCurvePrivateKey) -> str:
    """RFC 7638 section 3: SHA-256 of the required members, in order, without white space."""
    text = json.dumps(_public_members(private), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(text.encode()).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _key_owner(kid: str) -> tuple[str, str]:
    return ("signing key", kid)


def make_key(vault: Vault, now: datetime) -> KeyRecord:
    """A new signing key, its private part sealed."""
    private = ec.generate_private_key(ec.SECP256R1())
    kid = _thumbprint(private)
    der = private.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return KeyRecord(
        kid=kid,
        public_jwk=json.dumps(_public_members(private), sort_keys=True),
        sealed_private=vault.seal(der, owner=_key_owner(kid)),
        created_at=now,
        retire_at=None,
    )


def open_key(vault: Vault, record: KeyRecord) -> SigningKey:
    """Raises VaultError.

    What is published later comes from the sealed part, not from `public_jwk`: whoever can write to
    the database but has no master key cannot slip in a key of their own.
    """
    der = vault.open(record.sealed_private, owner=_key_owner(record.kid))
    private = serialization.load_der_private_key(der, password=None)
    assert isinstance(private, ec.EllipticCurvePrivateKey), "we sealed nothing else"
    return SigningKey(record.kid, private, record.created_at, record.retire_at)


class Keyring:
    """The signing keys of this installation, shared with every process on the same store."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        *,
        issuer: str,
        lifetime_s: int = LIFETIME_S,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`issuer`: the server's public URL. `lifetime_s`: 1 to 120."""
        if not 1 <= lifetime_s <= LIFETIME_S:
            raise ValueError(f"a token lives 1 to {LIFETIME_S} s")
        self._store = store
        self._vault = vault
        self._issuer = issuer
        self._lifetime_s = lifetime_s
        self._random_bytes = random_bytes
        self._keys: tuple[SigningKey, ...] = ()
        self._asked_at: datetime | None = None
        self._reading = asyncio.Lock()

    async def load(self, now: datetime) -> None:
        """Read the keys, and make the first one if there is none.

        Call it at start: it finds a lost master key. Raises Unavailable, VaultError.
        """
        async with self._reading:
            await self._load(now)

    async def _load(self, now: datetime) -> None:
        records = await self._store.keys(now)
        if not any(record.retire_at is None for record in records):
            # Another process that starts now may be first: then its key is ours.
            with contextlib.suppress(Conflict):
                await self._store.add_key(make_key(self._vault, now), retire_others_at=None)
            records = await self._store.keys(now)
        self._keys = tuple(open_key(self._vault, record) for record in records)
        self._asked_at = now

    def _is_fresh(self, now: datetime) -> bool:
        asked_at = self._asked_at
        return asked_at is not None and 0 <= (now - asked_at).total_seconds() < CACHE_S

    async def _current(self, now: datetime) -> list[SigningKey]:
        """The keys that count at `now`, newest first."""
        if not self._is_fresh(now):
            async with self._reading:
                if not self._is_fresh(now):  # who waited here before may have read them
                    try:
                        await self._load(now)
                    except Unavailable:
                        # Relying apps still verify what they hold; minting meets the outage itself.
                        if not self._keys:
                            raise
                        self._asked_at = now
        return [key for key in self._keys if key.retire_at is None or now < key.retire_at]

    async def mint(
        self,
        *,
        subject: str,
        client_id: str,
        nonce: str,
        session_id: str,
        purpose: str,
        acr: str,
        auth_time: datetime,
        now: datetime,
    ) -> str:
        """A token for a session that was just finished as accepted. Raises Unavailable."""
        key = _signer(await self._current(now), now)
        issued_at = int(now.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": client_id,
            "sub": subject,
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at + self._lifetime_s,
            "auth_time": int(auth_time.timestamp()),
            "jti": _base64url(self._random_bytes(16)),
            "nonce": nonce,
            "sid": session_id,
            "purpose": purpose,
            "amr": ["face"],
            "acr": acr,
        }
        return jwt.encode(
            claims, key.private, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": key.kid}
        )

    @property
    def lifetime_s(self) -> int:
        """Seconds from `iat` to `exp`: `expires_in_s` of the verdict."""
        return self._lifetime_s

    async def jwks(self, now: datetime) -> dict[str, list[dict[str, str]]]:
        """The JWK set to publish: the newest key and those still in their overlap."""
        return {"keys": [key.jwk for key in await self._current(now)]}

    async def rotate(self, now: datetime, overlap: timedelta = OVERLAP) -> str:
        """Make a new key; the old one stays published for `overlap`. Returns the new `kid`.

        With no overlap, for a key that leaked, tokens under way are void. Raises Unavailable.
        """
        record = make_key(self._vault, now)
        await self._store.add_key(record, retire_others_at=now + overlap)
        await self.load(now)
        return record.kid


def _signer(keys: Sequence[SigningKey], now: datetime) -> SigningKey:
    """The newest that has settled, among those that outlive what they sign; else the oldest."""
    until = now + timedelta(seconds=LIFETIME_S)
    lasting = [key for key in keys if key.retire_at is None or key.retire_at >= until]
    settled_since = now - timedelta(seconds=SETTLE_S)
    return next((key for key in lasting if key.created_at <= settled_since), lasting[-1])


def verify(
    token: str,
    *,
    expected_issuer: str,
    expected_audience: str,
    expected_nonce: str,
    expected_purpose: str,
    jwks: Mapping[str, Any],
    now: datetime,
    leeway_s: float = 5.0,
) -> dict[str, Any]:
    """The claims of a token that stands every check of docs/protocol.md, except `jti` seen before.

    `leeway_s`: how far the two clocks may be apart. Raises TokenError: `token_malformed`,
    `token_algorithm`, `token_type`, `token_key_unknown`, `token_signature`, `token_claims`,
    `token_issuer`, `token_audience`, `token_nonce`, `token_purpose`, `token_early`,
    `token_expired`.
    """
    header = _header(token)
    if header.get("alg") != ALGORITHM:  # compared, never obeyed (RFC 8725 section 3.1)
        raise TokenError("token_algorithm", f"Only {ALGORITHM} signatures are accepted.")
    if header.get("typ") != TYPE:
        raise TokenError("token_type", "This is not a face login token.")
    public = _public_key(jwks, header.get("kid"))
    try:
        payload = jwt.api_jws.decode(token, public, algorithms=[ALGORITHM])
        claims = json.loads(payload)
    except (jwt.InvalidTokenError, ValueError) as error:
        raise TokenError("token_signature", "The signature does not fit.") from error
    if not isinstance(claims, dict) or any(
        not isinstance(claims.get(name), kind) or isinstance(claims.get(name), bool)
        for name, kind in _CLAIMS.items()
    ):
        raise TokenError("token_claims", "A claim is missing or of the wrong type.")
    if claims["amr"] != ["face"] or claims["exp"] - claims["iat"] > LIFETIME_S:
        raise TokenError("token_claims", "A claim has a value that no face login token has.")
    for name, expected in (
        ("issuer", expected_issuer),
        ("audience", expected_audience),
        ("nonce", expected_nonce),
        ("purpose", expected_purpose),
    ):
        claim = {"issuer": "iss", "audience": "aud"}.get(name, name)
        if claims[claim] != expected:
            raise TokenError(f"token_{name}", f"The {name} is not the expected one.")
    seconds = now.astimezone(UTC).timestamp()
    if seconds + leeway_s < max(claims["iat"], claims["nbf"]):
        raise TokenError("token_early", "The token is not valid yet.")
    if seconds - leeway_s >= claims["exp"]:
        raise TokenError("token_expired", "The token is not valid any more.")
    return claims


def _header(token: str) -> dict[str, Any]:
    """The unverified header of a well-formed token: three canonical base64url parts.

    One text per token: base64 ignores the last bits of the last character, and some decoders skip
    what is not in the alphabet (RFC 4648 sections 3.3 and 3.5).
    """
    if len(token) <= _MAX_CHARACTERS and _COMPACT.fullmatch(token):
        parts = token.split(".")
        try:
            raw = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts]
            header = json.loads(raw[0])
        except (ValueError, RecursionError):
            header = None
        if isinstance(header, dict) and [_base64url(part) for part in raw] == parts:
            return header
    raise TokenError("token_malformed", "This is not a signed token in compact form.")


def _public_key(jwks: Mapping[str, Any], kid: object) -> ec.EllipticCurvePublicKey:
    """The key `kid` of a set, if it is one for ES256 signatures."""
    keys = jwks.get("keys")
    for jwk in keys if isinstance(keys, list) else ():
        if (
            isinstance(jwk, dict)
            and isinstance(kid, str)
            and jwk.get("kid") == kid
            and jwk.get("kty") == "EC"
            and jwk.get("crv") == "P-256"
            and jwk.get("use", "sig") == "sig"
            and jwk.get("alg", ALGORITHM) == ALGORITHM
        ):
            try:
                key = ECAlgorithm.from_jwk({name: jwk[name] for name in ("kty", "crv", "x", "y")})
            except (jwt.InvalidKeyError, KeyError, ValueError, TypeError):
                continue
            if isinstance(key, ec.EllipticCurvePublicKey):
                return key
    raise TokenError("token_key_unknown", "The key set has no key of this token's id.")
