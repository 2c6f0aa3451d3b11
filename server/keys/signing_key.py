"""One signing key: made, sealed, opened, published; and the algorithms that there are.

Not here: which key signs and for how long (keyring.py), what is signed (token.py, receipt.py),
sealing (vault.py). Source: RFC 7517 (JWK), RFC 7518 sections 3.3 and 3.4, RFC 7638 (thumbprint);
docs/decisions/tokens.md says why there are two algorithms.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from server.keys.token import base64url
from server.keys.vault import Vault, VaultError
from server.store.keys import ES256, RS256, KeyRecord

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

RSA_BITS = 2048
"""RFC 7518 section 3.3 asks for as many at least."""


def new_ec_key() -> PrivateKey:
    """P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def new_rsa_key() -> PrivateKey:
    """It took 32 ms of CPU (the mean of 10), so never on the event loop."""
    return rsa.generate_private_key(65537, RSA_BITS)


ALGORITHMS: Mapping[str, Callable[[], PrivateKey]] = {
    ES256: new_ec_key,
    RS256: new_rsa_key,
}
"""Each has a key that signs, of a kind that no other algorithm here takes."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair, opened."""

    kid: str
    """RFC 7638 thumbprint of the public part."""
    private: PrivateKey
    created_at: datetime
    retire_at: datetime | None

    def __repr__(self) -> str:
        return f"SigningKey({self.kid})"

    @property
    def alg(self) -> str:
        """The only algorithm that it signs with (RFC 8725 section 3.1)."""
        return RS256 if isinstance(self.private, rsa.RSAPrivateKey) else ES256

    @property
    def jwk(self) -> dict[str, str]:
        """The public JWK, as published."""
        return {**_public_members(self.private), "kid": self.kid, "use": "sig", "alg": self.alg}


def _public_members(private: PrivateKey) -> dict[str, str]:
    if isinstance(private, rsa.RSAPrivateKey):
        of_rsa = private.public_key().public_numbers()
        return {"e": _shortest(of_rsa.e), "kty": "RSA", "n": _shortest(of_rsa.n)}
    numbers = private.public_key().public_numbers()
    return {
        "crv": "P-256",
        "kty": "EC",
        "x": base64url(numbers.x.to_bytes(32, "big")),
        "y": base64url(numbers.y.to_bytes(32, "big")),
    }


def _shortest(number: int) -> str:
    """Base64urlUInt: as few bytes as hold it (RFC 7518 section 2)."""
    return base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _thumbprint(private: PrivateKey) -> str:
    """RFC 7638 section 3: SHA-256 of the required members, in order, without white space."""
    text = json.dumps(_public_members(private), sort_keys=True, separators=(",", ":"))
    return base64url(hashlib.sha256(text.encode()).digest())


def _key_owner(kid: str) -> tuple[str, str]:
    return ("signing key", kid)


def make_key(vault: Vault, now: datetime, alg: str = ES256) -> KeyRecord:
    """A new signing key, its private part sealed. Slow for RS256."""
    private = ALGORITHMS[alg]()
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
        alg=alg,
    )


def open_key(vault: Vault, record: KeyRecord) -> SigningKey:
    """Raises VaultError.

    What is published later comes from the sealed part, not from `public_jwk` or `alg`: whoever can
    write to the database but has no master key cannot slip in a key of their own, or let one sign
    for another algorithm.
    """
    der = vault.open(record.sealed_private, owner=_key_owner(record.kid))
    # What the vault opened is what we sealed. Looking for primes again took 28 ms, every 5 s.
    private = serialization.load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(private, PrivateKey):
        raise AssertionError("we sealed nothing else")
    key = SigningKey(record.kid, private, record.created_at, record.retire_at)
    if key.alg != record.alg:
        raise VaultError("vault_refused", "A signing key is of another algorithm than its row.")
    return key


def resealed(vault: Vault, record: KeyRecord) -> bytes:
    """The same key, sealed under the newest master key. Raises VaultError."""
    owner = _key_owner(record.kid)
    return vault.seal(vault.open(record.sealed_private, owner=owner), owner=owner)
