"""Conversion: formats, sizes, colours."""

from __future__ import annotations

import sys

import av
import numpy as np
import pytest

from server.frames.convert import fit, to_bgr, to_frame
from tests.server.pictures import number, paint


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "nv12", "yuyv422", "rgb24", "yuv444p"])
@pytest.mark.parametrize("size", [(320, 240), (322, 242), (240, 320)])
def test_every_format_becomes_the_same_bgr(pix_fmt: str, size: tuple[int, int]) -> None:
    painted = paint(597, *size)
    picture = av.VideoFrame.from_ndarray(painted, format="bgr24").reformat(format=pix_fmt)
    frame = to_frame(picture, 4, 10.5, 0.25)
    assert (frame.seq, frame.arrival_s, frame.media_s) == (4, 10.5, 0.25)
    assert frame.image.dtype == np.uint8
    assert frame.image.flags.c_contiguous
    assert frame.image.shape == (size[1], size[0], 3)
    assert number(frame.image) == 597
    assert np.abs(frame.image.astype(int) - painted).mean() < 4


@pytest.mark.parametrize("size", [(161, 121), (33, 17), (2, 2), (640, 361)])
def test_odd_sizes_are_kept(size: tuple[int, int]) -> None:
    picture = av.VideoFrame(size[0], size[1], "yuv420p")
    for plane, value in zip(picture.planes, (126, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    image = to_bgr(picture)
    assert image.shape == (size[1], size[0], 3)
    # swscale rounds differently where it takes its slow path for odd heights.
    assert np.all(np.abs(image.astype(int) - 128) <= 2), "limited range becomes full range"


def test_black_and_white_of_limited_range_are_full_range() -> None:
    for luma, grey in ((16, 0), (235, 255)):
        picture = av.VideoFrame(64, 48, "yuv420p")
        for plane, value in zip(picture.planes, (luma, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        assert np.all(np.abs(to_bgr(picture).astype(int) - grey) <= 1)


def test_large_pictures_are_made_smaller_and_small_ones_are_not_made_larger() -> None:
    assert to_bgr(av.VideoFrame(3840, 2160, "yuv420p")).shape == (1080, 1920, 3)
    picture = av.VideoFrame.from_ndarray(paint(3, 1920, 1080), format="bgr24")
    assert to_bgr(picture).shape == (1080, 1920, 3)
    assert to_bgr(picture, 1280).shape == (720, 1280, 3)
    assert fit(1080, 1920, 1280) == (720, 1280)
    assert fit(640, 480, 1280) == (640, 480)
    assert fit(5000, 1, 1280) == (1280, 1)


def test_nobody_keeps_a_picture_that_was_converted() -> None:
    """A picture in a ring of objects stays until the collector comes by, half a megabyte each."""
    picture = av.VideoFrame(64, 48, "yuv420p")
    before = sys.getrefcount(picture)
    to_bgr(picture)
    assert sys.getrefcount(picture) == before
