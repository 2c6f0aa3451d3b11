"""What evaluations keep: for the owner alone, and not for ever."""

from __future__ import annotations

import os
import time
from importlib import metadata
from pathlib import Path

import pytest

from server.tools.evaluation import cache as caches
from server.tools.evaluation.cache import UNUSED_DAYS, Cache, sources

OLD, NEW = "0" * 16, "1" * 16


def aged(folder: Path, days: float) -> None:
    """As if it had last been used so long ago."""
    then = time.time() - days * 86400
    os.utime(folder, (then, then))


def test_what_is_kept_is_found_again_and_private(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    kept = Cache(cache, NEW)
    assert kept.get("ab" * 32) is None
    kept.put("ab" * 32, {"n": 1})
    assert Cache(cache, NEW).get("ab" * 32) == {"n": 1}
    assert Cache(cache, OLD).get("ab" * 32) is None
    assert {oct(path.stat().st_mode & 0o077) for path in (cache, *cache.rglob("*"))} == {"0o0"}


def test_answers_that_nobody_asks_for_are_removed(tmp_path: Path) -> None:
    cache, apart = tmp_path / "cache", tmp_path / "apart"
    for version in (OLD, NEW):
        Cache(cache, version).put("ab" * 32, {"n": 1})
    apart.mkdir()
    (cache / "notes").mkdir()
    (cache / ("2" * 16)).symlink_to(apart, target_is_directory=True)
    for name in (OLD, "notes", "2" * 16):
        aged(cache / name, UNUSED_DAYS + 1)
    aged(cache / NEW, UNUSED_DAYS + 1)
    assert Cache(cache, NEW).get("ab" * 32) == {"n": 1}, "asked for now, so it stays"
    assert sorted(path.name for path in cache.iterdir()) == [NEW, "2" * 16, "notes"]
    assert apart.is_dir()


def test_all_that_looks_is_named_and_all_that_judges_only_for_verdicts() -> None:
    root = Path(__file__).parents[4]
    looks = {path.relative_to(root).as_posix() for path in sources()}
    judges = {path.relative_to(root).as_posix() for path in sources(session=True)} - looks
    assert {"pipeline/see.py", "server/frames/convert.py", "server/tools/clips.py"} <= looks
    assert {"pipeline/decision.py", "server/tools/evaluation/play.py"} <= judges
    assert any(path.startswith("pipeline/session/") for path in judges)
    assert caches.version("match") != caches.version("match", session=True)


def test_another_coder_or_another_look_at_pictures_is_another_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = caches.version("match")
    installed = metadata.version
    for package in ("av", "opencv-python-headless"):
        monkeypatch.setattr(
            metadata, "version", lambda name, p=package: installed(name) + "x" * (name == p)
        )
        assert caches.version("match") != before
    monkeypatch.undo()
    assert caches.version("match") == before
    vp8 = next(path for path in sources() if path.name == "vp8.py")
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (path == vp8))
    assert caches.version("match") != before


def test_code_that_is_not_where_it_was_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "_MEASURES", ("pipeline/see.py", "server/frames/gone"))
    with pytest.raises(FileNotFoundError, match="gone"):
        caches.version("match")
