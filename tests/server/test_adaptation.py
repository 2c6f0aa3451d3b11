"""A template that follows a login: what may move it, how far it goes, and who wins a race."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.policy import POLICIES
from pipeline.template import Template, pooled
from server.adaptation import FAR, MOST_DEG, adapted, moved_deg
from tests.pipeline.observations import near, template

MATCH = POLICIES["standard"].match_score
FIRST = template(1)
CENTRE = pooled(FIRST.embeddings)
PROBE = near(CENTRE, 0.9, 7)


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


def test_rows_that_a_login_added_are_told_from_the_first_enrolment() -> None:
    found = adapted(FIRST, PROBE[None], answered="light", match_score=MATCH)
    assert found is not None
    assert (found.added, found.first) == (1, FIRST)
    assert Template.from_bytes(found.to_bytes()) == found
    assert b"added" not in FIRST.to_bytes()  # as it always was
    for wrong in (5, -1):
        raw = replace(FIRST, added=wrong).to_bytes()
        with pytest.raises(ValueError, match="template"):
            Template.from_bytes(raw)
