"""Where the master key comes from: given, or a private file, which is made once and never twice.

A new key is made only beside a database that holds nothing sealed: beside one that does, the file
was lost or this is the wrong folder, and a new key would open nothing. Not here: the cipher
(vault.py), the signing keys (keyring.py). Source: docs/operations.md.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from server.keys.vault import KEY_BYTES, Vault, VaultError, sealed_by
from server.store.keys import Keys
from server.store.port import Clients, Templates

KEY_FILE = "master.key"
LOOKED_AT = 3
"""Templates whose master key is compared: more than one, because one may be damaged."""


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
    """The vault of this installation: `key` if given, else the key file; locked if there is none.

    Nothing is made here: `fit` does that, once the database was looked at.
    Raises VaultError: `vault_key_format`, `vault_key_permissions` (others can read the file),
    `vault_key_unreadable`.
    """
    if key is not None:
        return Vault(keys_from_text(key), random_bytes=random_bytes)
    text = _read_file(data_dir / KEY_FILE)
    return Vault(() if text is None else keys_from_text(text), random_bytes=random_bytes)


async def fit(
    vault: Vault,
    data_dir: Path,
    *,
    templates: Templates,
    keys: Keys,
    clients: Clients | None = None,
    now: datetime,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> None:
    """See that `vault` is the one of this database; a locked one is unlocked by a new key.

    People count more than signing keys, which can be made again: where there are templates, they
    say which master key is the right one. Where there is neither, relying apps do.

    Raises Unavailable, and VaultError: `vault_key_missing`
    (no key, but something is sealed), `vault_key_unknown` (what is sealed is another key's),
    `vault_key_unreadable` (it cannot be made).
    """
    sealed = [record.sealed for record in await templates.sample(LOOKED_AT)]
    if not any(map(sealed_by, sealed)):
        sealed = [record.sealed_private for record in await keys.published(now)]
    if not any(map(sealed_by, sealed)) and clients is not None:
        sealed = [client.seal for client in await clients.all() if client.seal is not None]
    owners = [key_id for key_id in map(sealed_by, sealed) if key_id is not None]
    path = data_dir / KEY_FILE
    if vault.is_locked and (text := _read_file(path)) is not None:
        vault.unlock(keys_from_text(text))  # another first start made it meanwhile
    if vault.is_locked and owners:
        raise VaultError(
            "vault_key_missing",
            f"There is no master key file {path}, and the database holds what master key"
            f" {owners[0]} sealed. Put the file back or set LOOKGATE_MASTER_KEY; a new key would"
            " open nothing of it.",
        )
    if vault.is_locked:
        vault.unlock(keys_from_text(_make_file(path, random_bytes)))
    _drop_left(path)
    if owners and not set(owners) & set(vault.key_ids):
        raise VaultError(
            "vault_key_unknown",
            f"The database was sealed with master key {owners[0]}, which is not among those given"
            f" ({', '.join(vault.key_ids)}). Put the right key back: without it, what it sealed"
            " cannot be read by anybody.",
        )


def _read_file(path: Path) -> str | None:
    try:
        return _read_private(path)
    except (OSError, UnicodeDecodeError) as error:
        raise VaultError(
            "vault_key_unreadable",
            f"The master key file {path} cannot be read ({type(error).__name__}).",
        ) from error


def _make_file(path: Path, random_bytes: Callable[[int], bytes]) -> str:
    """The text of the file, made by us or by another first start a moment ago."""
    try:
        _create_once(path, random_bytes(KEY_BYTES))
    except OSError as error:
        raise VaultError(
            "vault_key_unreadable",
            f"The master key file {path} cannot be made ({type(error).__name__}).",
        ) from error
    text = _read_file(path)
    if text is None:
        raise VaultError("vault_key_unreadable", f"The master key file {path} was removed.")
    return text


def _beside(path: Path) -> str:
    """How the names begin of files that become the key file, or were about to."""
    return f".{path.name}."


def _drop_left(path: Path) -> None:
    """A start that was killed may have left a copy of the key. It is looked for where there is a
    key file, which nobody has to make any more."""
    if path.exists():
        for left in path.parent.glob(f"{_beside(path)}*"):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)


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
    beside = path.with_name(f"{_beside(path)}{os.getpid()}.{secrets.token_hex(4)}")
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
        # It exists already, or a start that found it took ours for one that was left.
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
