"""Which databases took part. What a stand-in does not prove is written in secantus.py."""

from __future__ import annotations

import os

import pytest
from pymongo import AsyncMongoClient


@pytest.mark.skipif(
    not os.environ.get("MONGODB_URI"),
    reason="no real MongoDB here: the suite ran against SQLite and SecantusDB only;"
    " set MONGODB_URI to run it against one",
)
async def test_a_real_mongodb_takes_part() -> None:
    async with AsyncMongoClient(os.environ["MONGODB_URI"]) as client:
        assert "secantus" not in str(await client.admin.command("buildInfo")).lower()
