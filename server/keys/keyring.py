"""The keys that sign tokens: made, sealed, rotated, published, shared by processes on one store.

Not here: what a token says and how it is verified (token.py), sealing (vault.py), a clock. Source:
RFC 7517 (JWK), RFC 7638 (thumbprint).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from server.keys.receipt import Erasure, sign_receipt
from server.keys.token import ALGORITHM, LIFETIME_S, base64url, mint
from server.keys.vault import Vault, VaultError
from server.store.keys import KeyRecord, Keys
from server.store.port import Conflict, Unavailable

CACHE_S = 5.0
"""How long the keys are believed without asking the store again."""

JWKS_MAX_AGE_S = 300
"""How long anybody may keep the published set: `max-age` of its Cache-Control (RFC 9111)."""

SETTLE_S = JWKS_MAX_AGE_S + 2 * CACHE_S
"""A new key is published this long before it signs. After two of our own looks at the store every
process publishes it, and after `max-age` no cache may hold a set without it any more. Libraries
that are asked for an unknown key look again only now and then (npm jose: every 30 s), so one who
meets a `kid` that is not in the set may refuse a good token."""

LEAST_OVERLAP_S = SETTLE_S + LIFETIME_S
"""The old key signs until then, and its last token lives so long."""

OVERLAP = timedelta(hours=1)
"""How long a retired key stays published by default: far more than LEAST_OVERLAP_S."""


logger = logging.getLogger(__name__)


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
        "x": base64url(numbers.x.to_bytes(32, "big")),
        "y": base64url(numbers.y.to_bytes(32, "big")),
    }


def _thumbprint(private: ec.EllipticCurvePrivateKey) -> str:
    """RFC 7638 section 3: SHA-256 of the required members, in order, without white space."""
    text = json.dumps(_public_members(private), sort_keys=True, separators=(",", ":"))
    return base64url(hashlib.sha256(text.encode()).digest())


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
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise AssertionError("we sealed nothing else")
    return SigningKey(record.kid, private, record.created_at, record.retire_at)


def resealed(vault: Vault, record: KeyRecord) -> bytes:
    """The same key, sealed under the newest master key. Raises VaultError."""
    owner = _key_owner(record.kid)
    return vault.seal(vault.open(record.sealed_private, owner=owner), owner=owner)


class Keyring:
    """The signing keys of this installation, shared with every process on the same store."""

    def __init__(
        self,
        stored: Keys,
        vault: Vault,
        *,
        issuer: str,
        lifetime_s: int = LIFETIME_S,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`issuer`: the server's public URL. `lifetime_s`: 1 to 120."""
        if not 1 <= lifetime_s <= LIFETIME_S:
            raise ValueError(f"a token lives 1 to {LIFETIME_S} s")
        self._stored = stored
        self._vault = vault
        self._issuer = issuer
        self._lifetime_s = lifetime_s
        self._random_bytes = random_bytes
        self._keys: tuple[SigningKey, ...] = ()
        self._unusable: tuple[str, ...] = ()
        self._asked_at: datetime | None = None
        self._reading = asyncio.Lock()

    async def load(self, now: datetime) -> None:
        """Read the keys, and make one if there is none that signs.

        Call it at start, with a vault that fits the database (master_key.fit). One that ought to
        sign and does not open is retired for a new one. Raises Unavailable, VaultError.
        """
        async with self._reading:
            await self._load(now)
            if not any(key.retire_at is None for key in self._keys):
                with contextlib.suppress(Conflict):
                    # With an overlap, because another process may do the same at this moment.
                    await self._stored.add(
                        make_key(self._vault, now), retire_others_at=now + OVERLAP
                    )
                await self._load(now)

    async def _load(self, now: datetime) -> None:
        """Those that open: one that does not is left out, counted and told, and stops nobody."""
        records = await self._stored.published(now)
        if not any(record.retire_at is None for record in records):
            # Another process that starts now may be first: then its key is ours.
            with contextlib.suppress(Conflict):
                await self._stored.add(make_key(self._vault, now), retire_others_at=None)
            records = await self._stored.published(now)
        opened: list[SigningKey] = []
        unusable: list[str] = []
        for record in records:
            try:
                opened.append(open_key(self._vault, record))
            except VaultError as error:
                unusable.append(record.kid)
                if record.kid not in self._unusable:  # once, not with every look
                    told = {"kid": record.kid, "code": error.code}
                    logger.error("a signing key cannot be opened", extra=told)
        self._keys, self._unusable = tuple(opened), tuple(unusable)
        self._asked_at = now

    @property
    def unusable(self) -> int:
        """How many of the keys that should be published did not open when they were last read."""
        return len(self._unusable)

    def _is_fresh(self, now: datetime) -> bool:
        asked_at = self._asked_at
        return asked_at is not None and 0 <= (now - asked_at).total_seconds() < CACHE_S

    async def _current(self, now: datetime) -> list[SigningKey]:
        """The keys that count at `now`, newest first, at least one.

        Raises Unavailable, and VaultError `signing_key_unusable`.
        """
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
        return _some([k for k in self._keys if k.retire_at is None or now < k.retire_at])

    async def mint(
        self,
        *,
        subject: str,
        client_id: str,
        nonce: str,
        session_id: str,
        purpose: str,
        acr: str,
        liveness: Sequence[str],
        auth_time: datetime,
        now: datetime,
    ) -> str:
        """A token for a session that was just finished as accepted.

        Raises Unavailable, and VaultError `signing_key_unusable`.
        """
        key = _signer(await self._current(now), now)
        return mint(
            key.private,
            kid=key.kid,
            issuer=self._issuer,
            audience=client_id,
            subject=subject,
            nonce=nonce,
            session_id=session_id,
            token_id=base64url(self._random_bytes(16)),
            purpose=purpose,
            acr=acr,
            liveness=liveness,
            auth_time=auth_time,
            lifetime_s=self._lifetime_s,
            now=now,
        )

    async def receipt(self, erasure: Erasure, now: datetime) -> str:
        """A signed receipt for an erasure that was done.

        Raises Unavailable, and VaultError `signing_key_unusable`.
        """
        key = _signer(await self._current(now), now)
        return sign_receipt(key.private, erasure, kid=key.kid, issuer=self._issuer, now=now)

    @property
    def lifetime_s(self) -> int:
        """Seconds from `iat` to `exp`: `expires_in_s` of the verdict."""
        return self._lifetime_s

    async def jwks(self, now: datetime) -> dict[str, list[dict[str, str]]]:
        """The JWK set to publish: the newest key and those still in their overlap.

        Raises Unavailable, and VaultError `signing_key_unusable`.
        """
        return {"keys": [key.jwk for key in await self._current(now)]}

    async def rotate(self, now: datetime, overlap: timedelta = OVERLAP) -> str:
        """Make a new key; the old one stays published for `overlap`. Returns the new `kid`.

        With an overlap of at least LEAST_OVERLAP_S nobody notices. With none, for a key that
        leaked, the new one signs at once: tokens under way are void, and whoever holds the set
        that we published last believes the old key, and perhaps not the new one, for
        JWKS_MAX_AGE_S more. The vault must fit the
        database (master_key.fit), because every process signs with what is stored here.
        Raises Unavailable, VaultError.
        """
        record = make_key(self._vault, now)
        open_key(self._vault, record)
        await self._stored.add(record, retire_others_at=now + overlap)
        await self.load(now)
        return record.kid


def _some(keys: list[SigningKey]) -> list[SigningKey]:
    if not keys:
        raise VaultError(
            "signing_key_unusable",
            "No signing key of the database opens with this master key. `lookgate keys rotate`,"
            " with the right master key, makes a new one.",
        )
    return keys


def _signer(keys: Sequence[SigningKey], now: datetime) -> SigningKey:
    """The newest that has settled, among those that outlive what they sign; else the oldest."""
    until = now + timedelta(seconds=LIFETIME_S)
    lasting = _some([key for key in keys if key.retire_at is None or key.retire_at >= until])
    return next((key for key in lasting if signs_from(key.created_at) <= now), lasting[-1])


def signs_from(created_at: datetime) -> datetime:
    """When no cache can hold a set without the key any more that was made then."""
    return created_at + timedelta(seconds=SETTLE_S)
