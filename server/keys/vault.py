"""Sealing of what must not be readable in a database: templates and private signing keys.

AES-256-GCM with the owner as associated data, under a master key that is never in the database.
Not here: where a master key comes from (master_key.py), a store, a template format, a clock.
Source: NIST SP 800-38D; RFC 5116 section 5.2; RFC 5869 (keys derived from a master key).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pipeline.refusal import Refusal

KEY_BYTES = 32
NONCE_BYTES = 12
"""Random, 96 bits: under 2^32 seals a key, a repeat stays below 2^-32 (SP 800-38D, 8.3)."""

MAGIC = b"LGS1"
_ID_BYTES = 8
_HEADER_BYTES = len(MAGIC) + _ID_BYTES
_TAG_BYTES = 16


class VaultError(Refusal):
    """Something cannot be sealed or opened. `code` is stable; the text is for the operator."""


def key_id_of(key: bytes) -> str:
    """16 hex digits that name a master key and say nothing useful about its 256 random bits."""
    return hashlib.sha256(b"lookgate master key id\0" + key).digest()[:_ID_BYTES].hex()


def sealed_by(sealed: bytes) -> str | None:
    """The id of the master key that these bytes say they were sealed with; None for other bytes."""
    if len(sealed) < _HEADER_BYTES + NONCE_BYTES + _TAG_BYTES or sealed[:4] != MAGIC:
        return None
    return sealed[len(MAGIC) : _HEADER_BYTES].hex()


def _associated(header: bytes, owner: Sequence[str]) -> bytes:
    """Length-prefixed, so that no two owners are the same bytes: ("ab", "c") is not ("a", "bc")."""
    parts = [header]
    for part in owner:
        raw = part.encode()
        parts += [len(raw).to_bytes(4, "big"), raw]
    return b"".join(parts)


class Vault:
    """One or more master keys: the first seals, any opens what it sealed.

    Without any it is locked, because nobody knows yet whether a new key may be made.
    """

    def __init__(
        self,
        keys: Sequence[bytes] = (),
        *,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`keys`: 32 bytes each, newest first. Raises VaultError `vault_key_format`."""
        self._by_id: dict[str, AESGCM] = {}
        self._keys: dict[str, bytes] = {}
        self._random_bytes = random_bytes
        if keys:
            self.unlock(keys)

    def unlock(self, keys: Sequence[bytes]) -> None:
        """Give a locked one its keys. Raises VaultError `vault_key_format`."""
        if self._by_id:
            raise AssertionError("a vault gets its keys once")
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise VaultError("vault_key_format", f"A master key has {KEY_BYTES} bytes.")
        self._by_id = {key_id_of(key): AESGCM(key) for key in keys}
        self._keys = {key_id_of(key): key for key in keys}

    def __repr__(self) -> str:
        return f"Vault({', '.join(self.key_ids)})"

    @property
    def is_locked(self) -> bool:
        """Whether it has no key yet."""
        return not self._by_id

    @property
    def key_id(self) -> str:
        """The one that seals. Raises VaultError `vault_key_missing`."""
        if self.is_locked:
            raise VaultError("vault_key_missing", "There is no master key yet.")
        return self.key_ids[0]

    @property
    def key_ids(self) -> tuple[str, ...]:
        """All that open, the sealing one first."""
        return tuple(self._by_id)

    def derived(self, purpose: str, *, key_id: str | None = None) -> bytes:
        """32 bytes for one purpose, of the sealing master key or the one named: HKDF-SHA256
        (RFC 5869). Who learns them learns neither the master key nor those of another purpose.

        Raises VaultError: `vault_key_missing`, `vault_key_unknown`.
        """
        key = self._keys.get(key_id or self.key_id)
        if key is None:
            raise VaultError("vault_key_unknown", f"Master key {key_id} is not among those given.")
        info = b"lookgate " + purpose.encode()
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=info).derive(key)

    def seal(self, plain: bytes, *, owner: Sequence[str]) -> bytes:
        """Magic, key id, nonce, ciphertext and tag: 40 bytes more than `plain`.

        Raises VaultError `vault_key_missing`.
        """
        header = MAGIC + bytes.fromhex(self.key_id)
        nonce = self._random_bytes(NONCE_BYTES)
        cipher = self._by_id[self.key_id]
        return header + nonce + cipher.encrypt(nonce, plain, _associated(header, owner))

    def open(self, sealed: bytes, *, owner: Sequence[str]) -> bytes:
        """What `seal` was given, for the same owner only.

        Raises VaultError: `vault_format` (not sealed by us), `vault_key_unknown` (sealed with a
        master key that is not here), `vault_refused` (changed, or it belongs to another owner).
        """
        key_id = sealed_by(sealed)
        if key_id is None:
            raise VaultError("vault_format", "These bytes were not sealed by this server.")
        header = sealed[:_HEADER_BYTES]
        cipher = self._by_id.get(key_id)
        if cipher is None:
            raise VaultError(
                "vault_key_unknown",
                f"Sealed with master key {key_id}, which is not among those given"
                f" ({', '.join(self.key_ids)}). Put the right key back: without it, what it sealed"
                " cannot be read by anybody.",
            )
        nonce = sealed[_HEADER_BYTES : _HEADER_BYTES + NONCE_BYTES]
        ciphertext = sealed[_HEADER_BYTES + NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, ciphertext, _associated(header, owner))
        except InvalidTag as error:
            raise VaultError(
                "vault_refused", "Sealed bytes were changed, or belong to somebody else."
            ) from error
