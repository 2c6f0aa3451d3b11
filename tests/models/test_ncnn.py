from __future__ import annotations

import numpy as np
import pytest

from models import graph, ncnn
from models.errors import ModelError
from tests.models import tiny, tiny_ncnn
from tests.models.tiny_ncnn import TEXT, WEIGHTS

NAN = np.float32("nan").tobytes()


def _net(text: str = TEXT, weights: bytes = WEIGHTS, ends: tuple[str, ...] = ("logits",)) -> bytes:
    proto = ncnn.read(text.encode(), weights, ends)
    (given,) = proto.graph.input
    del proto.graph.input[:]
    proto.graph.input.append(graph.value(given.name, (1, 3, 4, 4)))
    outputs = [o.name for o in proto.graph.output]
    del proto.graph.output[:]
    proto.graph.output.extend(graph.value(name, (1, 3)) for name in outputs)
    return graph.serialise(proto, "net")


def _refusal(text: str = TEXT, weights: bytes = WEIGHTS) -> str:
    with pytest.raises(ModelError) as caught:
        ncnn.read(text.encode(), weights, ("logits",))
    assert caught.value.code == "model_unsupported"
    return caught.value.text


def test_every_layer_computes_what_it_means() -> None:
    x = np.random.default_rng(3).normal(size=(1, 3, 4, 4)).astype(np.float32)
    (found,) = tiny.run(_net(), x)
    assert found == pytest.approx(tiny_ncnn.logits(x), rel=1e-4, abs=1e-5)


def test_a_softmax_is_one() -> None:
    x = np.random.default_rng(3).normal(size=(1, 3, 4, 4)).astype(np.float32)
    (found,) = tiny.run(_net(ends=("out",)), x)
    powers = np.exp(tiny_ncnn.logits(x))
    assert found == pytest.approx(powers / powers.sum(), rel=1e-4)


def test_what_only_others_need_is_left_out() -> None:
    assert b"Softmax" not in _net()
    assert b"Softmax" in _net(ends=("out",))


def test_an_epsilon_is_added_to_the_variance() -> None:
    plain = _net()
    assert _net(TEXT.replace("c n 0=2", "c n 0=2 1=0.000000e+00")) == plain
    assert _net(TEXT.replace("c n 0=2", "c n 0=2 1=1.000000e-01")) != plain


def test_every_cut_of_the_weights_is_refused() -> None:
    for end in range(len(WEIGHTS)):
        assert "weights end before those of" in _refusal(weights=WEIGHTS[:end])


def test_weights_that_no_layer_asks_for_are_refused() -> None:
    assert "4 bytes of weights belong to no layer" in _refusal(weights=WEIGHTS + bytes(4))


def test_packed_weights_are_refused() -> None:
    half = (0x01306B47).to_bytes(4, "little")
    assert "packed in those of conv" in _refusal(weights=half + WEIGHTS[4:])


def test_a_weight_that_is_no_number_is_refused() -> None:
    assert "a weight of conv is no number" in _refusal(weights=bytes(4) + NAN + WEIGHTS[8:])


def test_a_variance_of_nothing_is_refused() -> None:
    at = 4 + 4 * (54 + 2 + 2 + 2)
    text = _refusal(weights=WEIGHTS[:at] + bytes(8) + WEIGHTS[at + 8 :])
    assert "norm has a variance" in text


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("Softmax soft", "Sigmoid soft", "of the kind Sigmoid, which is not known"),
        ("7767517", "7767518", "does not begin with 7767517"),
        ("14 15", "14", "two counts"),
        ("14 15", "13 15", "says that it has 13 layers"),
        ("14 15", "14 16", "says that it has 16 blobs"),
        ("14 15", "999999999 15", "says that it has 999999999 layers"),
        ("14 15", "-1 15", "says that it has -1 layers"),
        ("14 15", "x 15", "a count is no number"),
        ("conv 1 1 data", "conv 1 1 date", "reads date, which no layer before it makes"),
        ("conv 1 1 data c", "conv 1 1 data data", "two layers make data"),
        ("conv 1 1 data c", "conv 2 1 data data c", "conv reads 2 blobs"),
        ("split 1 2 p p_0 p_1", "split 1 99 p p_0 p_1", "the line of split is too short"),
        ("split 1 2 p p_0 p_1", "split 1 -1 p p_0 p_1", "the line of split is too short"),
        ("conv 1 1 data c 0=2", "conv 1 1 data c 0=5", "conv has 54 weights for 5 channels"),
        ("5=1 6=54", "5=2 6=54", "conv has the option 5=2"),
        ("5=1 6=54", "5=1 6=54 8=1", "the option 8, which is not known of Convolution"),
        ("5=1 6=54", "5=1 6=54 6=54", "the option 6=54"),
        ("5=1 6=54", "5=1 6=999999999", "conv has the option 6="),
        ("5=1 6=54", "5=1 6=16777206", "conv wants 932067 channels of data"),
        ("5=1 6=54", "5=1 6=-54", "conv has the option 6=-54"),
        ("5=1 6=54", "5=1 6=nan", "the option 6=nan"),
        ("5=1 6=54", "5=1 6=54 13=99999", "conv has the option 13=99999"),
        ("4=1 5=1", "4=-233 5=1", "conv has the option 4=-233"),
        ("6=18 7=2", "6=18 7=3", "deep has 18 weights for 2 channels"),
        ("d e 0=2", "d e 0=1", "plain wants 1 channels of d"),
        ("Scale plain 1 1 d e", "Scale plain 1 1 p_1 e", "plain follows no convolution"),
        ("s p 0=2", "s p 0=1", "bend wants 1 channels of s"),
        ("a 0=1 -23301=0", "a 0=0 -23301=0", "add is no plain sum"),
        ("a 0=1 -23301=0", "a 0=1 -23301=2", "add is no plain sum"),
        ("f g", "f g 0=5.000000e-01", "drop scales what it leaves"),
        ("g logits 0=3", "g logits 0=4", "full has 6 weights for 4 numbers"),
        ("logits out 0=0", "logits out 0=1", "soft is a Softmax over another axis"),
        ("Softmax soft", "Softmax s\x00ft", "a line is no layer"),
        ("Softmax soft", "Softmax sôft", "is no text"),
    ],
)
def test_what_is_not_known_is_refused_by_name(old: str, new: str, why: str) -> None:
    assert TEXT.count(old) == 1
    assert why in _refusal(TEXT.replace(old, new))


def test_nothing_is_allocated_for_what_a_text_only_says() -> None:
    """A layer of 64 MB in a file of a few hundred bytes ends as a refusal."""
    text = TEXT.replace("g logits 0=3 1=1 2=6", "g logits 0=3 1=1 2=16777215")
    assert "weights end before those of full" in _refusal(text)


def test_too_long_a_text_and_too_many_weights_are_refused() -> None:
    assert "too long" in _refusal(TEXT + " " * ncnn.MOST_TEXT)
    assert "weights have more than" in _refusal(weights=bytes(4 * ncnn.MOST_WEIGHTS + 1))


def test_two_inputs_and_an_unknown_end_are_refused() -> None:
    two = TEXT.replace("14 15", "15 16").replace("Softmax", "Input more 0 1 data2\nSoftmax")
    assert "2 inputs" in _refusal(two)
    with pytest.raises(ModelError, match="no nose"):
        ncnn.read(TEXT.encode(), WEIGHTS, ("nose",))
