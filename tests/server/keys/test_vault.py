from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.keys.vault import Vault, VaultError, key_id_of, sealed_by

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


def test_no_vault_without_a_whole_key() -> None:
    for keys in ([b"short"], [KEY, b""]):
        with pytest.raises(VaultError) as caught:
            Vault(keys)
        assert caught.value.code == "vault_key_format"


def test_a_locked_vault_seals_and_opens_nothing_until_it_has_its_keys() -> None:
    sealed = Vault([KEY]).seal(b"face", owner=OWNER)
    vault = Vault()
    assert vault.is_locked
    with pytest.raises(VaultError) as caught:
        vault.seal(b"face", owner=OWNER)
    assert caught.value.code == "vault_key_missing"
    with pytest.raises(VaultError) as caught:
        vault.open(sealed, owner=OWNER)
    assert caught.value.code == "vault_key_unknown"
    vault.unlock([KEY])
    assert not vault.is_locked
    assert vault.open(sealed, owner=OWNER) == b"face"


def test_sealed_bytes_say_which_key_sealed_them() -> None:
    sealed = Vault([OTHER, KEY]).seal(b"face", owner=OWNER)
    assert sealed_by(sealed) == key_id_of(OTHER)
    for other in (b"", sealed[:39], b"X" + sealed[1:]):
        assert sealed_by(other) is None
