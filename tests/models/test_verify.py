from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from models import manifest
from models.check import check, load_reference
from models.errors import ModelError
from models.verify import good, verify
from tests.models import tiny

NET = tiny.net(tiny.source(b""), b"source", b"converted")
PACKAGED = manifest.load() | manifest.load_factors()["palm"]
NETS = {"one": NET, "two": replace(NET, name="two", file="two.onnx")}


def test_the_pinned_bytes_pass(tmp_path: Path) -> None:
    for net in NETS.values():
        tiny.write(tmp_path / net.file, b"converted")
    verify(tmp_path, listed=NETS)
    assert good(tmp_path, NET)


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    tiny.write(tmp_path / "tiny.onnx", b"converted")
    with pytest.raises(ModelError) as caught:
        verify(tmp_path, listed=NETS)
    assert caught.value.code == "model_missing"
    assert "two.onnx" in caught.value.text
    assert "tiny.onnx" not in caught.value.text
    assert str(tmp_path) in caught.value.text
    assert "lookgate models fetch" in caught.value.text
    verify(tmp_path, ["one"], listed=NETS)
    assert not good(tmp_path, NETS["two"])


def test_a_wrong_file_is_named_with_both_hashes(tmp_path: Path) -> None:
    tiny.write(tmp_path / "tiny.onnx", b"Converted")
    tiny.write(tmp_path / "two.onnx", b"converted")
    with pytest.raises(ModelError) as caught:
        verify(tmp_path, listed=NETS)
    assert caught.value.code == "model_hash_mismatch"
    for words in (str(tmp_path / "tiny.onnx"), tiny.sha256(b"Converted"), NET.sha256):
        assert words in caught.value.text
    assert "two.onnx" not in caught.value.text
    assert not good(tmp_path, NET)


def test_a_folder_in_place_of_a_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").mkdir()
    with pytest.raises(ModelError) as caught:
        verify(tmp_path, ["one"], listed=NETS)
    assert caught.value.code == "model_missing"


def test_a_net_of_a_factor_may_be_absent_but_not_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "load", dict)  # the pack is in order
    verify(tmp_path)
    tiny.write(tmp_path / "hand.onnx", b"not a net")
    with pytest.raises(ModelError, match=r"hand\.onnx") as caught:
        verify(tmp_path)
    assert caught.value.code == "model_hash_mismatch"


@pytest.mark.models
@pytest.mark.parametrize("name", list(PACKAGED))
def test_the_real_nets_are_the_pinned_ones_and_compute_their_references(name: str) -> None:
    directory = Path(os.environ.get("LOOKGATE_MODELS_DIR") or manifest.default_dir())
    net = PACKAGED[name]
    if not (directory / net.file).is_file():
        pytest.skip(f"{directory} has no {net.file}: run `python -m models fetch --factor palm`")
    verify(directory, [name])
    off = check(net, (directory / net.file).read_bytes(), load_reference(name))
    assert off < net.tolerance / 10, "within the tolerance, but far worse than when it was measured"
