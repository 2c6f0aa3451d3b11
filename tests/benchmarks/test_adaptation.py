"""The rule of benchmarks.adaptation: what may move a template, and how far it goes at most."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.adaptation import (
    FAR,
    MATCH,
    MOST_DEG,
    adapted,
    drift,
    gains,
    moved_deg,
    step,
    toward,
    walks,
)  # fmt: skip
from benchmarks.template_protection import Faces
from pipeline.template import Template, pooled
from tests.pipeline.observations import identity, near, template

FIRST = template(1)
CENTRE = pooled(FIRST.embeddings)


def test_a_login_far_above_the_threshold_adds_one_row_of_today() -> None:
    probe = near(CENTRE, 0.9, 7)
    found = adapted(FIRST, probe[None], answered="light", match_score=MATCH)
    assert found is not None
    assert np.array_equal(found.embeddings[:-1], FIRST.embeddings)
    assert len(found.embeddings) == len(FIRST.embeddings) + 1
    assert np.linalg.norm(found.embeddings[-1]) == pytest.approx(1.0, abs=1e-6)
    assert pooled(found.embeddings) @ probe > CENTRE @ probe + 0.01


@pytest.mark.parametrize("answered", ["turn", "light"])
def test_an_answered_challenge_is_needed(answered: str) -> None:
    probes = near(CENTRE, 0.9, 7)[None]
    assert adapted(FIRST, probes, answered=answered, match_score=MATCH) is not None
    for other in (None, "", "passive"):
        assert adapted(FIRST, probes, answered=other, match_score=MATCH) is None


def test_what_is_not_far_above_the_threshold_moves_nothing() -> None:
    for cosine, moves in ((MATCH + FAR + 0.001, True), (MATCH + FAR - 0.001, False)):
        probes = near(CENTRE, cosine, 7)[None]
        found = adapted(FIRST, probes, answered="light", match_score=MATCH)
        assert (found is not None) == moves


@pytest.mark.parametrize(
    "probes",
    [np.zeros((0, 128)), np.full((1, 128), np.nan), np.stack([CENTRE, -CENTRE]), CENTRE[None]],
)
def test_probes_without_a_direction_or_without_news_move_nothing(probes) -> None:
    probes = probes.astype(np.float32)
    assert adapted(FIRST, probes, answered="light", match_score=MATCH) is None


@pytest.mark.parametrize("rows", [1, 3, 5, 10])
@pytest.mark.parametrize("cosine", [0.76, 0.8, 0.9, 0.99])
def test_the_pool_stays_within_the_bound(rows: int, cosine: float) -> None:
    first = template(2, rows)
    for seed in range(50):
        probes = near(pooled(first.embeddings), cosine, seed)[None]
        found = adapted(first, probes, answered="turn", match_score=MATCH)
        assert found is not None
        assert moved_deg(first, found) <= MOST_DEG


def test_the_bound_is_used_up_by_a_probe_that_is_far_away() -> None:
    found = adapted(FIRST, near(CENTRE, 0.76, 3)[None], answered="turn", match_score=MATCH)
    assert found is not None
    assert moved_deg(FIRST, found) > MOST_DEG - 0.1


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
