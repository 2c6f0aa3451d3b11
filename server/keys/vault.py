"""Sealing of what must not be readable in a database: templates and private signing keys.

AES-256-GCM with the owner as associated data, under a master key that is never in the database.
No store, no template format, no clock. Source: NIST SP 800-38D; RFC 5116 section 5.2.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipeline.refusal import Refusal

KEY_FILE = "master.key"
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


def _associated(header: bytes, owner: Sequence[str]) -> bytes:
    """Length-prefixed, so that no two owners are the same bytes: ("ab", "c") is not ("a", "bc")."""
    parts = [header]
    for part in owner:
        raw = part.encode()
        parts += [len(raw).to_bytes(4, "big"), raw]
    return b"".join(parts)


class Vault:
    """One or more master keys: the first seals, any opens what it sealed."""

    def __init__(
        self,
        keys: Sequence[bytes],
        *,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`keys`: 32 bytes each, newest first. Raises VaultError `vault_key_format`."""
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise VaultError("vault_key_format", f"A master key has {KEY_BYTES} bytes.")
        self._by_id = {key_id_of(key): AESGCM(key) for key in keys}
        self._key_id = key_id_of(keys[0])
        self._random_bytes = random_bytes

    def __repr__(self) -> str:
        return f"Vault({', '.join(self.key_ids)})"

    @property
    def key_id(self) -> str:
        """The one that seals."""
        return self._key_id

    @property
    def key_ids(self) -> tuple[str, ...]:
        """All that open, the sealing one first."""
        return tuple(self._by_id)

    def seal(self, plain: bytes, *, owner: Sequence[str]) -> bytes:
        """Magic, key id, nonce, ciphertext and tag: 40 bytes more than `plain`."""
        header = MAGIC + bytes.fromhex(self._key_id)
        nonce = self._random_bytes(NONCE_BYTES)
        cipher = self._by_id[self._key_id]
        return header + nonce + cipher.encrypt(nonce, plain, _associated(header, owner))

    def open(self, sealed: bytes, *, owner: Sequence[str]) -> bytes:
        """What `seal` was given, for the same owner only.

        Raises VaultError: `vault_format` (not sealed by us), `vault_key_unknown` (sealed with a
        master key that is not here), `vault_refused` (changed, or it belongs to another owner).
        """
        if len(sealed) < _HEADER_BYTES + NONCE_BYTES + _TAG_BYTES or sealed[:4] != MAGIC:
            raise VaultError("vault_format", "These bytes were not sealed by this server.")
        header = sealed[:_HEADER_BYTES]
        key_id = header[len(MAGIC) :].hex()
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


def keys_from_text(text: str) -> list[bytes]:
    """Base64 master keys, newest first, separated by white space or commas; `#` starts a comment.

    Raises VaultError `vault_key_format`, which never quotes the text.
    """
    lines = [line.partition("#")[0] for line in text.splitlines()]
    words = " ".join(lines).replace(",", " ").split()
    try:
        keys = [base64.b64decode(word, validate=True) for word in words]
    except (binascii.Error, ValueError) as error:
        raise VaultError(
            "vault_key_format", "A master key is 32 bytes in standard base64 (44 characters)."
        ) from error
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise VaultError(
            "vault_key_format", "A master key is 32 bytes in standard base64 (44 characters)."
        )
    return keys


def open_vault(
    data_dir: Path,
    *,
    key: str | None = None,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Vault:
    """The vault of this installation: `key` if given, else the key file, made on first start.

    Raises VaultError: `vault_key_format`, `vault_key_permissions` (others can read the file),
    `vault_key_unreadable` (it cannot be read or made).
    """
    if key is not None:
        return Vault(keys_from_text(key), random_bytes=random_bytes)
    path = data_dir / KEY_FILE
    try:
        text = _read_private(path)
        if text is None:
            _create_once(path, random_bytes(KEY_BYTES))
            text = _read_private(path)
    except (OSError, UnicodeDecodeError) as error:
        raise VaultError(
            "vault_key_unreadable",
            f"The master key file {path} cannot be read or made ({type(error).__name__}).",
        ) from error
    if text is None:
        raise VaultError("vault_key_unreadable", f"The master key file {path} was removed.")
    return Vault(keys_from_text(text), random_bytes=random_bytes)


def _read_private(path: Path) -> str | None:
    """The file's text, None if there is no file; the mode is checked on the file that is read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, encoding="ascii") as file:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if os.name == "posix" and mode & 0o077:
            raise VaultError(
                "vault_key_permissions",
                f"The master key file {path} has mode {mode:04o}: others on this machine may read"
                f" it. Make it private (chmod 600 {path}), and replace the key if they did.",
            )
        return file.read()


def _create_once(path: Path, key: bytes) -> None:
    """Write beside, then link: of several first starts one wins, and nobody reads half a file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(
                "# Lookgate master key. Keep a copy apart from the database: whoever has both can\n"
                "# read every face template; whoever loses this one has lost them all.\n"
                f"{base64.b64encode(key).decode()}\n"
            )
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
    finally:
        os.unlink(beside)
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
