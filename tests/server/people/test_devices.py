"""A known device's cookie: for one person of one app, until its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from server.keys.vault import Vault
from server.people.devices import KEPT, cookie_name, open_device, seal_device

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
VAULT = Vault([bytes(32)])
ANN = {"client_id": "shop", "subject": "ann"}
SEALED = seal_device(VAULT, **ANN, device_id="d1", now=NOON)


def test_it_opens_for_its_person_until_its_time() -> None:
    late = NOON + KEPT - timedelta(seconds=1)
    assert open_device(VAULT, SEALED, **ANN, now=late) == "d1"
    assert open_device(VAULT, SEALED, **ANN, now=NOON + KEPT) is None
    assert len(SEALED) < 300


@pytest.mark.parametrize(
    ("client", "subject"), [("shop", "bob"), ("bank", "ann"), ("sho", "pann"), ("shop", "")]
)
def test_it_is_nobody_elses(client: str, subject: str) -> None:
    assert open_device(VAULT, SEALED, client_id=client, subject=subject, now=NOON) is None
    names = [cookie_name(*who, secure=True) for who in (("shop", "ann"), (client, subject))]
    assert names[0] != names[1]


@pytest.mark.parametrize(
    "value", ["", "a", "%%%", SEALED[:-2], SEALED[:40], "A" * 200, "A" * 5000, SEALED + "ä"]
)
def test_what_is_not_ours_is_no_device(value: str) -> None:
    assert open_device(VAULT, value, **ANN, now=NOON) is None
    assert open_device(Vault([b"o" * 32]), SEALED, **ANN, now=NOON) is None


def test_its_name_says_nobody_and_is_of_this_host_alone() -> None:
    name = cookie_name("shop", "ann", secure=True)
    assert name.startswith("__Host-lookgate-")
    assert "ann" not in name
    assert cookie_name("shop", "ann", secure=False) == name.removeprefix("__Host-")
