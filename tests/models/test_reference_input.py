from __future__ import annotations

import hashlib

import numpy as np

from models.manifest import Input
from models.reference_input import picture, tensor


def test_the_picture_never_changes() -> None:
    # the stored references stand on these bytes
    digest = hashlib.sha256(picture(64, 20260101).tobytes()).hexdigest()
    assert digest == "aa9cbecfadefd88d1b542302377ed82d717865fb1f7d6132d2d79b538d774151"


def test_the_picture_depends_on_the_seed_and_is_not_flat() -> None:
    a, b = picture(64, 1), picture(64, 2)
    assert a.shape == (64, 64, 3)
    assert (a != b).mean() > 0.5
    assert a.std() > 20


def test_the_tensor_keeps_the_contract() -> None:
    bgr = picture(8, 1)
    planes = tensor(Input("image", (1, 3, 8, 8), "NCHW", "BGR", 1.0), 1)
    assert planes.dtype == np.float32
    np.testing.assert_array_equal(planes[0, 2], bgr[:, :, 2])
    pixels = tensor(Input("image", (1, 8, 8, 3), "NHWC", "RGB", 1 / 255), 1)
    np.testing.assert_allclose(pixels[0, :, :, 0] * 255, bgr[:, :, 2], rtol=1e-6)
    assert pixels.flags.c_contiguous
