from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.template import MAGIC, Gallery, Template, pooled
from tests.pipeline.observations import gallery, identity, near, template


def test_pooling_gives_the_unit_mean():
    rows = [near(identity(1), 0.8, k) for k in range(5)]
    centre = pooled(rows)
    assert centre.dtype == np.float32
    assert np.linalg.norm(centre) == pytest.approx(1.0, abs=1e-6)
    assert centre @ identity(1) > max(row @ identity(1) for row in rows)


@pytest.mark.parametrize("rows", [[], [np.zeros(4, np.float32)], [np.eye(4)[0], -np.eye(4)[0]]])
def test_pooling_refuses_what_has_no_direction(rows):
    with pytest.raises(ValueError, match=r"embedding"):
        pooled(rows)


def test_a_template_survives_its_bytes():
    made = template(3)
    assert Template.from_bytes(made.to_bytes()) == made


@given(st.binary(max_size=200))
def test_foreign_bytes_are_a_value_error(data):
    with pytest.raises(ValueError, match="not a template"):
        Template.from_bytes(data)


@given(st.integers(0, 2000), st.integers(1, 255))
def test_a_damaged_template_is_refused_or_harmless(place, flip):
    data = bytearray(template(3).to_bytes())
    data[place % len(data)] ^= flip
    try:
        read = Template.from_bytes(bytes(data))
    except ValueError:
        return
    assert np.isfinite(read.embeddings).all()


@pytest.mark.parametrize("shape", ["[1e999, 128]", "[1, null]", "[" * 10_000, '"12"'])
def test_a_header_that_says_what_cannot_be_is_a_value_error(shape):
    header = b'{"model": "sface", "quality": 0.5, "shape": ' + shape.encode() + b"}"
    data = MAGIC + struct.pack("<I", len(header)) + header + bytes(512)
    with pytest.raises(ValueError, match="not a template"):
        Template.from_bytes(data)


def test_a_truncated_template_is_refused():
    data = template(3).to_bytes()
    for end in range(0, len(data), 97):
        with pytest.raises(ValueError, match="not a template"):
            Template.from_bytes(data[:end])


def test_a_face_does_not_leak_through_repr():
    text = repr(template(1)) + repr(gallery(1, 2))
    assert "0." not in text
    assert "array" not in text


def test_the_nearest_subject_and_the_runner_up():
    people = gallery(1, 2, 3)
    match = people.best(near(identity(2), 0.9, 5))
    assert match is not None
    assert match.subject == "person-2"
    assert match.score > 0.8
    scores = people.matrix @ near(identity(2), 0.9, 5)
    assert match.margin == pytest.approx(np.sort(scores)[-1] - np.sort(scores)[-2], abs=1e-6)


def test_one_template_has_no_runner_up_and_none_has_no_match():
    match = gallery(1).best(identity(1))
    assert match is not None
    assert match.margin == 2.0
    assert Gallery.of([]).best(identity(1)) is None
    assert len(Gallery.of([])) == 0


def test_matching_does_not_change_the_gallery():
    people = gallery(1, 2)
    before = people.matrix.copy()
    people.best(identity(1))
    people.best(identity(2))
    assert np.array_equal(before, people.matrix)
