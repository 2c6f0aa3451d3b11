"""Rows of relying apps: changed by somebody without the master key, they are refused."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from server.keys.vault import Vault, VaultError
from server.people.anchors import Ledger
from server.people.sealed_clients import MARK, OLD_MARK, SealedClients, sealed_client, turn_of
from server.store.relying import RelyingParty, relying_json
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import NOW, TICKET, a_client

OLD, NEW = Vault([bytes(range(32))]), Vault([bytes(32)])
RELYING = RelyingParty("Shop", ("https://shop.example/cb",), min_acr="phr")
BOTH = Vault([bytes(32), bytes(range(32))])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.sqlite3")
    await store.open()
    yield store
    await store.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "zoo"},
        {"secret_hash": TICKET},
        {"origins": ("https://evil.example",)},
        {"origins": ()},
        {"origins": ("https://shop.example", "https://shop.example:8443", "https://evil.example")},
        {"policy": "weak"},
        {"created_at": NOW + timedelta(milliseconds=1)},
        {"relying": RelyingParty("Shop", ("https://evil.example/cb",))},
        {"seal": None},
        {"seal": b"no seal"},
        {"seal": sealed_client(OLD, a_client(secret_hash=TICKET), 1).seal},
    ],
)
def test_no_field_can_be_changed(changes: dict[str, Any]) -> None:
    client = sealed_client(OLD, a_client(), 1)
    turn_of(OLD, client)
    with pytest.raises(VaultError) as caught:
        turn_of(OLD, replace(client, **changes))
    assert caught.value.code == "client_changed"


@pytest.mark.parametrize(
    "changes",
    [
        {"relying": None},
        {"relying": replace(RELYING, redirect_uris=("https://evil.example/cb",))},
        {"relying": replace(RELYING, auth="none")},
        {"relying": replace(RELYING, min_acr=None)},
        {"relying": None, "origins": (relying_json(RELYING), *a_client().origins)},
    ],
)
def test_no_setting_of_openid_connect_can_be_changed(changes: dict[str, Any]) -> None:
    client = sealed_client(OLD, a_client(relying=RELYING), 1)
    turn_of(OLD, client)
    with pytest.raises(VaultError, match="changed by somebody"):
        turn_of(OLD, replace(client, **changes))


def test_a_row_that_was_sealed_before_there_were_such_settings_is_believed() -> None:
    client = a_client()
    made = str(int(client.created_at.timestamp() * 1000))
    whole = (client.client_id, client.secret_hash.hex(), client.policy, made)
    seal = OLD.seal(b"", owner=("client", *whole, *client.origins))
    turn_of(OLD, replace(client, seal=seal))


def test_the_key_of_a_seal_that_is_not_here_is_named() -> None:
    with pytest.raises(VaultError) as caught:
        turn_of(NEW, sealed_client(OLD, a_client(), 1))
    assert caught.value.code == "vault_key_unknown"


def of(store: SqliteStore, vault: Vault = OLD) -> SealedClients:
    """As another process has them, which has seen nothing yet."""
    return SealedClients(store, Ledger(store.anchors, vault), vault)


async def refused(clients: SealedClients, client_id: str) -> str:
    with pytest.raises(VaultError) as caught:
        await clients.get(client_id)
    return caught.value.code


async def test_rows_of_before_are_sealed_and_counted_once(
    store: SqliteStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changed = replace(sealed_client(OLD, a_client("zoo"), 0), secret_hash=TICKET)
    uncounted = sealed_client(OLD, a_client("bank"), 0)
    for client in (a_client("shop"), uncounted, changed):
        await store.clients.add(client)
    assert await of(store).get("bank") == uncounted  # until they are counted
    clients = of(store)
    with caplog.at_level(logging.WARNING):
        assert await clients.count_those_of_before(tmp_path) == 1
    assert [getattr(record, "clients", None) for record in caplog.records] == [1]
    assert await clients.get("shop") == sealed_again(await store.clients.get("shop"))
    assert await refused(clients, "zoo") == "client_changed"  # what does not fit is not mended
    await store.clients.change(await store.clients.get("bank"), uncounted)
    assert await refused(of(store), "bank") == "client_changed"
    # Nor does it help to take away what says how new the row is, or to wait for another start.
    async with store.database.transaction() as db:
        await db.execute_fetchall("DELETE FROM anchors")
    await store.clients.add(a_client("late"))
    assert (tmp_path / MARK).stat().st_mode & 0o777 == 0o600
    again = of(store)
    assert await again.count_those_of_before(tmp_path) == 0
    for client_id in ("bank", "shop", "late"):
        assert await refused(again, client_id) == "client_changed"
        await again.believe(client_id)
        await again.get(client_id)


async def test_a_folder_of_a_version_that_sealed_takes_no_row_without_a_seal(
    store: SqliteStore, tmp_path: Path
) -> None:
    (tmp_path / OLD_MARK).touch()
    await store.clients.add(a_client("bare"))
    await store.clients.add(sealed_client(OLD, a_client("shop"), 0))
    clients = of(store)
    assert await clients.count_those_of_before(tmp_path) == 0
    await clients.get("shop")
    assert await refused(clients, "bare") == "client_changed"


async def test_rows_whose_key_is_not_here_are_counted_when_it_is(
    store: SqliteStore, tmp_path: Path
) -> None:
    await store.clients.add(sealed_client(OLD, a_client(), 0))
    await of(store, NEW).count_those_of_before(tmp_path)
    clients = of(store, BOTH)
    await clients.count_those_of_before(tmp_path)
    await clients.get("shop")


def sealed_again(client: Any) -> Any:
    """All but the seal is as it was."""
    return replace(a_client(client.client_id), seal=client.seal)


async def test_they_are_sealed_anew_under_the_newest_master_key(store: SqliteStore) -> None:
    await of(store).add(a_client("shop"))
    await store.clients.add(replace(sealed_client(OLD, a_client("zoo"), 1), secret_hash=TICKET))
    await store.clients.add(sealed_client(Vault([b"f" * 32]), a_client("foreign"), 1))
    assert await of(store, BOTH).reseal() == (1, {Vault([b"f" * 32]).key_id})
    assert await of(store, BOTH).reseal() == (0, {Vault([b"f" * 32]).key_id})
    assert turn_of(NEW, await store.clients.get("shop")) == 1
    await of(store, BOTH).get("shop")
    assert await refused(of(store, BOTH), "zoo") == "client_changed"
