from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import quality
from pipeline.observation import Face, Roi
from tests.pipeline.observations import margins

GOOD: dict[str, Any] = {
    "eyes_px": 100.0,
    "yaw_deg": 3.0,
    "pitch_deg": -5.0,
    "roll_deg": 2.0,
    "sharpness": 300.0,
    "luma": 125.0,
    "clipped": 0.0,
    "inside": 1.0,
    "score": 1.0,
    "detection": 0.93,
    "agreement": 0.09,
}

WORSE = {
    "small": ({"eyes_px": 14.0}, {"eyes_px": 20.0}),
    "yaw": ({"yaw_deg": -36.0}, {"yaw_deg": 28.0}),
    "pitch": ({"pitch_deg": 31.0}, {"pitch_deg": -24.0}),
    "roll": ({"roll_deg": -48.0}, {"roll_deg": 38.0}),
    "blur": ({"sharpness": 12.0}, {"sharpness": 30.0}),
    "dark": ({"luma": 18.0, "sharpness": 30.0}, {"luma": 35.0, "sharpness": 60.0}),
    "bright": ({"luma": 245.0, "clipped": 0.8}, {"luma": 228.0, "clipped": 0.3}),
    "cut": ({"inside": 0.72}, {"inside": 0.85}),
    "covered": ({"agreement": 0.4}, {"agreement": 0.3}),
}


def grade(**values: Any) -> float:
    return quality.grade(quality.Appearance(**values))


def face(**changes: Any) -> Face:
    """A face with the given measurements."""
    values = {**GOOD, **changes}
    rigid = np.zeros((28, 3), np.float32)
    rigid[1, 0] = values.pop("eyes_px")
    return Face(
        box_px=(0, 0, 100, 130),
        same=True,
        shape_px=np.zeros((118, 2), np.float32),
        rigid_px=rigid,
        roi=Roi(50, 65, 195, 0),
        chroma=40.0,
        quality=0.5,
        embedding=None,
        spoof=None,
        **values,
    )


def test_a_clean_webcam_frame_is_worth_everything() -> None:
    assert grade(**GOOD) == 1
    assert grade(**GOOD | {"detection": None, "agreement": math.nan}) == 1


@pytest.mark.parametrize("name", WORSE)
def test_each_fault_lowers_the_grade_step_by_step_and_is_named(name: str) -> None:
    bad, fair = WORSE[name]
    assert grade(**GOOD | bad) < 0.35 < grade(**GOOD | fair) < 1
    assert quality.fault(face(**bad)) == name
    assert quality.fault(face(**fair)) == name


def test_the_worst_of_two_faults_is_named() -> None:
    assert quality.fault(face(**WORSE["small"][1] | WORSE["yaw"][0])) == "yaw"
    assert quality.fault(face(**WORSE["small"][0] | WORSE["yaw"][1])) == "small"


def test_a_dim_face_is_dark_and_not_blurred() -> None:
    # half the light is a quarter of the Laplacian's variance, and no blur
    assert quality.fault(face(luma=30.0, sharpness=20.0)) == "dark"
    assert quality.fault(face(luma=125.0, sharpness=20.0)) == "blur"


def test_lost_pixels_are_blamed_on_the_nearer_end() -> None:
    assert quality.fault(face(luma=60.0, clipped=0.7)) == "dark"
    assert quality.fault(face(luma=200.0, clipped=0.7)) == "bright"


def test_a_low_score_or_detection_alone_means_covered() -> None:
    assert quality.fault(face(score=0.75)) == "covered"
    assert quality.fault(face(detection=0.75)) == "covered"


def test_what_the_frame_cuts_off_is_cut_and_not_covered() -> None:
    assert quality.fault(face(agreement=0.4, inside=0.92)) == "cut"


def test_a_face_that_fills_the_frame_is_too_large() -> None:
    cut = replace(face(**WORSE["cut"][0]), spoof=margins(4.0, reach=1.1))
    assert quality.fault(cut) == "large"
    assert quality.fault(replace(cut, spoof=margins(4.0, reach=1.3))) == "cut"
    assert quality.fault(replace(face(**WORSE["blur"][0]), spoof=margins(4.0, reach=1.1))) == "blur"
    assert quality.fault(replace(face(**WORSE["yaw"][0]), spoof=margins(4.0))) == "yaw"


@given(st.fixed_dictionaries({name: st.floats(width=32) for name in GOOD}))
def test_any_numbers_give_a_grade_between_0_and_1(values: dict[str, float]) -> None:
    assert 0 <= grade(**values) <= 1


@pytest.mark.parametrize("name", sorted(set(GOOD) - {"agreement", "detection"}))
def test_what_could_not_be_measured_is_worth_nothing(name: str) -> None:
    assert grade(**GOOD | {name: math.nan}) == 0
