"""The master key file: made once, private, and never beside what another key sealed."""

from __future__ import annotations

import asyncio
import base64
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from server.keys.keyring import make_key
from server.keys.master_key import KEY_FILE, fit, keys_from_text, open_vault
from server.keys.vault import Vault, VaultError, key_id_of
from server.store.port import Store
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import NOW, a_client, a_key, a_template

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
OWNER = ("template", "shop", "ada")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "database" / "store.sqlite3")
    await store.open()
    await store.clients.add(a_client())
    yield store
    await store.close()


async def fitted(folder: Path, store: Store, key: str | None = None) -> Vault:
    """As a server starts."""
    vault = open_vault(folder, key=key)
    held = {"templates": store.templates, "keys": store.keys, "clients": store.clients}
    await fit(vault, folder, **held, now=NOW)  # type: ignore[arg-type]
    return vault


def text_of(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_keys_come_as_base64_newest_first() -> None:
    one, two = (base64.b64encode(key).decode() for key in (KEY, OTHER))
    assert keys_from_text(one) == [KEY]
    assert keys_from_text(f"{one},{two}") == [KEY, OTHER]
    assert keys_from_text(f"# of May\n{two}\n\n {one} # of April\n") == [OTHER, KEY]


@pytest.mark.parametrize(
    "text", ["", "#", "hunter2!", "aGVsbG8=", base64.b64encode(bytes(33)).decode(), "é" * 44]
)
def test_a_malformed_key_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(VaultError) as caught:
        keys_from_text(text)
    assert caught.value.code == "vault_key_format"
    assert len(text) < 5 or text not in str(caught.value)


async def test_the_key_file_is_made_once_and_private(tmp_path: Path, store: SqliteStore) -> None:
    data_dir = tmp_path / "new" / "data"
    assert open_vault(data_dir).is_locked
    assert not data_dir.exists()  # reading makes nothing
    first = await fitted(data_dir, store)
    path = data_dir / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(data_dir.stat().st_mode) & 0o077 == 0
    assert [file.name for file in data_dir.iterdir()] == [KEY_FILE]  # nothing left beside it
    text = path.read_text()
    second = await fitted(data_dir, store)
    assert path.read_text() == text
    assert second.open(first.seal(b"face", owner=OWNER), owner=OWNER) == b"face"


async def test_a_given_key_needs_no_file(tmp_path: Path, store: SqliteStore) -> None:
    folder = tmp_path / "data"
    vault = await fitted(folder, store, text_of(KEY))
    assert vault.key_id == key_id_of(KEY)
    assert not folder.exists()
    with pytest.raises(VaultError):
        open_vault(folder, key="")


async def test_first_starts_at_once_agree_on_one_key(tmp_path: Path, store: SqliteStore) -> None:
    folder = tmp_path / "data"
    vaults = [open_vault(folder) for _ in range(8)]

    async def start(vault: Vault) -> None:
        await fit(vault, folder, templates=store.templates, keys=store.keys, now=NOW)
        await store.keys.add(make_key(vault, NOW), retire_others_at=NOW + timedelta(days=1))

    await asyncio.gather(*map(start, vaults))
    assert len({vault.key_id for vault in vaults}) == 1
    assert [file.name for file in folder.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("kind", ["template", "signing key", "relying app"])
async def test_no_key_is_made_beside_what_another_one_sealed(
    tmp_path: Path, store: SqliteStore, kind: str
) -> None:
    vault = Vault([KEY])
    if kind == "template":
        sealed = vault.seal(b"face", owner=OWNER)
        await store.templates.put(a_template(sealed=sealed), replace=False)
    elif kind == "signing key":
        await store.keys.add(make_key(vault, NOW), retire_others_at=None)
    else:
        await store.clients.change(a_client(), replace(a_client(), seal=vault.seal(b"", owner=())))
    folder = tmp_path / "wrong"
    with pytest.raises(VaultError) as caught:
        await fitted(folder, store)
    assert caught.value.code == "vault_key_missing"
    assert str(folder / KEY_FILE) in str(caught.value)
    assert key_id_of(KEY) in str(caught.value)
    assert not folder.exists()
    with pytest.raises(VaultError) as caught:
        await fitted(folder, store, text_of(OTHER))
    assert caught.value.code == "vault_key_unknown"
    assert (await fitted(folder, store, f"{text_of(OTHER)} {text_of(KEY)}")).key_id == key_id_of(
        OTHER
    )


async def test_people_say_which_key_is_the_right_one(tmp_path: Path, store: SqliteStore) -> None:
    """A signing key that somebody's wrong key sealed, and junk, do not lock the right key out."""
    sealed = Vault([KEY]).seal(b"face", owner=OWNER)
    await store.templates.put(a_template("junk"), replace=False)
    await store.templates.put(a_template(sealed=sealed), replace=False)
    await store.keys.add(make_key(Vault([OTHER]), NOW), retire_others_at=None)
    assert await fitted(tmp_path, store, text_of(KEY))
    with pytest.raises(VaultError) as caught:
        await fitted(tmp_path, store, text_of(OTHER))
    assert caught.value.code == "vault_key_unknown"


async def test_junk_alone_is_nobodys(tmp_path: Path, store: SqliteStore) -> None:
    await store.keys.add(a_key("junk"), retire_others_at=None)
    assert not (await fitted(tmp_path, store)).is_locked


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
async def test_a_key_file_that_others_may_read_is_refused(
    tmp_path: Path, store: SqliteStore, mode: int
) -> None:
    await fitted(tmp_path, store)
    path = tmp_path / KEY_FILE
    path.chmod(mode)
    with pytest.raises(VaultError) as caught:
        open_vault(tmp_path)
    assert caught.value.code == "vault_key_permissions"
    assert f"chmod 600 {path}" in str(caught.value)
    path.chmod(0o400)
    assert not open_vault(tmp_path).is_locked


def test_a_damaged_key_file_is_told_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    path.touch(mode=0o600)
    for content in (b"", b"\xff\xfe", b"half a k"):
        path.write_bytes(content)
        with pytest.raises(VaultError) as caught:
            open_vault(tmp_path)
        assert caught.value.code in ("vault_key_format", "vault_key_unreadable")
        assert path.read_bytes() == content


async def test_a_place_without_files_is_told(tmp_path: Path, store: SqliteStore) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VaultError) as caught:
        await fitted(tmp_path / "file", store)
    assert caught.value.code == "vault_key_unreadable"
