"""What every store must do as a whole: its life, its times, sweeping, forgetting, sealing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pipeline.template import Template, pooled
from server.keys.keyring import Keyring
from server.keys.vault import Vault
from server.people.templates import seal_template
from server.store.port import NotFound, Store
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import (
    DAY,
    MINUTE,
    NOW,
    a_client,
    a_key,
    a_session,
    a_template,
    everybody,
)
from tests.server.failing import failed, failures


async def test_open_and_close_may_be_called_again(backend: Any) -> None:
    store = backend.store()
    await store.open()
    await store.open()
    await store.check(NOW)
    await store.close()
    await store.close()
    await store.open()
    await store.check(NOW)


async def test_several_may_open_an_empty_database_at_once(backend: Any) -> None:
    stores = [backend.store() for _ in range(6)]
    assert await outcomes([store.open() for store in stores]) == {"ok": 6}
    for store in stores:
        await store.check(NOW)


async def test_reopening_keeps_everything(backend: Any) -> None:
    first = backend.store()
    await first.open()
    await first.clients.add(a_client())
    await first.sessions.add(a_session())
    await first.templates.put(a_template(), replace=False)
    await failed(first, "shop", "ada", NOW)
    await first.keys.add(a_key("k1"), retire_others_at=None)
    version = (await first.templates.gallery_version("shop")).changes
    await first.close()

    second = backend.store()
    await second.open()
    assert await second.clients.get("shop") == a_client()
    assert await second.sessions.get("s1") == a_session()
    assert await second.templates.get("shop", "ada") == a_template()
    assert await failures(second, "shop", "ada") == 1
    assert await second.keys.published(NOW) == [a_key("k1")]
    assert (await second.templates.gallery_version("shop")).changes == version


async def test_a_naive_time_is_refused(shop: Store) -> None:
    with pytest.raises(TypeError):
        await shop.sessions.add(a_session(expires_at=NOW.replace(tzinfo=None)))


async def test_another_time_zone_is_the_same_moment(shop: Store) -> None:
    there = (NOW + MINUTE).astimezone(ZoneInfo("Asia/Kathmandu"))
    await shop.sessions.add(a_session(expires_at=there))
    record = await shop.sessions.get("s1")
    assert record.expires_at == NOW + MINUTE
    assert record.expires_at.utcoffset() == timedelta(0)


async def test_parts_of_a_millisecond_may_be_cut_off_but_no_more(shop: Store) -> None:
    exact = NOW + timedelta(microseconds=987)
    await shop.sessions.add(a_session(created_at=exact))
    kept = (await shop.sessions.get("s1")).created_at
    assert timedelta(0) <= exact - kept < timedelta(milliseconds=1)


async def test_sweep_removes_what_is_over_for_a_day(shop: Store) -> None:
    await shop.sessions.add(a_session("old"))
    await shop.sessions.add(a_session("newer", expires_at=NOW + DAY))
    await shop.keys.add(a_key("k1"), retire_others_at=None)
    await shop.keys.add(a_key("k2"), retire_others_at=NOW + MINUTE)
    await shop.templates.put(a_template(), replace=False)
    assert await shop.sweep(NOW + DAY) == 0
    assert await shop.sweep(NOW + DAY + 2 * MINUTE) == 2
    with pytest.raises(NotFound):
        await shop.sessions.get("old")
    assert await shop.sessions.get("newer") == a_session("newer", expires_at=NOW + DAY)
    assert [key.kid for key in await shop.keys.published(NOW)] == ["k2"]
    assert await shop.templates.get("shop", "ada") == a_template()


async def test_forget_subject_removes_everything_of_one_person(shop: Store) -> None:
    await shop.templates.put(a_template(), replace=False)
    await shop.templates.put(a_template("ada2"), replace=False)
    for state in ("new", "live", "accepted", "rejected", "expired"):
        await shop.sessions.add(a_session(state, state=state))
        await shop.sessions.add(a_session(f"other {state}", state=state, subject="ada2"))
    await failed(shop, "shop", "ada", NOW)
    await failed(shop, "shop", "ada2", NOW)

    erased = {"sessions": 5, "templates": 1, "tries": 1}
    gone = await shop.forget_subject("shop", "ada")
    assert {noun: n for noun, n in gone.items() if n} == erased

    with pytest.raises(NotFound):
        await shop.templates.get("shop", "ada")
    for state in ("new", "live", "accepted", "rejected", "expired"):
        with pytest.raises(NotFound):
            await shop.sessions.get(state)
        await shop.sessions.get(f"other {state}")
    assert await failures(shop, "shop", "ada") == 0
    assert await failures(shop, "shop", "ada2") == 1
    assert await everybody(shop, "shop") == [a_template("ada2")]
    assert (await shop.forget_subject("shop", "ada"))["templates"] == 0
    assert (await shop.forget_subject("nobody", "ada"))["templates"] == 0


async def test_the_plain_embedding_is_nowhere_in_the_database(backend: Any, shop: Store) -> None:
    rows = np.random.default_rng(2).normal(size=(4, 128)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vault = Vault([bytes(range(32))])
    template = Template("sface", rows, 0.9)
    record = seal_template(
        vault, template, client_id="shop", subject="ada", template_id="t1", created_at=NOW
    )
    await shop.templates.put(record, replace=False)
    ring = Keyring(shop.keys, vault, issuer="https://login.example")
    await ring.load(NOW)
    raw = await backend.raw()
    assert record.sealed in raw  # the search looks where the data are
    assert record.vector is not None
    assert record.vector in raw
    assert pooled(rows).tobytes() not in raw
    assert pooled(rows)[5:9].tobytes() not in raw
    assert rows[0].tobytes() not in raw
    assert rows[2, 5:9].tobytes() not in raw
    assert bytes(range(32)) not in raw
    assert b"PRIVATE" not in raw
    assert bytes.fromhex("06082a8648ce3d030107") not in raw  # the curve's OID, in every PKCS#8
