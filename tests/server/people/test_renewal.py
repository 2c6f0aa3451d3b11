"""Rows carried over: to counters, to another secret, to another master key; killed anywhere."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.template import Floats, Template, pooled
from server.keys.keyring import Keyring
from server.keys.vault import Vault, VaultError, sealed_by
from server.people.consent import Consent, open_consent, seal_consent
from server.people.galleries import Galleries
from server.people.protection import Protection, protection_of, space_of
from server.people.renewal import Renewal
from server.people.templates import open_template, seal_template
from server.store.anchors import AnchorRecord
from server.store.keys import KeyRecord
from server.store.mongo.store import MongoStore
from server.store.port import Client, Store, TemplateRecord
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import NOW, a_client
from tests.server.stage import agreed_to

OLD, NEW = bytes(range(32)), bytes(32)
VAULT, BOTH, AFTER = Vault([OLD]), Vault([NEW, OLD]), Vault([NEW])
PEOPLE = 7
"""The first three of a version that neither rotated nor counted."""


@pytest.fixture(params=["sqlite", "secantusdb"])
async def store(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        made: Store = SqliteStore(tmp_path / "test.sqlite3")
    else:
        url = request.getfixturevalue("secantus").url
        made = MongoStore(url, database=f"renewal_{secrets.token_hex(4)}")
    await made.open()
    await made.clients.add(a_client())
    yield made
    await made.close()


def guard(store: Store, vault: Vault = VAULT) -> Protection:
    """As another process has it."""
    return protection_of(store, vault, lambda: NOW)


def face(seed: int) -> Template:
    rows = np.random.default_rng(seed).normal(size=(3, 128)).astype(np.float32)
    return Template("sface", rows / np.linalg.norm(rows, axis=1, keepdims=True), 0.123456789)


def probe(seed: int) -> Floats:
    return pooled(face(seed).embeddings)


def of_before(subject: str, seed: int, vault: Vault = VAULT) -> TemplateRecord:
    return seal_template(
        vault,
        face(seed),
        client_id="shop",
        subject=subject,
        template_id=f"t-{subject}-{seed}",
        created_at=NOW,
    )


async def enrol(store: Store, protection: Protection, subject: str, seed: int) -> TemplateRecord:
    record = await protection.seal(
        face(seed),
        client_id="shop",
        subject=subject,
        template_id=f"t-{subject}-{seed}",
        created_at=NOW + timedelta(milliseconds=seed),
    )
    await store.templates.put(record, replace=True)
    await protection.settle(record)
    return record


async def populate(store: Store) -> None:
    for n in range(3):
        await store.templates.put(of_before(f"p{n}", n), replace=False)
    protection = guard(store)
    for n in range(3, PEOPLE):
        await enrol(store, protection, f"p{n}", n)


async def all_match(store: Store, vault: Vault) -> None:
    """Everybody is found by their own face, 1:1 and 1:N, by a process that begins now."""
    galleries = Galleries(store.templates, guard(store, vault), model_id="sface")
    many = await galleries.of_client("shop")
    for n in range(PEOPLE):
        alone = await galleries.of_subject("shop", f"p{n}")
        for gallery in (many, alone):
            match = gallery.best(probe(n))
            assert match is not None, n
            assert (match.subject, abs(match.score - 1.0) <= 1e-5) == (f"p{n}", True)


async def rows(store: Store) -> Sequence[TemplateRecord]:
    return await store.templates.of_subjects("shop", [f"p{n}" for n in range(PEOPLE)])


class Killed(BaseException):
    """What SIGKILL is: nobody behind it does anything any more."""


class Dying:
    """A store whose process dies after its n-th write."""

    def __init__(self, store: Store, n: int) -> None:
        self._left = n
        self.clients, self.sessions, self.audit = store.clients, store.sessions, store.audit
        self.templates = _DyingTemplates(store.templates, self)
        self.anchors = _DyingAnchors(store.anchors, self)
        self.keys = _DyingKeys(store.keys, self)

    def wrote(self) -> None:
        self._left -= 1
        if not self._left:
            raise Killed


class _DyingTemplates:
    def __init__(self, templates: Any, dying: Dying) -> None:
        self._templates, self._dying = templates, dying
        for name in ("vectors", "of_subjects", "get", "gallery_version", "changes"):
            setattr(self, name, getattr(templates, name))

    async def reseal(self, changes: Sequence[tuple[TemplateRecord, TemplateRecord]]) -> int:
        done = 0
        for change in changes:  # as MongoDB does it, one by one
            done += await self._templates.reseal([change])
            self._dying.wrote()
        return done

    async def renewed(self, client_id: str) -> None:
        await self._templates.renewed(client_id)
        self._dying.wrote()


class _DyingAnchors:
    def __init__(self, anchors: Any, dying: Dying) -> None:
        self._anchors, self._dying, self.of = anchors, dying, anchors.of

    async def put(self, record: AnchorRecord) -> None:
        await self._anchors.put(record)
        self._dying.wrote()


class _DyingKeys:
    def __init__(self, keys: Any, dying: Dying) -> None:
        self._keys, self._dying, self.all = keys, dying, keys.all

    async def reseal(self, was: KeyRecord, sealed_private: bytes) -> bool:
        done: bool = await self._keys.reseal(was, sealed_private)
        self._dying.wrote()
        return done


async def rotated(store: Any, vault: Vault) -> None:
    """What `lookgate keys rotate-data` does."""
    renewal = Renewal(store, guard(store, vault), page=3)
    await renewal.carry("shop")
    await renewal.rotate_keys()


async def renewed(store: Any, vault: Vault) -> None:
    """What `lookgate client renew-templates` does."""
    renewal = Renewal(store, guard(store, vault), page=3)
    await renewal.renew("shop")
    await renewal.retire("shop")


@pytest.mark.parametrize("what", [rotated, renewed])
async def test_killed_after_any_write_nobody_is_lost_and_it_goes_on(
    store: Store, what: Any
) -> None:
    ring = Keyring(store.keys, VAULT, issuer="https://login.example")
    await ring.load(NOW)
    for n in range(1, 200):
        await store.clients.remove("shop")
        await store.clients.add(a_client())
        for key in await store.keys.all():
            owner = ("signing key", key.kid)
            plain = BOTH.open(key.sealed_private, owner=owner)
            await store.keys.reseal(key, VAULT.seal(plain, owner=owner))
        await populate(store)
        dying: Any = Dying(store, n)
        try:
            await what(dying, BOTH)
        except Killed:
            await all_match(store, BOTH)
            await what(store, BOTH)
        else:
            break
        await all_match(store, AFTER)  # the old master key may go
        assert {row.key_id for row in await rows(store)} == {AFTER.key_id}
    assert n > 15, "there are more writes than that"


async def test_a_renewal_makes_what_was_copied_worthless(store: Store) -> None:
    await populate(store)
    protection = guard(store)
    await Renewal(store, protection).carry("shop")
    before = await rows(store)
    in_another_process = Galleries(store.templates, guard(store), model_id="sface")
    await in_another_process.of_client("shop")
    assert (await Renewal(store, protection).renew("shop")).rows == PEOPLE
    await all_match(store, VAULT)
    assert [one.template_id for one in await rows(store)] == [one.template_id for one in before]
    for old, new in zip(before, await rows(store), strict=True):
        stolen, now = (pooled(open_template(VAULT, one).embeddings) for one in (old, new))
        assert abs(float(stolen @ now)) < 0.5
    many = await in_another_process.of_client("shop")  # noticed
    match = many.best(probe(4))
    assert match is not None
    assert (match.subject, abs(match.score - 1.0) <= 1e-5) == ("p4", True)
    assert np.allclose(
        many.matrix[many.subjects.index("p4")],
        pooled(open_template(VAULT, (await rows(store))[4]).embeddings),
        atol=1e-6,
    )
    # Until the old secret goes, an old row is the same template; then it is none.
    await Renewal(store, protection).retire("shop")
    await store.templates.put(before[4], replace=True)
    standing = await protection.standing("shop", ["p4"])
    with pytest.raises(VaultError) as caught:
        protection.opened(before[4], standing, space_of(standing.head))
    assert caught.value.code == "epoch_unknown"


async def test_who_enrols_while_rows_are_carried_over_keeps_that(store: Store) -> None:
    await populate(store)
    protection, writer = guard(store), guard(store)

    async def enrolling() -> None:
        for n in range(PEOPLE):
            await enrol(store, writer, f"p{n}", n + 100)

    await asyncio.gather(Renewal(store, protection, page=1).renew("shop"), enrolling())
    await Renewal(store, protection).retire("shop")
    galleries = Galleries(store.templates, guard(store), model_id="sface")
    for n in range(PEOPLE):
        match = (await galleries.of_subject("shop", f"p{n}")).best(probe(n + 100))
        assert match is not None
        assert abs(match.score - 1.0) <= 1e-5


async def test_templates_of_before_are_adopted_and_none_is_believed_afterwards(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(PEOPLE):
        await store.templates.put(of_before(f"p{n}", n), replace=False)
    await all_match(store, VAULT)
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            await Renewal(store, guard(store)).adopt()
    told = [getattr(one, "templates", None) for one in caplog.records]
    assert told == [PEOPLE]  # the second time there is nothing to do
    await all_match(store, VAULT)
    assert {(row.counter > 0, row.epoch, row.quality) for row in await rows(store)} == {
        (True, 1, 0.123456789)
    }
    for subject in ("p0", "nobody"):
        await store.templates.put(of_before(subject, 0), replace=True)
        galleries = Galleries(store.templates, guard(store), model_id="sface")
        assert len(await galleries.of_subject("shop", subject)) == 0


async def test_rows_of_a_master_key_that_is_not_here_are_left_and_named(store: Store) -> None:
    await populate(store)
    foreign = Vault([b"f" * 32])
    await store.templates.put(of_before("p0", 0, foreign), replace=True)
    broken = await store.templates.get("shop", "p1")
    await store.templates.put(
        replace(broken, sealed=broken.sealed[:-1] + bytes([broken.sealed[-1] ^ 1])), replace=True
    )
    ring = Keyring(store.keys, foreign, issuer="https://login.example")
    await ring.load(NOW)
    renewal = Renewal(store, guard(store, BOTH))
    carried = await renewal.carry("shop")
    assert (carried.rows, carried.unknown, carried.broken) == (PEOPLE - 2, {foreign.key_id}, 1)
    assert await renewal.rotate_keys() == (0, {foreign.key_id})
    needed = await renewal.needed()
    assert needed[foreign.key_id] == {"templates": 1, "signing keys": 2}
    assert needed[VAULT.key_id] == {"templates": 1}
    standing = await guard(store, BOTH).standing("shop", None)
    assert standing.head is not None
    assert not standing.head.adopted  # p0's row is believed once its key is back


async def test_signing_keys_are_sealed_anew(store: Store) -> None:
    ring = Keyring(store.keys, VAULT, issuer="https://login.example")
    await ring.load(NOW)
    before = await ring.jwks(NOW)
    assert await Renewal(store, guard(store, BOTH)).rotate_keys() == (2, set())
    keys = await store.keys.all()
    assert [sealed_by(key.sealed_private) for key in keys] == [AFTER.key_id] * 2
    after = Keyring(store.keys, AFTER, issuer="https://login.example")
    await after.load(NOW)
    assert await after.jwks(NOW) == before


async def test_an_operator_accepts_the_rows_that_are_there(store: Store) -> None:
    protection = guard(store)
    old = await enrol(store, protection, "p0", 0)
    await enrol(store, protection, "p1", 1)
    await enrol(store, protection, "p0", 5)
    await store.templates.put(old, replace=True)  # as a restore of one collection leaves it
    strange = replace(of_before("p2", 2), template_id="x")
    await store.templates.put(strange, replace=True)
    galleries = Galleries(store.templates, protection, model_id="sface")
    assert len(await galleries.of_subject("shop", "p0")) == 0
    assert await Renewal(store, guard(store)).accept("shop") == (2, 1)
    for held in (galleries, Galleries(store.templates, guard(store), model_id="sface")):
        for n in (0, 1):
            match = (await held.of_subject("shop", f"p{n}")).best(probe(n))
            assert match is not None
            assert abs(match.score - 1.0) <= 1e-5
    await store.clients.add(Client("zoo", bytes(32), (), "standard", NOW))
    assert await Renewal(store, guard(store)).accept("zoo") == (0, 0)
    lost = seal_template(
        VAULT,
        face(1),
        client_id="zoo",
        subject="p1",
        template_id="t",
        created_at=NOW,
        counter=1,
        epoch=1,
    )
    await store.templates.put(lost, replace=True)
    with pytest.raises(VaultError) as caught:
        await Renewal(store, guard(store)).accept("zoo")
    assert caught.value.code == "anchor_missing"


async def test_a_consent_is_carried_over_with_its_template(store: Store) -> None:
    given = agreed_to("s1", "shop")
    record = of_before("ada", 1)
    whose = {"client_id": "shop", "subject": "ada", "template_id": record.template_id}
    sealed = seal_consent(VAULT, given, **whose)
    await store.templates.put(replace(record, consent=sealed), replace=False)
    await store.templates.put(of_before("bob", 2), replace=False)
    await Renewal(store, guard(store, BOTH)).carry("shop")
    kept = await store.templates.get("shop", "ada")
    assert kept.consent is not None
    assert sealed_by(kept.consent) == sealed_by(kept.sealed) == AFTER.key_id
    assert open_consent(AFTER, kept) == Consent.from_json(given)
    assert (await store.templates.get("shop", "bob")).consent is None
    # One that nobody can open stays as it is: it may be evidence, and stops nothing.
    torn = replace(kept, consent=b"torn")
    await store.templates.put(torn, replace=True)
    await Renewal(store, guard(store, Vault([OLD, NEW]))).carry("shop")
    assert (await store.templates.get("shop", "ada")).consent == b"torn"
