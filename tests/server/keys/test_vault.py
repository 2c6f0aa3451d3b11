from __future__ import annotations

import base64
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.keys.vault import KEY_FILE, Vault, VaultError, key_id_of, keys_from_text, open_vault

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
OWNER = ("template", "shop", "ada")


def test_what_was_sealed_opens_for_its_owner() -> None:
    vault = Vault([KEY])
    sealed = vault.seal(b"face", owner=OWNER)
    assert vault.open(sealed, owner=OWNER) == b"face"
    assert b"face" not in sealed
    assert sealed != vault.seal(b"face", owner=OWNER)
    assert len(sealed) == len(b"face") + 40


@given(plain=st.binary(max_size=64), data=st.data())
def test_a_single_flipped_bit_is_refused(plain: bytes, data: st.DataObject) -> None:
    vault = Vault([KEY])
    sealed = bytearray(vault.seal(plain, owner=OWNER))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(VaultError):
        vault.open(bytes(sealed), owner=OWNER)


@given(st.binary(max_size=100))
def test_other_bytes_are_refused(junk: bytes) -> None:
    with pytest.raises(VaultError):
        Vault([KEY]).open(junk, owner=OWNER)


def test_what_is_too_short_or_begins_otherwise_was_not_sealed_here() -> None:
    vault = Vault([KEY])
    sealed = vault.seal(b"", owner=OWNER)
    assert vault.open(sealed, owner=OWNER) == b""
    for other in (b"", sealed[:4], sealed[:-1], b"LGS2" + sealed[4:], b"\0" * 99):
        with pytest.raises(VaultError) as caught:
            vault.open(other, owner=OWNER)
        assert caught.value.code == "vault_format"
    with pytest.raises(VaultError) as caught:
        vault.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), owner=OWNER)
    assert caught.value.code == "vault_refused"


@given(
    mine=st.lists(st.text(max_size=4), max_size=4), other=st.lists(st.text(max_size=4), max_size=4)
)
def test_owners_are_never_mixed_up(mine: list[str], other: list[str]) -> None:
    vault = Vault([KEY])
    sealed = vault.seal(b"face", owner=mine)
    if mine == other:
        assert vault.open(sealed, owner=other) == b"face"
    else:
        with pytest.raises(VaultError) as caught:
            vault.open(sealed, owner=other)
        assert caught.value.code == "vault_refused"


def test_parts_of_an_owner_do_not_run_together() -> None:
    vault = Vault([KEY])
    sealed = vault.seal(b"face", owner=("ab", "c"))
    for other in (("a", "bc"), ("abc",), ("ab", "c", ""), ("c", "ab")):
        with pytest.raises(VaultError):
            vault.open(sealed, owner=other)


def test_the_newest_key_seals_and_any_opens() -> None:
    old = Vault([KEY])
    sealed = old.seal(b"face", owner=OWNER)
    both = Vault([OTHER, KEY])
    assert both.open(sealed, owner=OWNER) == b"face"
    assert both.key_id == key_id_of(OTHER)
    assert both.key_ids == (key_id_of(OTHER), key_id_of(KEY))
    with pytest.raises(VaultError) as caught:
        old.open(both.seal(b"face", owner=OWNER), owner=OWNER)
    assert caught.value.code == "vault_key_unknown"
    assert key_id_of(OTHER) in str(caught.value)  # which one to look for


def test_a_vault_does_not_show_its_keys() -> None:
    shown = repr(Vault([KEY, OTHER]))
    assert shown == f"Vault({key_id_of(KEY)}, {key_id_of(OTHER)})"
    assert KEY.hex()[:8] not in shown


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


def test_no_vault_without_a_whole_key() -> None:
    for keys in ([], [b"short"], [KEY, b""]):
        with pytest.raises(VaultError) as caught:
            Vault(keys)
        assert caught.value.code == "vault_key_format"


def test_the_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    data_dir = tmp_path / "new" / "data"
    first = open_vault(data_dir)
    path = data_dir / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(data_dir.stat().st_mode) & 0o077 == 0
    assert [file.name for file in data_dir.iterdir()] == [KEY_FILE]  # nothing left beside it
    text = path.read_text()
    second = open_vault(data_dir)
    assert path.read_text() == text
    assert second.open(first.seal(b"face", owner=OWNER), owner=OWNER) == b"face"


def test_a_given_key_needs_no_file(tmp_path: Path) -> None:
    vault = open_vault(tmp_path, key=base64.b64encode(KEY).decode())
    assert vault.key_id == key_id_of(KEY)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(VaultError):
        open_vault(tmp_path, key="")


def test_first_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    ready = threading.Barrier(8)
    ids: list[str] = []

    def start() -> None:
        ready.wait(10)
        ids.append(open_vault(tmp_path).key_id)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(ids) == 8
    assert len(set(ids)) == 1
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    open_vault(tmp_path)
    path = tmp_path / KEY_FILE
    path.chmod(mode)
    with pytest.raises(VaultError) as caught:
        open_vault(tmp_path)
    assert caught.value.code == "vault_key_permissions"
    assert f"chmod 600 {path}" in str(caught.value)
    path.chmod(0o400)
    open_vault(tmp_path)


def test_a_damaged_key_file_is_told_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    path.touch(mode=0o600)
    for content in (b"", b"\xff\xfe", b"half a k"):
        path.write_bytes(content)
        with pytest.raises(VaultError) as caught:
            open_vault(tmp_path)
        assert caught.value.code in ("vault_key_format", "vault_key_unreadable")
        assert path.read_bytes() == content


def test_a_place_without_files_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VaultError) as caught:
        open_vault(tmp_path / "file")
    assert caught.value.code == "vault_key_unreadable"
