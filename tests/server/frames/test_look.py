"""Nets that are missing or wrong are named before anything is loaded."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from models import manifest
from models.errors import ModelError
from server.frames.look import load_see, votes


def pack(folder: Path) -> Path:
    """A models folder with files of the right names and the wrong content."""
    folder.mkdir()
    for net in manifest.load().values():
        (folder / net.file).write_bytes(b"not a net")
    return folder


def test_a_missing_or_wrong_model_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"detect\.onnx") as caught:
        load_see(tmp_path)
    assert caught.value.code == "model_missing"
    with pytest.raises(ModelError) as caught:
        load_see(pack(tmp_path / "models"))
    assert caught.value.code == "model_hash_mismatch"
    net = next(iter(manifest.load().values()))
    assert net.sha256 in caught.value.text
    assert hashlib.sha256(b"not a net").hexdigest() in caught.value.text
    assert net.file in caught.value.text


def test_nets_that_were_added_vote_and_must_be_the_pinned_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spoof3.onnx").write_bytes(b"not a net")
    assert votes(tmp_path) == ()  # alone it has no vote, and is looked at all the same
    (tmp_path / "spoof2.onnx").write_bytes(b"not a net")
    assert votes(tmp_path) == ("spoof2", "spoof3")
    monkeypatch.setattr(manifest, "load", dict)  # the pack is in order
    with pytest.raises(ModelError, match=r"spoof2\.onnx.*spoof3\.onnx") as caught:
        load_see(tmp_path)
    assert caught.value.code == "model_hash_mismatch"
