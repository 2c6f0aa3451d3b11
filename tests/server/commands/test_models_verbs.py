from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from models import manifest
from models.manifest import Net
from server.commands import main, models_verbs
from server.commands.models_verbs import listing


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main.main(["models", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOOKGATE_MODELS_DIR", str(tmp_path))
    return tmp_path


def test_list_says_of_every_net_whether_it_is_there(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = _run(capsys, "list")
    assert status == 0
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert list(lines) == [*manifest.load(), *manifest.load_more()]
    assert "missing" in lines["mesh"]
    assert "not added" in lines["palm"]
    assert "not added" in lines["spoof2"]
    (directory / "spoof2.onnx").write_bytes(b"another")
    assert any("wrong" in line for line in listing(directory))


def test_a_file_that_is_no_part_is_one_line(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / "x").write_bytes(b"x")
    status, out, err = _run(capsys, "add", "spoof2", str(directory / "x"))
    assert (status, out) == (2, "")
    assert err.startswith("lookgate: model_source_mismatch: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "more"), [((), []), (("--factor", "palm"), ["palm", "hand"])]
)
def test_the_nets_of_a_factor_are_fetched_when_asked_for(
    arguments: tuple[str, ...],
    more: list[str],
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[str] = []

    def fetch(_: Path, names: None, __: object, *, listed: Mapping[str, Net]) -> None:
        asked.extend(listed)

    monkeypatch.setattr(models_verbs, "fetch", fetch)
    monkeypatch.setattr(models_verbs, "verify", lambda directory: None)
    assert _run(capsys, "fetch", *arguments)[0] == 0
    assert asked == [*manifest.load(), *more]


def test_an_unknown_factor_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(["models", "fetch", "--factor", "nose"])
    assert caught.value.code == 2
    assert "palm" in capsys.readouterr().err


def test_an_unknown_net_is_said_before_anything_is_downloaded(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = _run(capsys, "fetch", "--with", "spoof2,nose")
    assert (status, out) == (2, "")
    assert err.startswith("lookgate: model_unknown: ")
    assert list(directory.iterdir()) == []
