"""The keys that sign tokens: made, sealed, rotated, published, shared by processes on one store.

One key signs for each algorithm. Not here: one key (signing_key.py), what a token says and how it
is verified (token.py), sealing (vault.py), a clock. Source: RFC 7517 (JWK sets).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from server.keys import receipt as receipts
from server.keys.receipt import Erasure, sign_receipt
from server.keys.signing_key import ALGORITHMS, SigningKey, make_key, open_key
from server.keys.token import ALGORITHM, LIFETIME_S, TYPE, base64url, mint
from server.keys.vault import Vault, VaultError
from server.store.keys import Keys
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

LONGEST_S = 300
"""Nothing that is signed and expires lives longer: an ID token of OpenID Connect does so long."""

LEAST_OVERLAP_S = SETTLE_S + LONGEST_S
"""The old key signs until then, and its last token lives so long."""

OVERLAP = timedelta(hours=1)
"""How long a retired key stays published by default: far more than LEAST_OVERLAP_S."""


logger = logging.getLogger(__name__)


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
        """Read the keys, and make one of each algorithm that has none that signs.

        Call it at start, with a vault that fits the database (master_key.fit). One that ought to
        sign and does not open is retired for a new one. Raises Unavailable, VaultError.
        """
        async with self._reading:
            await self._load(now)
            signing = {key.alg for key in self._keys if key.retire_at is None}
            for alg in ALGORITHMS:
                if alg not in signing:
                    # With an overlap, because another process may do the same at this moment.
                    await self._add(now, alg, retire_others_at=now + OVERLAP)
            if not signing.issuperset(ALGORITHMS):
                await self._load(now)

    async def _add(self, now: datetime, alg: str, *, retire_others_at: datetime | None) -> None:
        """One more key, unless another process was first."""
        record = await asyncio.to_thread(make_key, self._vault, now, alg)
        with contextlib.suppress(Conflict):
            await self._stored.add(record, retire_others_at=retire_others_at)

    async def _load(self, now: datetime) -> None:
        """Those that open: one that does not is left out, counted and told, and stops nobody."""
        records = await self._stored.published(now)
        signing = {record.alg for record in records if record.retire_at is None}
        for alg in ALGORITHMS:
            if alg not in signing:
                # Another process that starts now may be first: then its key is ours.
                await self._add(now, alg, retire_others_at=None)
        if not signing.issuperset(ALGORITHMS):
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
        key = _signer(await self._current(now), now, ALGORITHM)
        return mint(
            _of_p256(key),
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
        key = _signer(await self._current(now), now, ALGORITHM)
        return sign_receipt(_of_p256(key), erasure, kid=key.kid, issuer=self._issuer, now=now)

    async def sign(self, claims: Mapping[str, Any], *, alg: str, typ: str, now: datetime) -> str:
        """A JWT of another type than ours, such as an ID token (`JWT`), which expires LONGEST_S
        after `now` at the latest. `alg`: of ALGORITHMS.

        Raises Unavailable, and VaultError `signing_key_unusable`.
        """
        if typ in (TYPE, receipts.TYPE):  # RFC 8725 section 3.11
            raise AssertionError("what is a token or a receipt has a verb of its own")
        key = _signer(await self._current(now), now, alg)
        headers = {"typ": typ, "kid": key.kid}
        return jwt.encode(dict(claims), key.private, algorithm=key.alg, headers=headers)

    @property
    def lifetime_s(self) -> int:
        """Seconds from `iat` to `exp`: `expires_in_s` of the verdict."""
        return self._lifetime_s

    async def jwks(self, now: datetime) -> dict[str, list[dict[str, str]]]:
        """The JWK set to publish: of each algorithm the newest key and those still in their
        overlap.

        Raises Unavailable, and VaultError `signing_key_unusable`.
        """
        return {"keys": [key.jwk for key in await self._current(now)]}

    async def rotate(self, now: datetime, overlap: timedelta = OVERLAP) -> Mapping[str, str]:
        """Make a new key of each algorithm; the old ones stay published for `overlap`. Returns the
        new `kid` of each.

        With an overlap of at least LEAST_OVERLAP_S nobody notices. With none, for a key that
        leaked, the new one signs at once: tokens under way are void, and whoever holds the set
        that we published last believes the old key, and perhaps not the new one, for
        JWKS_MAX_AGE_S more. The vault must fit the
        database (master_key.fit), because every process signs with what is stored here.
        One that was interrupted may have rotated some: again rotates all.
        Raises Unavailable, VaultError.
        """
        records = [await asyncio.to_thread(make_key, self._vault, now, alg) for alg in ALGORITHMS]
        for record in records:
            open_key(self._vault, record)
        for record in records:
            await self._stored.add(record, retire_others_at=now + overlap)
        await self.load(now)
        return {record.alg: record.kid for record in records}


def _some(keys: list[SigningKey]) -> list[SigningKey]:
    if not keys:
        raise VaultError(
            "signing_key_unusable",
            "No signing key of the database opens with this master key. `lookgate keys rotate`,"
            " with the right master key, makes a new one.",
        )
    return keys


def _signer(keys: Sequence[SigningKey], now: datetime, alg: str) -> SigningKey:
    """Of an algorithm the newest that has settled, among those that outlive what they sign; else
    the oldest."""
    until = now + timedelta(seconds=LONGEST_S)
    mine = [key for key in keys if key.alg == alg]
    lasting = _some([key for key in mine if key.retire_at is None or key.retire_at >= until])
    return next((key for key in lasting if signs_from(key.created_at) <= now), lasting[-1])


def _of_p256(key: SigningKey) -> ec.EllipticCurvePrivateKey:
    if not isinstance(key.private, ec.EllipticCurvePrivateKey):
        raise AssertionError("a key of ES256 is one of P-256")
    return key.private


def signs_from(created_at: datetime) -> datetime:
    """When no cache can hold a set without the key any more that was made then."""
    return created_at + timedelta(seconds=SETTLE_S)
