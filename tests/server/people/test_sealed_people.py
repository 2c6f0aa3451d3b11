"""What is sealed of a person beside the template: for its owner, and anew with another key."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.keys.vault import Vault, VaultError, sealed_by
from server.people.renewal import Renewal
from server.people.sealed_people import (
    open_invited,
    open_profile,
    open_secret,
    reseal_people,
    seal_profile,
    seal_secret,
)
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.oidc.records import (
    a_profile,
    a_totp,
    an_invitation,
    enrol,
    hashed,
)
from tests.server.conformance.records import NOW, a_client
from tests.server.people.test_renewal import guard

OLD, NEW = Vault([b"o" * 32]), Vault([b"n" * 32])
BOTH = Vault([b"n" * 32, b"o" * 32])
SECRET, PROFILE = b"12345678901234567890", b'{"name": "Ada"}'


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Two clients with a person each, one of them with a link without a profile as well."""
    store = SqliteStore(tmp_path / "store.sqlite3")
    await store.open()
    for people in ("shop", "zoo"):
        await store.clients.add(a_client(people))
        await enrol(store, client_id=people)
        await fill(store, people, OLD)
    await store.invitations.add(an_invitation("bare", profile=None, key_id=""))
    yield store
    await store.close()


async def fill(store: SqliteStore, people: str, vault: Vault, subject: str = "ada") -> None:
    sealed = seal_secret(vault, people, subject, SECRET)
    whose = {"people": people, "subject": subject, "key_id": vault.key_id}
    await store.otps.put(a_totp(**whose, sealed=sealed))
    profile = seal_profile(vault, people, subject, PROFILE)
    await store.profiles.put(a_profile(**whose, sealed=profile))
    link = an_invitation(people + subject, **whose, client_id=people, profile=profile)
    await store.invitations.add(link)


def test_each_opens_for_its_owner_alone() -> None:
    totp = a_totp(sealed=seal_secret(OLD, "shop", "ada", SECRET))
    profile = a_profile(sealed=seal_profile(OLD, "shop", "ada", PROFILE))
    link = an_invitation(profile=profile.sealed)
    assert open_secret(OLD, totp) == SECRET
    assert open_profile(OLD, profile) == open_invited(OLD, link) == PROFILE
    assert open_invited(OLD, an_invitation(profile=None)) is None
    for owner in ({"subject": "bob"}, {"people": "zoo"}):
        for opened in (
            lambda owner=owner: open_secret(OLD, dataclasses.replace(totp, **owner)),
            lambda owner=owner: open_profile(OLD, dataclasses.replace(profile, **owner)),
            lambda owner=owner: open_invited(OLD, dataclasses.replace(link, **owner)),
        ):
            with pytest.raises(VaultError):
                opened()
    with pytest.raises(VaultError):  # a profile is no secret
        open_secret(OLD, dataclasses.replace(totp, sealed=profile.sealed))


async def test_everything_is_sealed_anew_once(store: SqliteStore) -> None:
    needed = await Renewal(store, guard(store, BOTH)).needed()
    kinds = {"one-time passwords": 2, "profiles": 2, "invitations": 2}
    assert {kind: needed[OLD.key_id][kind] for kind in kinds} == kinds
    assert await reseal_people(store, BOTH) == (6, set())
    assert await reseal_people(store, BOTH) == (0, set())
    for people in ("shop", "zoo"):
        totp = await store.otps.get(people, "ada")
        profile = await store.profiles.get(people, "ada")
        link = await store.invitations.get(hashed(people + "ada"), NOW)
        assert open_secret(NEW, totp) == SECRET
        assert open_profile(NEW, profile) == open_invited(NEW, link) == PROFILE
        assert {totp.key_id, profile.key_id, link.key_id} == {NEW.key_id}
    bare = await store.invitations.get(hashed("bare"), NOW)
    assert (bare.profile, bare.key_id) == (None, "")
    needed = await Renewal(store, guard(store, BOTH)).needed()
    assert not kinds.keys() & needed.get(OLD.key_id, {}).keys()


async def test_rows_of_a_key_that_is_not_here_are_left_and_named(store: SqliteStore) -> None:
    stranger = Vault([b"s" * 32])
    await enrol(store, "bob")
    await fill(store, "shop", stranger, "bob")
    assert await reseal_people(store, BOTH) == (6, {stranger.key_id})
    assert sealed_by((await store.otps.get("shop", "bob")).sealed) == stranger.key_id
