"""The benchmark of 1:N finds the people that it wrote, with vectors and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.gallery import COLUMNS, seed, serve


@pytest.mark.parametrize("vector", [True, False])
async def test_everybody_is_found_and_changes_count(tmp_path: Path, vector: bool) -> None:
    path = tmp_path / "some.sqlite3"
    await seed(path, 30, vector=vector)
    found = await serve(path, 3)
    assert list(found) == [name for name, _ in COLUMNS]
    assert found["rows"] == 30  # three came and three went
    assert all(value >= 0 for name, value in found.items() if name != "over the matrix MB")
