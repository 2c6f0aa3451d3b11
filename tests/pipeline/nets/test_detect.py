from __future__ import annotations

import numpy as np
import pytest

from pipeline.nets import detect
from tests.pipeline.stub import Stub, a_face, put


@pytest.mark.parametrize(
    ("width", "height", "scale"),
    [(640, 480, 0.5), (1920, 1080, 1 / 6), (480, 640, 0.5), (64, 64, 5.0), (333, 517, 320 / 517)],
)
def test_letterbox_keeps_shape_and_scale(width: int, height: int, scale: float) -> None:
    image = np.full((height, width, 3), (10, 20, 30), np.uint8)
    feed, got = detect.letterbox(image)
    assert got == pytest.approx(scale)
    wide, high = round(width * scale), round(height * scale)
    assert (feed[0, :, :high, :wide] == np.array([10, 20, 30])[:, None, None]).all()
    assert feed[0, :, high:].sum() == feed[0, :, :, wide:].sum() == 0


def test_letterbox_averages_what_it_drops() -> None:
    # one-pixel stripes at 1920 wide must come out grey, not as an alias
    image = np.zeros((1080, 1920, 3), np.uint8)
    image[:, ::2] = 255
    feed, _ = detect.letterbox(image)
    assert 110 < feed[0, :, :180].min() <= feed[0, :, :180].max() < 145


def test_decode_returns_frame_pixels() -> None:
    (found,) = detect.decode(tuple(a_face(300, 200, 120, 0.5)), 0.5)
    x, y, w, h = found.box_px
    assert (x + w / 2, y + h / 2, w, h) == pytest.approx((300, 200, 120, 156), abs=0.1)
    assert found.score == pytest.approx(0.9)
    eyes = found.points_px[:2]
    assert eyes[0] == pytest.approx([300 - 24, 200 - 18], abs=0.1)
    assert eyes[1, 0] > eyes[0, 0]


def test_overlapping_boxes_are_one_face_and_the_widest_comes_first() -> None:
    out = a_face(100, 100, 100, 0.5)
    put(out, 132, 100, 100, 0.5, 0.7)  # the neighbour cell's echo: more than half is shared
    put(out, 200, 100, 90, 0.5, 0.8)  # another face beside it
    put(out, 400, 300, 150, 0.5, 0.65)
    found = detect.decode(tuple(out), 0.5)
    assert [d.box_px[2] for d in found] == pytest.approx([150, 100, 90], abs=0.1)
    assert found[1].score == pytest.approx(0.9)


def test_low_and_broken_scores_are_no_faces() -> None:
    out = a_face(100, 100, 60, 1.0)
    out[1][:] *= 0.3
    assert detect.decode(tuple(out), 1.0) == []
    out = a_face(100, 100, 60, 1.0)
    out[7][:] = np.nan
    assert detect.decode(tuple(out), 1.0) == []
    out[1][:] = np.nan
    assert detect.decode(tuple(out), 1.0) == []


def test_work_is_bounded_when_every_cell_says_face() -> None:
    ones = tuple(np.ones(shape, np.float32) for shape in detect.SPEC.outputs)
    assert len(detect.decode(ones, 1.0)) <= detect.MAX_FACES


def test_detect_asks_its_net_once() -> None:
    run = Stub(detect=tuple(a_face(160, 120, 80, 0.5)))
    (found,) = detect.detect(np.zeros((480, 640, 3), np.uint8), run)
    assert run.calls == ["detect"]
    assert found.box_px[2] == pytest.approx(80, abs=0.1)
