from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models import manifest
from pipeline.nets import Spec
from pipeline.nets.ort import ALL, SPECS, Nets, NetUnusable


def write(file: Path, spec: Spec) -> None:
    """A net that gives zeros in the promised shapes, plus the input's mean."""
    feed = helper.make_tensor_value_info("image", TensorProto.FLOAT, spec.feed)
    nodes = [helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0)]
    outputs = []
    for k, shape in enumerate(spec.outputs):
        zeros = helper.make_tensor(
            f"z{k}", TensorProto.FLOAT, shape, np.zeros(shape, np.float32).ravel()
        )
        nodes.append(helper.make_node("Constant", [], [f"c{k}"], value=zeros))
        nodes.append(helper.make_node("Add", [f"c{k}", "mean"], [f"o{k}"]))
        outputs.append(helper.make_tensor_value_info(f"o{k}", TensorProto.FLOAT, shape))
    graph = helper.make_graph(nodes, spec.name, [feed], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, file)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for spec in SPECS.values():
        write(tmp_path / f"{spec.name}.onnx", spec)
    return tmp_path


def test_outputs_come_in_order_as_float32(directory: Path) -> None:
    nets = Nets(directory)
    nets.warm_up()
    for spec in SPECS.values():
        outputs = nets(spec.name, np.ones(spec.feed, np.float32))
        assert tuple(o.shape for o in outputs) == spec.outputs
        assert all(o.dtype == np.float32 and np.allclose(o, 1, atol=1e-3) for o in outputs)


def test_only_the_named_nets_are_loaded(directory: Path) -> None:
    nets = Nets(directory, ["mesh"])
    with pytest.raises(KeyError):
        nets("spoof", np.zeros(SPECS["spoof"].feed, np.float32))


def test_threads_share_one_set_of_nets(directory: Path) -> None:
    nets = Nets(directory, ["mesh"])

    def mean(value: int) -> float:
        return float(nets("mesh", np.full(SPECS["mesh"].feed, value, np.float32))[1][0, 0])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(mean, range(40))) == pytest.approx(list(range(40)), rel=1e-3)


def test_a_missing_net_is_named(directory: Path) -> None:
    (directory / "embed.onnx").unlink()
    with pytest.raises(NetUnusable, match="embed") as caught:
        Nets(directory)
    assert caught.value.code == "net_missing"


def test_a_broken_net_is_named(directory: Path) -> None:
    (directory / "mesh.onnx").write_bytes(b"not a net")
    with pytest.raises(NetUnusable, match="mesh") as caught:
        Nets(directory)
    assert caught.value.code == "net_broken"


def test_another_net_under_the_name_is_refused(directory: Path) -> None:
    (directory / "detect.onnx").write_bytes((directory / "spoof.onnx").read_bytes())
    with pytest.raises(NetUnusable, match="detect") as caught:
        Nets(directory)
    assert caught.value.code == "net_wrong"


def test_what_is_expected_is_what_the_manifest_promises() -> None:
    promised = {**manifest.load(), **manifest.load_more()}
    assert promised.keys() == ALL.keys()
    for name, spec in ALL.items():
        assert promised[name].input.shape == spec.feed
        assert tuple(o.shape for o in promised[name].outputs) == spec.outputs


@pytest.mark.models
def test_the_converted_nets_are_accepted(nets: Nets) -> None:
    for name, spec in SPECS.items():
        outputs = nets(name, np.zeros(spec.feed, np.float32))
        assert tuple(o.shape for o in outputs) == spec.outputs
