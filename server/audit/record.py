"""What an audit record says, how it is hashed and sealed. Pure functions of values.

A hash covers the record before, so that whoever changes one changes all behind it. A seal covers
the hash: a MAC, which nobody makes without the master key, or the signature of a checkpoint, which
anybody can verify with the public key. Both keys are derived from the master key that the name of
the chain names. A subject is a keyed hash. Not here: who links records (chain.py), the store.
Source: docs/decisions/audit.md; RFC 2104 (HMAC), RFC 8032 (Ed25519), RFC 7638 (thumbprint).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server.keys.token import base64url
from server.keys.vault import Vault, VaultError
from server.store.audit import AuditRecord

NOTHING = bytes(32)
"""Before the first record of a chain."""

KINDS: Mapping[str, str] = {
    "open": "A process begins a chain. It names where the other chains stand.",
    "checkpoint": "The same within a chain, once an hour.",
    "close": "The same when the process stops in good order.",
    "prune": "The same, and from which number on each chain is kept.",
    "settings": "A server starts: its version, a fingerprint of its settings, its policies.",
    "verdict": "A session ends: outcome, reasons, decision table, the policy's fingerprint.",
    "login": "A login at the login page is about to end: who, what was shown, for which client.",
    "erasure": "A person, or a client with everybody, is about to be removed.",
    "unlock": "The client or the operator lets a locked person try again.",
    "reset": "A person's keys, or one-time and recovery codes, are about to be taken away.",
    "invitation": "Somebody is about to be invited, or to get a link for a second device.",
    "profile": "The operator is about to change what is told of a person, or to remove it.",
    "template": "A login is about to move a person's template.",
    "client": "A client is about to be added, changed or removed.",
    "keys": "Signing keys or master keys are about to be changed.",
    "undone": "What another record announced did not happen.",
}
"""What is recorded; docs/audit.md says what each holds."""

SIGNED = ("open", "checkpoint", "close", "prune")
"""Kinds that carry a signature, because they name where other chains stand."""

_MAC, _SIGNATURE, _SUBJECT = "audit mac", "audit checkpoints", "audit subjects"


def canonical(body: Mapping[str, Any]) -> str:
    """JSON with sorted names, without white space, in ASCII, without NaN."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)


