from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tflite

from models.check import Expected, Reference, check
from models.convert import convert
from models.errors import ModelError
from models.manifest import Input, Output
from models.reference_input import tensor
from tests.models import tiny
from tests.models.tiny_tflite import Net as Tflite

DATA = tiny.onnx_net()
NET = tiny.net(tiny.source(b""), DATA, b"")


def _reference(**changes: Any) -> Reference:
    x = tensor(NET.input, 7) - 128
    y = np.where(x > 0, x, x * np.array([0.25, 2, 3], np.float32).reshape(3, 1, 1)).ravel()
    expected = {"step": 3, "values": y[::3], "magnitude": float(np.abs(y).sum())} | changes
    return Reference("by hand", 7, {"out": Expected(**expected)})


def test_names_and_shapes_become_the_manifests_and_bytes_repeat() -> None:
    converted = convert(NET, DATA)
    assert converted == convert(NET, DATA)
    assert check(NET, converted, _reference()) < 1e-5


def test_a_tflite_output_is_reshaped_to_the_manifests_shape() -> None:
    net = Tflite()
    given = net.activation(1, 1, 1, 6)
    slope = net.constant(np.full((1, 1, 6), 0.5, np.float32))
    net.op(tflite.BuiltinOperator.PRELU, [given, slope], net.activation(1, 1, 1, 6))
    declared = replace(
        NET,
        conversion="tflite",
        input=Input("image", (1, 1, 1, 6), "NHWC", "RGB", 1.0),
        outputs=(Output("points", (1, 2, 3), "out0", ""),),
    )
    x = np.array([[[[-2, -1, 0, 1, 2, 3]]]], np.float32)
    (got,) = tiny.run(convert(declared, net.data()), x)
    np.testing.assert_array_equal(got, [[[-1, -0.5, 0], [1, 2, 3]]])
    wrong = replace(declared, outputs=(Output("points", (1, 2, 4), "out0", ""),))
    with pytest.raises(ModelError, match="cannot become"):
        convert(wrong, net.data())


@pytest.mark.parametrize(
    "changes",
    [
        {"conversion_version": 99},
        {"outputs": (Output("out", (1, 3, 4, 4), "z", ""),)},
        {"outputs": ()},
    ],
)
def test_a_manifest_that_does_not_fit_the_net_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError) as caught:
        convert(replace(NET, **changes), DATA)
    assert caught.value.code == "model_unsupported"


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        (_reference(values=np.full(16, 1e6, np.float32)), "off by"),
        (_reference(magnitude=0.0), "off by"),
        (Reference("by hand", 7, {"other": Expected(1, np.zeros(1, np.float32), 0.0)}), "outputs"),
    ],
)
def test_a_net_that_misses_its_reference_is_refused(reference: Reference, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        check(NET, convert(NET, DATA), reference)
    assert caught.value.code == "model_check_failed"
    assert says in caught.value.text


def test_a_net_that_does_not_run_or_is_not_finite_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot run"):
        check(NET, b"not a net", _reference())
    broken = tiny.onnx_net(slope=float("nan"))
    with pytest.raises(ModelError, match="finite"):
        check(NET, convert(NET, broken), _reference())
    renamed = replace(NET, outputs=(Output("other", (1, 3, 4, 4), "y", ""),))
    with pytest.raises(ModelError, match="outputs"):
        check(NET, convert(renamed, DATA), _reference())
