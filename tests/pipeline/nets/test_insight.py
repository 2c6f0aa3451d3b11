"""The insightface extra: with a stand-in for the package always, with the real one where it is."""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from models.manifest import default_dir
from pipeline.nets import Floats, embed, insight
from pipeline.nets.insight import InsightFace
from pipeline.nets.ort import NetUnusable
from tests.pipeline.stub import Stub

ROOT = Path(__file__).parents[3]
OTHERS = Stub()
CROP = np.random.default_rng(3).integers(0, 256, (112, 112, 3), np.uint8)


class Recognition:
    """What of ArcFaceONNX is used: gives the means of R, G and B as the net would get them."""

    taskname = "recognition"
    input_size = (112, 112)
    input_mean = input_std = 127.5
    width = 512

    def forward(self, batch: Floats) -> Floats:
        fed = (batch - self.input_mean) / self.input_std
        vector = np.zeros((1, self.width), np.float32)
        vector[0, :3] = fed.mean((0, 2, 3))
        return vector


def zoo(model: Any, calls: list[dict[str, Any]] | None = None) -> Callable[..., Any]:
    def get_model(name: str, **options: Any) -> Any:
        if calls is not None:
            calls.append({"name": name, **options})
        if isinstance(model, Exception):
            raise model
        return model

    return get_model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "w600k r50.onnx"
    path.write_bytes(b"weights")
    return path


def test_the_pack_embeds_and_the_rest_goes_on(file: Path) -> None:
    calls: list[dict[str, Any]] = []
    others = Stub(spoof=(np.ones((1, 3), np.float32),))
    run = InsightFace(file, others, get_model=zoo(Recognition(), calls))
    assert (run.mean, run.std) == (127.5, 127.5)
    vector = embed.embed(np.full((112, 112, 3), (0, 127, 255), np.uint8), run)  # blue, green, red
    assert vector is not None
    assert vector.shape == (512,)
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert vector[0] > 0.7  # red came first
    assert vector[2] < -0.7
    assert run("spoof", np.zeros((1, 3, 128, 128), np.float32))[0].sum() == 3
    (call,) = calls
    assert call["name"] == str(file)
    assert call["providers"] == ["CPUExecutionProvider"]
    assert call["download"] is False
    assert call["sess_options"].intra_op_num_threads == 1


def test_the_id_follows_the_bytes(file: Path) -> None:
    found = InsightFace(file, OTHERS, get_model=zoo(Recognition())).embedder
    digest = hashlib.sha256(b"weights").hexdigest()[:12]
    assert found == embed.Embedder(f"insightface:w600k_r50:{digest}", 512)
    file.write_bytes(b"other weights")
    other = InsightFace(file, OTHERS, get_model=zoo(Recognition())).embedder
    assert other.model_id != found.model_id


class Detector(Recognition):
    taskname = "detection"


class Wide(Recognition):
    input_size = (224, 224)


class Short(Recognition):
    width = 3


class Failing(Recognition):
    def forward(self, batch: Floats) -> Floats:
        raise RuntimeError("shape")


@pytest.mark.parametrize(
    ("model", "code"),
    [
        (None, "embedder_wrong"),
        (Detector(), "embedder_wrong"),
        (Wide(), "embedder_wrong"),
        (Short(), "embedder_wrong"),
        (Failing(), "embedder_broken"),
        (ValueError("protobuf"), "embedder_broken"),
    ],
)
def test_what_is_no_recognition_net_is_refused(file: Path, model: Any, code: str) -> None:
    with pytest.raises(NetUnusable, match="LOOKGATE_EMBEDDER") as caught:
        InsightFace(file, OTHERS, get_model=zoo(model))
    assert caught.value.code == code


def test_a_missing_file_or_a_pack_name_loads_nothing(tmp_path: Path) -> None:
    calls: list[dict[str, Any]] = []
    (tmp_path / "buffalo_l").write_bytes(b"")  # the package would look it up by name
    for name in ("absent.onnx", "buffalo_l"):
        with pytest.raises(NetUnusable) as caught:
            InsightFace(tmp_path / name, OTHERS, get_model=zoo(Recognition(), calls))
        assert caught.value.code == "embedder_missing"
    assert calls == []


def test_without_the_package_the_refusal_says_how_to_get_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "insightface", None)
    monkeypatch.setitem(sys.modules, "insightface.model_zoo", None)
    with pytest.raises(NetUnusable, match="pip install --no-deps 'insightface") as caught:
        InsightFace(file, OTHERS)
    assert caught.value.code == "insightface_missing"


def test_the_page_has_every_refusal_and_the_commands() -> None:
    page = (ROOT / "docs/insightface.md").read_text("utf-8")
    codes = set(re.findall(r'"((?:embedder|insightface)_[a-z]+)"', inspect.getsource(insight)))
    assert len(codes) == 4
    for code in codes:
        assert f"| `{code}` |" in page
    for command in insight.INSTALL.split(" && "):
        assert f"    {command}\n" in page


@pytest.mark.models
@pytest.mark.skipif(find_spec("insightface") is None, reason="the insightface extra is absent")
def test_through_the_package_sface_embeds_as_it_does_here(tmp_path: Path, nets: Any) -> None:
    model = onnx.load(default_dir() / "embed.onnx")
    for k, node in enumerate(model.graph.node[:2]):  # the package tells its own by these names
        node.name = f"{node.op_type}{k}"
    onnx.save(model, tmp_path / "sface.onnx")
    run = InsightFace(tmp_path / "sface.onnx", nets)
    assert (run.mean, run.std, run.embedder.dimensions) == (0.0, 1.0, 128)
    ours, theirs = embed.embed(CROP, nets), embed.embed(CROP, run)
    assert ours is not None
    assert theirs is not None
    assert float(ours @ theirs) > 0.9999
    # The package's own path from the picture: same channels, same scale.
    direct = run._model.get_feat(CROP).ravel()
    assert float(theirs @ direct) / np.linalg.norm(direct) > 0.9999
