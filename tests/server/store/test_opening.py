from __future__ import annotations

import sys
from pathlib import Path

import pytest

from server.store.mongo.store import MongoStore
from server.store.opening import DEFAULT_URL, open_store
from server.store.sqlite.store import SqliteStore
from tests.server.conformance.records import NOW


async def test_a_file_in_the_data_directory(tmp_path: Path) -> None:
    store = open_store(DEFAULT_URL, tmp_path / "data")
    assert isinstance(store, SqliteStore)
    await store.open()
    await store.check(NOW)
    await store.close()
    assert (tmp_path / "data" / "lookgate.sqlite3").is_file()


async def test_a_file_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "other place" / "faces.db"
    store = open_store(f"sqlite:///{str(path).replace(' ', '%20')}", tmp_path / "data")
    await store.open()
    await store.close()
    assert path.is_file()
    assert not (tmp_path / "data").exists()


def test_mongodb(tmp_path: Path) -> None:
    assert isinstance(open_store("mongodb://127.0.0.1/lookgate", tmp_path), MongoStore)
    assert isinstance(open_store("mongodb+srv://db.example/lookgate", tmp_path), MongoStore)


@pytest.mark.parametrize(
    "url",
    ["", "lookgate.db", "postgres://me:hunter2@db/x", "sqlite://", "sqlite:///", "sqlite://host/x",
     "sqlite:///x?mode=ro", "mongodb:/x", "MONGODB"],
)  # fmt: skip
def test_another_url_is_refused_and_not_quoted(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sqlite:///name") as caught:
        open_store(url, tmp_path)
    assert "hunter2" not in str(caught.value)


def test_the_default_does_not_load_the_mongodb_driver(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys, pathlib, server.store.opening;"
        "server.store.opening.open_store('sqlite:///x', pathlib.Path('.'));"
        "sys.exit('pymongo' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=30).returncode == 0
