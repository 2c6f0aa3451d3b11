"""A covered mouth, on photographs of two people with things put on them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.nets import Image
from pipeline.sight.mouth import mouth
from pipeline.synth.portrait import Portrait
from pipeline.synth.worn import wearing
from tests.pipeline.portraits import anna, berta, photo  # noqa: F401


def seen(person: Portrait, photo_: Image) -> float:
    found = mouth(np.ascontiguousarray(photo_), person.mesh_px)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["anna", "berta"])
def test_a_bare_mouth_is_seen_in_any_light(name: str, request: pytest.FixtureRequest) -> None:
    person: Portrait = request.getfixturevalue(name)
    bare = seen(person, person.photo)
    assert bare > 1.2
    for gain in (0.4, 0.7):
        dim = (person.photo * gain).astype(np.uint8)
        assert seen(person, dim) > 1.1


@pytest.mark.parametrize("name", ["anna", "berta"])
@pytest.mark.parametrize("things", [("hat",), ("glasses",)])
def test_what_leaves_the_mouth_bare_is_none(
    name: str, things: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    person: Portrait = request.getfixturevalue(name)
    assert seen(person, wearing(person, things).photo) > 1.0


@pytest.mark.parametrize("name", ["anna", "berta"])
def test_a_mask_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    person: Portrait = request.getfixturevalue(name)
    assert seen(person, wearing(person, ("mask",)).photo) < 1.0


def test_too_small_or_outside_is_no_number() -> None:
    grey = np.full((100, 100, 3), 90, np.uint8)
    point = np.full((468, 3), 50, np.float32)
    assert mouth(grey, point) is None
    spread = np.random.default_rng(1).uniform(0, 60, (468, 3)).astype(np.float32)
    assert mouth(grey, spread + 500) is None
    found = mouth(grey, spread + 20)
    assert found is not None
    assert found < 1.0
