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
from server.people.sealed_clients import (
    MARK,
    believe_client,
    check_client,
    checked_client,
    reseal_clients,
    seal_those_of_before,
    sealed_client,
)
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
        {"seal": sealed_client(OLD, a_client(secret_hash=TICKET)).seal},
    ],
)
def test_no_field_can_be_changed(changes: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    client = sealed_client(OLD, a_client())
    check_client(OLD, client)
    with caplog.at_level(logging.ERROR), pytest.raises(VaultError) as caught:
        check_client(OLD, replace(client, **changes))
    assert caught.value.code == "client_changed"
    assert [record.message for record in caplog.records] == [
        "the row of a relying app is not as it was sealed"
    ]


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
    client = sealed_client(OLD, a_client(relying=RELYING))
    check_client(OLD, client)
    with pytest.raises(VaultError, match="changed by somebody"):
        check_client(OLD, replace(client, **changes))


def test_a_row_that_was_sealed_before_there_were_such_settings_is_believed() -> None:
    client = a_client()
    made = str(int(client.created_at.timestamp() * 1000))
    whole = (client.client_id, client.secret_hash.hex(), client.policy, made)
    seal = OLD.seal(b"", owner=("client", *whole, *client.origins))
    check_client(OLD, replace(client, seal=seal))


def test_the_key_of_a_seal_that_is_not_here_is_named() -> None:
    with pytest.raises(VaultError) as caught:
        check_client(NEW, sealed_client(OLD, a_client()))
    assert caught.value.code == "vault_key_unknown"


async def test_rows_of_before_are_sealed_once(
    store: SqliteStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changed = replace(sealed_client(OLD, a_client("zoo")), secret_hash=TICKET)
    for client in (a_client("shop"), a_client("bank"), changed):
        await store.clients.add(client)
    with caplog.at_level(logging.WARNING):
        assert await seal_those_of_before(store.clients, OLD, tmp_path) == 2
    assert [getattr(record, "clients", None) for record in caplog.records] == [2]
    assert await checked_client(store.clients, OLD, "shop") == sealed_again(
        await store.clients.get("shop")
    )
    with pytest.raises(VaultError):  # a seal that does not fit is not mended
        await checked_client(store.clients, OLD, "zoo")
    await store.clients.add(a_client("late"))
    assert (tmp_path / MARK).stat().st_mode & 0o777 == 0o600
    assert await seal_those_of_before(store.clients, OLD, tmp_path) == 0
    with pytest.raises(VaultError):
        await checked_client(store.clients, OLD, "late")
    await believe_client(store.clients, OLD, "late")
    await checked_client(store.clients, OLD, "late")


def sealed_again(client: Any) -> Any:
    """All but the seal is as it was."""
    return replace(a_client(client.client_id), seal=client.seal)


async def test_they_are_sealed_anew_under_the_newest_master_key(store: SqliteStore) -> None:
    await store.clients.add(sealed_client(OLD, a_client("shop")))
    await store.clients.add(replace(sealed_client(OLD, a_client("zoo")), secret_hash=TICKET))
    await store.clients.add(sealed_client(Vault([b"f" * 32]), a_client("foreign")))
    assert await reseal_clients(store.clients, BOTH) == (1, {Vault([b"f" * 32]).key_id})
    assert await reseal_clients(store.clients, BOTH) == (0, {Vault([b"f" * 32]).key_id})
    await checked_client(store.clients, NEW, "shop")
    with pytest.raises(VaultError):
        await checked_client(store.clients, BOTH, "zoo")
