"""The stores that a server of several processes runs on."""

from __future__ import annotations

import secrets

import pytest


@pytest.fixture(params=["sqlite", "secantusdb"])
def store(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings: a file of its own, or a database of its own over MongoDB's wire protocol."""
    if request.param == "sqlite":
        return {}
    url = request.getfixturevalue("secantus").url
    return {"store": f"{url}several_{secrets.token_hex(4)}"}
