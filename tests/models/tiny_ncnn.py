"""An ncnn net small enough to be made in a test, with every kind of layer that the reader knows."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

TEXT = """7767517
14 15
Input in 0 1 data 0=4 1=4 2=3
Convolution conv 1 1 data c 0=2 1=3 11=3 2=1 3=1 4=1 5=1 6=54
BatchNorm norm 1 1 c n 0=2
Scale scale 1 1 n s 0=2 1=1
PReLU bend 1 1 s p 0=2
Split split 1 2 p p_0 p_1
ConvolutionDepthWise deep 1 1 p_1 d 0=2 1=3 2=1 3=1 4=1 5=0 6=18 7=2
Scale plain 1 1 d e 0=2
Eltwise add 2 1 p_0 e a 0=1 -23301=0
ConvolutionDepthWise view 1 1 a v 0=2 1=4 2=1 3=1 4=0 5=0 6=32 7=2
Flatten flat 1 1 v f
Dropout drop 1 1 f g
InnerProduct full 1 1 g logits 0=3 1=1 2=6
Softmax soft 1 1 logits out 0=0
"""

_random = np.random.default_rng(7)


def _numbers(*shape: int) -> Array:
    return _random.normal(size=shape).astype(np.float32)


CONV, CONV_BIAS = _numbers(2, 3, 3, 3), _numbers(2)
SLOPE, MEAN, VARIANCE, BIAS = _numbers(2), _numbers(2), np.exp(_numbers(2)), _numbers(2)
FACTOR, SHIFT = _numbers(2), _numbers(2)
BEND = _numbers(2)
DEEP, FACTOR2 = _numbers(2, 3, 3), _numbers(2)
VIEW = _numbers(2, 4, 4)
FULL, FULL_BIAS = _numbers(3, 2), _numbers(3)
TAG = bytes(4)
WEIGHTS = b"".join(
    [
        TAG,
        *(a.tobytes() for a in (CONV, CONV_BIAS, SLOPE, MEAN, VARIANCE, BIAS)),
        *(a.tobytes() for a in (FACTOR, SHIFT, BEND)),
        TAG,
        DEEP.tobytes(),
        FACTOR2.tobytes(),
        TAG,
        VIEW.tobytes(),
        TAG,
        FULL.tobytes(),
        FULL_BIAS.tobytes(),
    ]
)


def logits(x: Array) -> Array:
    """What the net gives for float32 (1, 3, 4, 4), by loops and the definitions alone."""

    def convolved(planes: Array, kernels: Array, pad: int) -> Array:
        around = np.pad(planes.astype(np.float64), ((0, 0), (pad, pad), (pad, pad)))
        k = kernels.shape[-1]
        n = around.shape[1] - k + 1
        out = np.zeros((len(kernels), n, n))
        for c, kernel in enumerate(kernels):
            for i in range(n):
                for j in range(n):
                    out[c, i, j] = (around[:, i : i + k, j : j + k] * kernel).sum()
        return out

    def each(planes: Array, kernels: Array, pad: int) -> Array:
        return np.concatenate(
            [convolved(planes[c : c + 1], kernels[c][None, None], pad) for c in range(len(kernels))]
        )

    def wide(values: Array) -> Array:
        return values[:, None, None]

    c = convolved(x[0], CONV, 1) + wide(CONV_BIAS)
    n = wide(SLOPE) * (c - wide(MEAN)) / np.sqrt(wide(VARIANCE)) + wide(BIAS)
    s = n * wide(FACTOR) + wide(SHIFT)
    p = np.where(s > 0, s, s * wide(BEND))
    a = p + each(p, DEEP, 1) * wide(FACTOR2)
    f = each(a, VIEW, 0).reshape(-1)
    return np.asarray(FULL @ f + FULL_BIAS)[None]
