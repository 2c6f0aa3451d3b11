"""An older row of a relying app that is put back into the database is refused, in every store."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from dataclasses import replace

import pytest

from server.keys.vault import Vault, VaultError
from server.people.anchors import Ledger
from server.people.sealed_clients import SealedClients, sealed_client
from server.store.anchors import HEAD
from server.store.port import Client, Store
from tests.server.conformance.records import TICKET, a_client, a_template

VAULT = Vault([bytes(range(32))])


def of(store: Store) -> SealedClients:
    """As another process has them, which has seen nothing yet."""
    return SealedClients(store, Ledger(store.anchors, VAULT), VAULT)


async def secret(clients: SealedClients, text: str) -> Client:
    """The client `shop` gets another secret; the row as it was before."""
    was = await clients.get("shop")
    digest = hashlib.sha256(text.encode()).digest()
    await clients.change(was, replace(was, secret_hash=digest))
    return was


async def put_back(store: Store, row: Client) -> None:
    """As somebody does who can write the database."""
    await store.clients.change(await store.clients.get("shop"), row)


async def refused(clients: SealedClients) -> bool:
    with contextlib.suppress(VaultError):
        await clients.get("shop")
        return False
    return True


async def test_a_row_with_a_secret_that_leaked_is_refused(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await of(store).add(a_client())
    leaked = await secret(of(store), "second")
    assert not await refused(of(store))
    newest = await secret(of(store), "third")
    for old in (leaked, newest):
        await put_back(store, old)
        with caplog.at_level(logging.ERROR):
            assert await refused(of(store))
    assert {record.message for record in caplog.records} == {
        "the row of a relying app is not as it was sealed"
    }


async def test_the_operator_believes_what_is_there_and_nothing_older(store: Store) -> None:
    await of(store).add(a_client())
    first = await secret(of(store), "second")
    second = await secret(of(store), "third")
    await put_back(store, second)
    await of(store).believe("shop")
    believed = await of(store).get("shop")
    assert believed.secret_hash == second.secret_hash
    for old in (first, second):
        await put_back(store, old)
        assert await refused(of(store))


async def test_the_row_is_held_against_the_head_and_the_head_against_what_was_seen(
    store: Store,
) -> None:
    await of(store).add(a_client())
    (head,) = await store.anchors.of("shop", [HEAD])
    clients = of(store)
    leaked = await secret(clients, "second")
    await store.clients.remove("shop")
    await store.clients.add(leaked)
    assert await refused(of(store))  # without a head
    await store.anchors.put(replace(head, version=1))  # does not open as another version
    assert await refused(of(store))


async def test_who_was_added_again_is_not_taken_for_the_old_one(store: Store) -> None:
    await of(store).add(a_client())
    for text in ("second", "third"):
        old = await secret(of(store), text)
    await store.clients.remove("shop")
    await of(store).add(a_client(secret_hash=TICKET))
    assert not await refused(of(store))
    await store.clients.change(await store.clients.get("shop"), replace(old, seal=None))
    assert await refused(of(store))


async def test_a_change_that_a_dead_process_left_is_settled(store: Store) -> None:
    await of(store).add(a_client())
    was = await of(store).get("shop")
    await store.clients.change(was, sealed_client(VAULT, replace(was, origins=()), 2))
    assert not await refused(of(store))
    await of(store).settle()
    assert not await refused(of(store))
    await put_back(store, was)
    assert await refused(of(store))


async def test_a_request_that_meets_a_change_gets_the_newer_row(store: Store) -> None:
    await of(store).add(a_client())
    read = await store.clients.get("shop")
    await secret(of(store), "second")
    assert await of(store).check(read) == await store.clients.get("shop")


async def test_templates_of_before_are_still_believed_after_a_row_is_counted(
    store: Store,
) -> None:
    await store.clients.add(sealed_client(VAULT, a_client(), 0))
    await store.templates.put(a_template(), replace=False)
    clients = of(store)
    was = await clients.get("shop")
    await clients.change(was, replace(was, origins=()))
    head = (await clients.ledger.standing("shop", [])).head
    assert head is not None
    assert (head.row, head.adopted) == (1, False)
