from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from models import __main__ as main_module
from models import manifest
from models.__main__ import main
from models.errors import ModelError
from models.fetch import Progress
from models.manifest import Net


def test_verify_says_what_is_missing_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--dir", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("model_missing: ")
    assert "embed.onnx" in said
    assert "Traceback" not in said


def test_an_unknown_net_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "nose", "--dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("model_unknown: ")


def test_fetch_prints_progress_and_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verified: list[tuple[Path, list[str] | None]] = []
    asked: list[list[str]] = []

    def fetch(
        directory: Path,
        names: list[str] | None,
        progress: Callable[[Progress], None],
        *,
        listed: Mapping[str, Net],
    ) -> None:
        assert directory == tmp_path
        asked.append(list(listed))
        progress(Progress("ready", "mesh", "mesh.onnx is ready", 1, 2))

    monkeypatch.setattr(main_module, "fetch", fetch)
    monkeypatch.setattr(main_module, "verify", lambda d, n: verified.append((d, n)))
    assert main(["fetch", "mesh", "--dir", str(tmp_path)]) == 0
    assert "[1/2] mesh.onnx is ready" in capsys.readouterr().out
    assert verified == [(tmp_path, ["mesh"])]
    assert main(["fetch", "--factor", "palm", "--dir", str(tmp_path)]) == 0
    assert asked == [list(manifest.load()), [*manifest.load(), "palm", "hand"]]


def test_the_cause_is_printed_under_the_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(*_: object, **__: object) -> None:
        raise ModelError("model_download_failed", "It could not be had.", "no route")

    monkeypatch.setattr(main_module, "fetch", fetch)
    assert main(["fetch", "--dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "model_download_failed: It could not be had.\n  cause: no route\n"
    )


def test_arguments_are_needed() -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
