from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from pipeline.frame import Frame
from pipeline.nets import Floats
from pipeline.nets.iris import EYES, SPEC, openness
from pipeline.observation import Ask
from pipeline.see import see
from tests.pipeline.sight.faces import mesh, texture
from tests.pipeline.stub import Stub

FACE = mesh(320, 240, 200)


def contour(gap: float, width: float = 28.0) -> tuple[Floats, Floats]:
    """The net's answer for an eye whose lids are `gap` pixels apart."""
    eye = np.zeros((1, 71, 3), np.float32)
    x = np.linspace(32 - width / 2, 32 + width / 2, 9)
    eye[0, :9, 0], eye[0, :9, 1] = x, 32
    eye[0, 1:8, 1] = 32 + gap / 2
    eye[0, 9:16, 0], eye[0, 9:16, 1] = x[1:8], 32 - gap / 2
    return eye, np.zeros((1, 5, 3), np.float32)


@pytest.mark.parametrize("gap", [0.0, 4.0, 9.8])
def test_openness_is_gap_over_width(gap: float) -> None:
    run = Stub(iris=contour(gap))
    assert openness(texture(), FACE, run) == pytest.approx((gap / 28, gap / 28))
    assert run.calls == ["iris", "iris"]


class Recorder(Stub):
    """Keeps every crop."""

    def __call__(self, net: str, feed: Floats) -> tuple[Floats, ...]:
        self.fed = [*getattr(self, "fed", []), feed.copy()]
        return super().__call__(net, feed)


def test_the_right_eye_is_shown_as_a_left_one() -> None:
    image = cv2.GaussianBlur(texture(), (0, 0), 3).astype(np.uint8)
    mirror, swapped = np.ascontiguousarray(image[:, ::-1]), FACE.copy()
    swapped[:, 0] = 639 - FACE[:, 0]
    ids = np.array(EYES)
    # a mirrored face's corners change places: left outer with right outer, inner with inner
    swapped[ids.reshape(-1)] = swapped[ids[::-1, ::-1].reshape(-1)]
    plain, other = Recorder(iris=contour(5)), Recorder(iris=contour(5))
    openness(image, FACE, plain)
    openness(mirror, swapped, other)
    for one, two in zip(plain.fed, other.fed[::-1], strict=True):
        assert one.shape == SPEC.feed
        assert 0 <= one.min() <= one.max() <= 1
        assert np.abs(one - two).max() < 0.02
    assert np.abs(plain.fed[0] - plain.fed[1]).max() > 0.1


def test_a_turned_head_has_level_eyes() -> None:
    turned = cv2.getRotationMatrix2D((320, 240), -25, 1)
    image = cv2.GaussianBlur(texture(), (0, 0), 3).astype(np.uint8)
    rotated = cv2.warpAffine(image, turned, (640, 480)).astype(np.uint8)
    plain, other = Recorder(iris=contour(5)), Recorder(iris=contour(5))
    openness(image, FACE, plain)
    openness(rotated, mesh(320, 240, 200, 25), other)
    for one, two in zip(plain.fed, other.fed, strict=True):
        assert np.abs(one - two).mean() < 0.01


def test_the_colours_are_red_first() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[..., 2] = 255
    run = Recorder(iris=contour(5))
    openness(image, FACE, run)
    assert (run.fed[0] == np.array([1, 0, 0], np.float32)).all()


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, 1e9])
def test_a_broken_answer_is_not_measured(value: float) -> None:
    answer = tuple(np.full(shape, value, np.float32) for shape in SPEC.outputs)
    assert openness(texture(), FACE, Stub(iris=answer)) is None


@pytest.mark.parametrize(("x", "width"), [(320, 20), (-20, 200), (660, 200), (5000, 200)])
def test_an_eye_that_cannot_be_seen_is_not_measured(x: float, width: float) -> None:
    assert openness(texture(), mesh(x, 240, width), Stub(iris=contour(5))) is None


@pytest.mark.models
def test_open_eyes_are_open_and_a_mirror_swaps_them(nets, frames) -> None:
    pairs = []
    for frame in frames("cap12", 10, 40):
        mirrored = Frame(np.ascontiguousarray(frame.image[:, ::-1]), 0, 0.0, 0.0)
        ask = Ask(detect=True, eyes=True)
        faces = [see(one, ask, nets).face for one in (frame, mirrored)]
        eyes = [face.eyes for face in faces if face is not None and face.eyes is not None]
        if len(eyes) == 2:
            pairs.append((*eyes[0], *eyes[1][::-1]))
    seen = np.array(pairs)
    assert len(seen) >= 8
    assert 0.15 < np.median(seen) < 0.5
    assert np.median(np.abs(seen[:, :2] - seen[:, 2:])) < 0.04


@pytest.mark.models
def test_a_blink_is_a_dip_of_both_eyes(nets, frames) -> None:
    roi, eyes = None, []
    for frame in frames("franck", 150, 1):
        face = see(frame, Ask(detect=roi is None, roi=roi, eyes=True), nets).face
        roi = None if face is None else face.roi
        if face is not None and face.eyes is not None:
            eyes.append(face.eyes)
    seen = np.array(eyes)
    assert len(seen) > 140
    lowest = seen[seen.mean(1).argmin()]
    assert (lowest < 0.6 * np.median(seen, axis=0)).all()
