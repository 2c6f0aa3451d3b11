"""What every store must do, races included. One suite, every backend."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections import Counter
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pipeline.template import Template
from server.keys.keyring import Keyring
from server.keys.token import verify
from server.keys.vault import Vault
from server.people.templates import seal_template
from server.store.port import Conflict, NotFound, Store
from tests.server.conformance.records import (
    DAY,
    MINUTE,
    NOW,
    TICKET,
    a_client,
    a_key,
    a_session,
    a_template,
)


async def outcomes(calls: Sequence[Awaitable[Any]]) -> Counter[str]:
    """Run all at once; how many returned ("ok") and how many raised what."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    return Counter(type(r).__name__ if isinstance(r, BaseException) else "ok" for r in results)


@pytest.fixture
async def shop(store: Store) -> Store:
    """An open store that knows the client `shop`."""
    await store.clients.add(a_client())
    return store


@pytest.fixture
async def two(backend: Any, shop: Store) -> tuple[Store, Store]:
    """Two Store objects on one database: two processes, as far as the database can tell."""
    other = backend.store()
    await other.open()
    return shop, other


# life


async def test_open_and_close_may_be_called_again(backend: Any) -> None:
    store = backend.store()
    await store.open()
    await store.open()
    await store.ping()
    await store.close()
    await store.close()
    await store.open()
    await store.ping()


async def test_several_may_open_an_empty_database_at_once(backend: Any) -> None:
    stores = [backend.store() for _ in range(6)]
    assert await outcomes([store.open() for store in stores]) == {"ok": 6}
    for store in stores:
        await store.ping()


async def test_reopening_keeps_everything(backend: Any) -> None:
    first = backend.store()
    await first.open()
    await first.clients.add(a_client())
    await first.sessions.add(a_session())
    await first.templates.put(a_template(), replace=False)
    await first.failures.add("shop", "ada", NOW)
    await first.keys.add(a_key("k1"), retire_others_at=None)
    version = await first.templates.gallery_version("shop")
    await first.close()

    second = backend.store()
    await second.open()
    assert await second.clients.get("shop") == a_client()
    assert await second.sessions.get("s1") == a_session()
    assert await second.templates.get("shop", "ada") == a_template()
    assert await second.failures.count("shop", "ada") == (1, NOW)
    assert await second.keys.published(NOW) == [a_key("k1")]
    assert await second.templates.gallery_version("shop") == version


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


# clients


async def test_a_client_is_found_again(store: Store) -> None:
    await store.clients.add(a_client("zoo"))
    await store.clients.add(a_client("bank", origins=(), policy="strict"))
    assert await store.clients.get("zoo") == a_client("zoo")
    assert await store.clients.all() == [
        a_client("bank", origins=(), policy="strict"),
        a_client("zoo"),
    ]


async def test_a_client_id_is_taken_once(shop: Store) -> None:
    with pytest.raises(Conflict):
        await shop.clients.add(a_client(policy="other"))
    assert await shop.clients.get("shop") == a_client()


async def test_an_unknown_client_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.clients.get("nobody")
    with pytest.raises(NotFound):
        await store.clients.set_secret("nobody", TICKET)
    with pytest.raises(NotFound):
        await store.clients.remove("nobody")
    assert await store.clients.all() == []


async def test_a_new_secret_replaces_the_old_one(shop: Store) -> None:
    await shop.clients.set_secret("shop", TICKET)
    assert (await shop.clients.get("shop")).secret_hash == TICKET