def read_body(body: str) -> dict[str, Any]:
    """What `canonical` wrote; {} for anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def places(record: AuditRecord, member: str) -> list[tuple[str, int, bytes]]:
    """Chains, numbers and hashes that a signed record names as its `heads` or `roots`; what is no
    such name is left out, because anybody may have written it (its seal says whether)."""
    told = read_body(record.body).get(member)
    found = []
    for chain, value in (told if isinstance(told, dict) else {}).items():
        match value:
            case [int(seq), str(text), *_] if (digest := read_digest(text)) is not None:
                found.append((str(chain), seq, digest))
    return found


def read_digest(text: str) -> bytes | None:
    """The bytes of hex digits; None for anything else."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def written_at(moment: datetime) -> str:
    """RFC 3339, UTC, with microseconds always, so that texts sort as times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def hash_of(chain: str, seq: int, prev: bytes, ref: str, body: str) -> bytes:
    """SHA-256 over five lines: chain, number, hash before in hex, ref, body. The body is last, so
    that no line break in it makes two records of one text."""
    lines = "\n".join((chain, str(seq), prev.hex(), ref, body))
    return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).digest()


def hashed(record: AuditRecord, *, seq: int | None = None, prev: bytes | None = None) -> bytes:
    """The hash that a record should have, as it is or at another place."""
    at = record.seq if seq is None else seq
    return hash_of(record.chain, at, prev or record.prev, record.ref, record.body)


def new_chain(vault: Vault, random: bytes) -> str:
    """The name of a chain whose seals are of the vault's newest master key.

    Raises VaultError `vault_key_missing`.
    """
    return f"{vault.key_id}.{random.hex()}"


class Seals:
    """Makes and checks seals. Derived keys are kept."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._macs: dict[str, bytes] = {}
        self._signers: dict[str, Ed25519PrivateKey] = {}

    def seal(self, chain: str, digest: bytes, *, signed: bool) -> bytes:
        """64 bytes of signature or 32 of MAC. Raises VaultError."""
        key_id = chain.partition(".")[0]
        if signed:
            return self._signer(key_id).sign(_signed_text(digest))
        return self._mac(key_id, digest)

    def fits(self, record: AuditRecord) -> bool | None:
        """Whether the seal is of its hash; None if the master key is not here to say."""
        key_id = record.chain.partition(".")[0]
        signed = read_body(record.body).get("kind") in SIGNED
        try:
            if signed:
                public = self._signer(key_id).public_key()
                return _signature_fits(public, record)
            return hmac.compare_digest(record.seal, self._mac(key_id, record.hash))
        except VaultError:
            return None

    def public_jwk(self, key_id: str | None = None) -> dict[str, str]:
        """The key that verifies checkpoints (RFC 8037), of the newest master key or one named.

        Raises VaultError.
        """
        return jwk_of(self._signer(key_id or self._vault.key_id).public_key())

    def subject(self, client_id: str, subject: str, *, key_id: str | None = None) -> str:
        """A keyed hash, 32 hex digits: another one for each client, and nobody relates it to a name
        without the master key. Raises VaultError."""
        key = self._vault.derived(_SUBJECT, key_id=key_id)
        of_client = hmac.digest(key, client_id.encode(), "sha256")
        return hmac.digest(of_client, subject.encode("utf-8", "surrogatepass"), "sha256")[:16].hex()

    def _mac(self, key_id: str, digest: bytes) -> bytes:
        key = self._macs.get(key_id)
        if key is None:
            key = self._macs[key_id] = self._vault.derived(_MAC, key_id=key_id)
        return hmac.digest(key, b"lookgate audit record\n" + digest, "sha256")

    def _signer(self, key_id: str) -> Ed25519PrivateKey:
        found = self._signers.get(key_id)
        if found is None:
            seed = self._vault.derived(_SIGNATURE, key_id=key_id)
            found = self._signers[key_id] = Ed25519PrivateKey.from_private_bytes(seed)
        return found


class PublicSeals:
    """Checks checkpoints with public keys, as somebody without the master key does."""

    def __init__(self, keys: Sequence[Ed25519PublicKey]) -> None:
        self._keys = keys

    def fits(self, record: AuditRecord) -> bool | None:
        """Whether one of the keys signed it; None for what is not signed."""
        if read_body(record.body).get("kind") not in SIGNED:
            return None
        return any(_signature_fits(key, record) for key in self._keys)


def _signed_text(digest: bytes) -> bytes:
    return b"lookgate audit checkpoint\n" + digest


def _signature_fits(public: Ed25519PublicKey, record: AuditRecord) -> bool:
    try:
        public.verify(record.seal, _signed_text(record.hash))
    except InvalidSignature:
        return False
    return True


def key_of(jwk: Mapping[str, Any]) -> Ed25519PublicKey:
    """The key of a JWK. Raises ValueError."""
    if jwk.get("crv") != "Ed25519" or jwk.get("kty") != "OKP":
        raise ValueError("no Ed25519 key")
    text = str(jwk.get("x", ""))
    return Ed25519PublicKey.from_public_bytes(
        base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    )


def jwk_of(public: Ed25519PublicKey) -> dict[str, str]:
    """RFC 8037 section 2, with the thumbprint of RFC 7638 as its id."""
    members = {
        "crv": "Ed25519",
        "kty": "OKP",
        "x": base64url(public.public_bytes(Encoding.Raw, PublicFormat.Raw)),
    }
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return {**members, "kid": base64url(hashlib.sha256(text.encode()).digest()), "use": "sig"}
