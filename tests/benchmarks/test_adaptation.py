"""Walks towards other people, on made faces: how near a template comes that follows logins."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.adaptation import (
    MATCH,
    drift,
    gains,
    step,
    toward,
    walks,
)  # fmt: skip
from benchmarks.template_protection import Faces
from pipeline.template import Template, pooled
from server.adaptation import MOST_DEG, moved_deg
from tests.pipeline.observations import identity, template

FIRST = template(1)
CENTRE = pooled(FIRST.embeddings)


def test_a_thousand_hostile_steps_do_not_arrive_at_another_person() -> None:
    """The other person has the score of the most alike pair of the measured people, .39."""
    other, now = toward(CENTRE, identity(9), 0.39), FIRST
    assert drift(CENTRE, other, 3) == pytest.approx(1.0, abs=1e-5)  # what a naive rule comes to
    best = -1.0
    for _ in range(1000):
        now = step(FIRST, now, other)
        best = max(best, float(pooled(now.embeddings) @ other))
    assert 0.45 < best < MATCH
    assert moved_deg(FIRST, now) <= MOST_DEG
    assert np.array_equal(now.embeddings[: len(FIRST.embeddings)], FIRST.embeddings)


def test_tables_are_made_of_faces() -> None:
    rows = np.concatenate([template(person, 8).embeddings for person in range(1, 5)])
    faces = Faces("net", rows, np.repeat(np.arange(4), 8))
    text = "\n".join([*walks(faces, 3), *gains(faces, np.random.default_rng(1))])
    assert "4 people (net), 12 walks of 3 steps" in text
    assert "a naive rule | 1.000 | 12 of 12 |" in text
    assert "each step from the first enrolment" in text
    assert "4 people of seven pictures and more: 200 of 200 logins may adapt" in text


def test_who_has_too_few_pictures_gains_nothing() -> None:
    faces = Faces("net", Template("net", template(1).embeddings, 1.0).embeddings, np.zeros(5, int))
    assert list(gains(faces, np.random.default_rng(1))) == [
        "Nobody has seven pictures and may adapt."
    ]