async def test_remove_client_removes_what_it_owns_and_nothing_else(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    for client_id in ("shop", "zoo"):
        await shop.sessions.add(a_session(f"s-{client_id}", client_id=client_id))
        await shop.templates.put(a_template(client_id=client_id), replace=False)
        await shop.failures.add(client_id, "ada", NOW)
    version = await shop.templates.gallery_version("shop")

    await shop.clients.remove("shop")

    for gone in (
        shop.clients.get("shop"),
        shop.sessions.get("s-shop"),
        shop.templates.get("shop", "ada"),
    ):
        with pytest.raises(NotFound):
            await gone
    assert await shop.templates.of_client("shop") == []
    assert await shop.failures.count("shop", "ada") == (0, None)
    assert (
        await shop.templates.gallery_version("shop") > version
    )  # or a cached gallery would live on
    assert await shop.clients.all() == [a_client("zoo")]
    assert (await shop.sessions.get("s-zoo")).client_id == "zoo"
    assert len(await shop.templates.of_client("zoo")) == 1
    assert await shop.failures.count("zoo", "ada") == (1, NOW)

    await shop.clients.add(a_client())
    assert await shop.templates.of_client("shop") == []
    assert await shop.templates.gallery_version("shop") > version


async def test_nothing_is_kept_for_a_client_that_is_gone(shop: Store) -> None:
    await shop.clients.remove("shop")
    with pytest.raises(NotFound):
        await shop.sessions.add(a_session())
    with pytest.raises(NotFound):
        await shop.templates.put(a_template(), replace=True)
    with pytest.raises(NotFound):
        await shop.failures.add("shop", "ada", NOW)
    with pytest.raises(NotFound):
        await shop.sessions.get("s1")
    assert await shop.templates.of_client("shop") == []
    assert await shop.failures.count("shop", "ada") == (0, None)


async def test_a_client_removed_while_it_is_written_for_leaves_nothing(
    two: tuple[Store, Store],
) -> None:
    one, other = two
    writes = [one.templates.put(a_template(f"p{n}"), replace=False) for n in range(10)]
    seen = await outcomes([*writes[:5], other.clients.remove("shop"), *writes[5:]])
    assert set(seen) <= {"ok", "NotFound"}
    assert await one.templates.of_client("shop") == []
    assert await other.clients.all() == []


# sessions


async def test_a_session_is_found_again(shop: Store) -> None:
    full = a_session(
        "s2",
        purpose="identify",
        subject=None,
        claimed_at=NOW,
        finished_at=NOW + MINUTE,
        reasons=("no_match", "quality"),
        evidence='[{"cue": "identity", "llr": -2.5}]',
        replace=True,
        state="rejected",
    )
    await shop.sessions.add(a_session())
    await shop.sessions.add(full)
    assert await shop.sessions.get("s1") == a_session()
    assert await shop.sessions.get("s2") == full
    with pytest.raises(Conflict):
        await shop.sessions.add(a_session(nonce="x" * 16))
    assert await shop.sessions.get("s1") == a_session()
    with pytest.raises(NotFound):
        await shop.sessions.get("s3")


async def test_a_ticket_opens_its_session_once(shop: Store) -> None:
    await shop.sessions.add(a_session())
    claimed = await shop.sessions.claim("s1", TICKET, NOW + MINUTE / 2)
    assert claimed == a_session(state="live", claimed_at=NOW + MINUTE / 2)
    assert await shop.sessions.get("s1") == claimed
    with pytest.raises(Conflict):
        await shop.sessions.claim("s1", TICKET, NOW + MINUTE / 2)


async def test_a_wrong_ticket_opens_nothing_and_spoils_nothing(shop: Store) -> None:
    await shop.sessions.add(a_session())
    await shop.sessions.add(a_session("s2", ticket_hash=hashlib.sha256(b"other").digest()))
    for session_id, ticket in (("s1", bytes(32)), ("s1", b""), ("s2", TICKET), ("s3", TICKET)):
        with pytest.raises(NotFound):
            await shop.sessions.claim(session_id, ticket, NOW)
    assert (await shop.sessions.get("s1")).state == "new"
    assert (await shop.sessions.claim("s1", TICKET, NOW)).state == "live"


async def test_an_expired_ticket_is_absent_before_it_is_swept(shop: Store) -> None:
    await shop.sessions.add(a_session())
    with pytest.raises(NotFound):
        await shop.sessions.claim("s1", TICKET, NOW + MINUTE)  # "until then": not at that moment
    with pytest.raises(NotFound):
        await shop.sessions.claim("s1", TICKET, NOW + DAY)
    assert (await shop.sessions.get("s1")).state == "new"
    await shop.sessions.claim("s1", TICKET, NOW + MINUTE - timedelta(milliseconds=1))
    with pytest.raises(NotFound):
        await shop.sessions.claim("s1", TICKET, NOW + MINUTE)  # used and over: over


async def test_of_fifty_claims_one_wins(two: tuple[Store, Store]) -> None:
    await two[0].sessions.add(a_session())
    seen = await outcomes([two[n % 2].sessions.claim("s1", TICKET, NOW) for n in range(50)])
    assert seen == {"ok": 1, "Conflict": 49}


async def test_a_session_is_finished_once(shop: Store) -> None:
    await shop.sessions.add(a_session())
    with pytest.raises(Conflict):
        await shop.sessions.finish("s1", was="live", now_is="accepted", at=NOW)
    await shop.sessions.claim("s1", TICKET, NOW)
    done = await shop.sessions.finish(
        "s1",
        was="live",
        now_is="rejected",
        at=NOW + MINUTE,
        reasons=("liveness",),
        evidence='[{"cue": "spoof"}]',
    )
    assert done == a_session(
        state="rejected",
        claimed_at=NOW,
        finished_at=NOW + MINUTE,
        reasons=("liveness",),
        evidence='[{"cue": "spoof"}]',
    )
    assert await shop.sessions.get("s1") == done
    with pytest.raises(Conflict):
        await shop.sessions.finish("s1", was="live", now_is="accepted", at=NOW)
    with pytest.raises(NotFound):
        await shop.sessions.finish("s9", was="live", now_is="accepted", at=NOW)
    assert await shop.sessions.get("s1") == done


async def test_of_fifty_endings_one_counts(two: tuple[Store, Store]) -> None:
    await two[0].sessions.add(a_session(state="live"))
    ends = ["accepted", "rejected", "expired"]
    seen = await outcomes(
        [
            two[n % 2].sessions.finish("s1", was="live", now_is=ends[n % 3], at=NOW)
            for n in range(50)
        ]
    )
    assert seen == {"ok": 1, "Conflict": 49}
    assert (await two[1].sessions.get("s1")).state in ends


async def test_an_ending_names_whom_it_found_but_never_somebody_else(shop: Store) -> None:
    await shop.sessions.add(a_session("found", purpose="identify", subject=None, state="live"))
    await shop.sessions.add(a_session("nobody", purpose="identify", subject=None, state="live"))
    await shop.sessions.add(a_session("login", state="live"))
    found = await shop.sessions.finish(
        "found", was="live", now_is="accepted", at=NOW, subject="grace"
    )
    assert found.subject == "grace"
    assert (await shop.sessions.get("found")).subject == "grace"
    nobody = await shop.sessions.finish("nobody", was="live", now_is="rejected", at=NOW)
    assert nobody.subject is None
    with pytest.raises(Conflict):
        await shop.sessions.finish("login", was="live", now_is="accepted", at=NOW, subject="grace")
    assert await shop.sessions.get("login") == a_session("login", state="live")
    done = await shop.sessions.finish("login", was="live", now_is="accepted", at=NOW, subject="ada")
    assert (done.subject, done.state) == ("ada", "accepted")


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


# templates


async def test_a_template_is_kept_once_unless_replaced(shop: Store) -> None:
    await shop.templates.put(a_template(), replace=False)
    new = a_template(template_id="t2", model_id="other", quality=1.0, sealed=b"new", key_id="k")
    with pytest.raises(Conflict):
        await shop.templates.put(new, replace=False)
    assert await shop.templates.get("shop", "ada") == a_template()
    await shop.templates.put(new, replace=True)
    assert await shop.templates.get("shop", "ada") == new
    assert await shop.templates.of_client("shop") == [new]
    await shop.templates.put(a_template("bob"), replace=True)  # nothing to replace is fine
    assert await shop.templates.of_client("shop") == [new, a_template("bob")]


async def test_of_twenty_enrolments_one_wins(two: tuple[Store, Store]) -> None:
    records = [a_template(template_id=f"t{n}", sealed=bytes([n]) * 50) for n in range(20)]
    seen = await outcomes(
        [two[n % 2].templates.put(record, replace=False) for n, record in enumerate(records)]
    )
    assert seen == {"ok": 1, "Conflict": 19}
    assert await two[0].templates.get("shop", "ada") in records


async def test_replacements_at_once_leave_one_whole_template(two: tuple[Store, Store]) -> None:
    records = [a_template(template_id=f"t{n}", sealed=bytes([n]) * 50) for n in range(20)]
    seen = await outcomes(
        [two[n % 2].templates.put(record, replace=True) for n, record in enumerate(records)]
    )
    assert seen == {"ok": 20}
    (left,) = await two[0].templates.of_client("shop")
    assert left in records


async def test_clients_do_not_see_each_others_templates(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    await shop.templates.put(a_template(), replace=False)
    with pytest.raises(NotFound):
        await shop.templates.get("zoo", "ada")
    assert await shop.templates.of_client("zoo") == []
    await shop.templates.put(a_template(client_id="zoo"), replace=False)
    assert await shop.forget_subject("zoo", "ada") == 1
    assert await shop.templates.get("shop", "ada") == a_template()


async def test_every_change_of_a_gallery_is_seen_by_the_other_process(
    two: tuple[Store, Store],
) -> None:
    one, other = two
    seen = [await other.templates.gallery_version("shop")]
    assert seen == [0]
    await one.templates.put(a_template(), replace=False)
    seen.append(await other.templates.gallery_version("shop"))
    await one.templates.put(a_template(template_id="t2"), replace=True)
    seen.append(await other.templates.gallery_version("shop"))
    await one.templates.put(a_template("bob"), replace=False)
    seen.append(await other.templates.gallery_version("shop"))
    await one.forget_subject("shop", "ada")
    seen.append(await other.templates.gallery_version("shop"))
    assert sorted(set(seen)) == seen
    await one.failures.add("shop", "bob", NOW)
    assert await other.templates.gallery_version("shop") == seen[-1]


async def test_remove_subject_removes_everything_of_one_person(shop: Store) -> None:
    await shop.templates.put(a_template(), replace=False)
    await shop.templates.put(a_template("ada2"), replace=False)
    for state in ("new", "live", "accepted", "rejected", "expired"):
        await shop.sessions.add(a_session(state, state=state))
        await shop.sessions.add(a_session(f"other {state}", state=state, subject="ada2"))
    await shop.failures.add("shop", "ada", NOW)
    await shop.failures.add("shop", "ada2", NOW)

    assert await shop.forget_subject("shop", "ada") == 1

    with pytest.raises(NotFound):
        await shop.templates.get("shop", "ada")
    for state in ("accepted", "rejected", "expired"):
        with pytest.raises(NotFound):
            await shop.sessions.get(state)
        await shop.sessions.get(f"other {state}")
    assert (await shop.sessions.get("new")).state == "new"
    assert (await shop.sessions.get("live")).state == "live"
    assert await shop.failures.count("shop", "ada") == (0, None)
    assert await shop.failures.count("shop", "ada2") == (1, NOW)
    assert await shop.templates.of_client("shop") == [a_template("ada2")]
    assert await shop.forget_subject("shop", "ada") == 0
    assert await shop.forget_subject("nobody", "ada") == 0


async def test_any_text_and_its_order_is_kept(shop: Store) -> None:
    subjects = [
        "Zoë",
        "zoe",
        "ada",
        "Ωμέγα",
        "山田",
        "𝔞𝔡𝔞",
        "é",
        "e\u0301",
        "a b",
        "quo'te\"",
        "$n",
        "a.b",
    ]
    for subject in subjects:
        await shop.templates.put(a_template(subject), replace=False)
    assert [t.subject for t in await shop.templates.of_client("shop")] == sorted(subjects)
    for subject in subjects:
        assert await shop.templates.get("shop", subject) == a_template(subject)
    with pytest.raises(NotFound):
        await shop.templates.get("shop", "ZOE")


async def test_a_large_template_is_kept_whole(shop: Store) -> None:
    sealed = np.random.default_rng(1).bytes(2_000_000)
    await shop.templates.put(a_template(sealed=sealed), replace=False)
    assert (await shop.templates.get("shop", "ada")).sealed == sealed


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
    assert rows[0].tobytes() not in raw
    assert rows[2, 5:9].tobytes() not in raw
    assert bytes(range(32)) not in raw
    assert b"PRIVATE" not in raw
    assert bytes.fromhex("06082a8648ce3d030107") not in raw  # the curve's OID, in every PKCS#8


# failures


async def test_failures_are_counted_and_cleared(shop: Store) -> None:
    assert await shop.failures.count("shop", "ada") == (0, None)
    assert await shop.failures.add("shop", "ada", NOW) == 1
    assert await shop.failures.add("shop", "ada", NOW + MINUTE) == 2
    assert await shop.failures.add("shop", "ada", NOW) == 3  # a late one does not turn time back
    assert await shop.failures.count("shop", "ada") == (3, NOW + MINUTE)
    assert await shop.failures.count("shop", "bob") == (0, None)
    await shop.failures.clear("shop", "ada")
    await shop.failures.clear("shop", "ada")
    assert await shop.failures.count("shop", "ada") == (0, None)
    assert await shop.failures.add("shop", "ada", NOW) == 1


async def test_no_failure_is_lost(two: tuple[Store, Store]) -> None:
    counts = await asyncio.gather(
        *(two[n % 2].failures.add("shop", "ada", NOW + n * MINUTE) for n in range(50))
    )
    assert await two[0].failures.count("shop", "ada") == (50, NOW + 49 * MINUTE)
    assert max(counts) == 50
    assert all(1 <= count <= 50 for count in counts)


# signing keys


async def test_one_key_signs_and_the_old_ones_are_published_for_their_time(shop: Store) -> None:
    assert await shop.keys.published(NOW) == []
    await shop.keys.add(a_key("k1"), retire_others_at=None)
    for taken in (a_key("k1"), a_key("k2")):
        with pytest.raises(Conflict):
            await shop.keys.add(taken, retire_others_at=None)
    with pytest.raises(Conflict):
        await shop.keys.add(a_key("k1"), retire_others_at=NOW)
    assert await shop.keys.published(NOW) == [a_key("k1")]  # the refused one retired nobody

    later = a_key("k2", created_at=NOW + MINUTE)
    await shop.keys.add(later, retire_others_at=NOW + 3 * MINUTE)
    last = a_key("k3", created_at=NOW + 2 * MINUTE)
    await shop.keys.add(last, retire_others_at=NOW + 4 * MINUTE)
    assert await shop.keys.published(NOW + 2 * MINUTE) == [
        last,
        dataclasses.replace(later, retire_at=NOW + 4 * MINUTE),
        a_key("k1", retire_at=NOW + 3 * MINUTE),  # its own time, not the later one
    ]
    assert [key.kid for key in await shop.keys.published(NOW + 3 * MINUTE)] == ["k3", "k2"]
    assert [key.kid for key in await shop.keys.published(NOW + DAY)] == ["k3"]


async def test_of_two_first_keys_one_wins(two: tuple[Store, Store]) -> None:
    seen = await outcomes(
        [two[n % 2].keys.add(a_key(f"k{n}"), retire_others_at=None) for n in range(10)]
    )
    assert seen == {"ok": 1, "Conflict": 9}
    assert len(await two[0].keys.published(NOW)) == 1


async def test_rotations_at_once_leave_one_that_signs(two: tuple[Store, Store]) -> None:
    await two[0].keys.add(a_key("first"), retire_others_at=None)
    seen = await outcomes(
        [two[n % 2].keys.add(a_key(f"k{n}"), retire_others_at=NOW + DAY) for n in range(6)]
    )
    assert set(seen) <= {"ok", "Conflict"}
    keys = await two[0].keys.published(NOW)
    assert len(keys) == 1 + seen["ok"]
    assert [key.retire_at for key in keys] == [None] + [NOW + DAY] * seen["ok"]


async def test_two_servers_that_start_at_once_sign_with_the_same_key(
    two: tuple[Store, Store],
) -> None:
    vault = Vault([bytes(32)])
    rings = [Keyring(store.keys, vault, issuer="https://login.example") for store in two]
    await asyncio.gather(*(ring.load(NOW) for ring in rings))
    sets = [await ring.jwks(NOW) for ring in rings]
    assert sets[0] == sets[1]
    assert len(sets[0]["keys"]) == 1
    token = await rings[0].mint(
        subject="ada",
        client_id="shop",
        nonce="n" * 16,
        session_id="s1",
        purpose="login",
        acr="passive",
        auth_time=NOW,
        now=NOW,
    )
    claims = verify(
        token,
        expected_issuer="https://login.example",
        expected_audience="shop",
        expected_nonce="n" * 16,
        expected_purpose="login",
        jwks=sets[1],
        now=NOW,
    )
    assert claims["sub"] == "ada"
