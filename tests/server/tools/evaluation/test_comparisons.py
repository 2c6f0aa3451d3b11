"""Comparisons against brute force, and small cases counted by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from server.tools.evaluation import comparisons
from server.tools.evaluation.comparisons import Curve, Scores, Searches, Trials


def _unit(*degrees: float) -> comparisons.Floats:
    at = np.radians(degrees)
    return np.stack([np.cos(at), np.sin(at)], axis=-1).astype(np.float32)


def _random(
    rows: int, people: int, seed: int = 0
) -> tuple[comparisons.Floats, comparisons.Indices]:
    random = np.random.default_rng(seed)
    owners = random.integers(0, people, rows)
    vectors = random.normal(size=(people, 8))[owners] + 0.7 * random.normal(size=(rows, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), owners.astype(np.int64)


def test_every_pair_once_by_hand() -> None:
    rows = _unit(0, 60, 90)  # cosines: 0-60 .5 (one person), 0-90 0, 60-90 .866
    found = Trials.among(rows, np.array([0, 0, 1]), 2)
    curve = found.curve()
    assert (curve.genuine.n, curve.impostor.n) == (1, 2)
    at = [0.49, 0.5, 0.51, 0.87, 2.0]
    errors = found.errors(at=at)
    assert [int(e.false_non_matches.sum()) for e in errors] == [0, 0, 1, 1, 1]
    assert [int(e.false_matches.sum()) for e in errors] == [1, 1, 1, 0, 0]
    assert errors[0].false_matches[0, 1] == 1, "the second row's owner against the third's"
    assert errors[0].genuine_trials.tolist() == [1, 0]


@pytest.mark.parametrize("rows_at_once", [0, 3, 7, 1024])
def test_blocks_change_nothing(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons, "AT_ONCE", 40 * rows_at_once)
    rows, owners = _random(40, 6)
    found = Trials.among(rows, owners, 6)
    scores = rows.astype(np.float64) @ rows.T.astype(np.float64)
    upper = np.triu(np.ones((40, 40), bool), 1)
    same = owners[:, None] == owners[None, :]
    curve = found.curve()
    assert curve.genuine.n == (same & upper).sum()
    assert curve.impostor.n == (~same & upper).sum()
    for at in (-0.2, 0.1, 0.6):
        k = round((at + 1) / comparisons.STEP)
        assert curve.impostor.at_least()[k] == (scores[~same & upper] >= at).sum()
        errors = found.errors(at=[at])[0]
        assert errors.false_matches.sum() == (scores[~same & upper] >= at).sum()
        assert errors.false_non_matches.sum() == (scores[same & upper] < at).sum()


def test_templates_against_probes() -> None:
    rows, owners = _random(30, 5, 1)
    found = Trials(rows[:10], owners[:10], rows[10:], owners[10:], 5)
    same = owners[:10, None] == owners[None, 10:]
    scores = rows[:10] @ rows[10:].T
    errors = found.errors(at=[0.3])[0]
    wrong = np.argwhere(~same & (scores >= 0.3))
    expected = np.zeros((5, 5), int)
    for i, j in wrong:
        expected[owners[i], owners[10 + j]] += 1
    assert errors.false_matches.toarray().tolist() == expected.tolist()
    assert found.enrolled().sum() == 10
    assert found.probed().sum() == 20
    part = found.only(owners[:10] == 0, owners[10:] == 0)
    assert part.curve().impostor.n == 0


def test_known_distributions_give_the_known_eer() -> None:
    random = np.random.default_rng(2)
    genuine, impostor = Scores(), Scores()
    genuine.add(random.normal(0.5, 0.1, 200_000).astype(np.float32))
    impostor.add(random.normal(0.1, 0.1, 200_000).astype(np.float32))
    curve = Curve(genuine, impostor)
    equal = curve.equal()
    assert equal == pytest.approx(0.3, abs=0.005)
    k = round((equal + 1) / comparisons.STEP)
    assert curve.fmr()[k] == pytest.approx(norm.cdf(-2), abs=0.002)
    assert curve.at_fmr(1e-2) == pytest.approx(0.1 + 0.1 * norm.ppf(0.99), abs=0.003)
    assert genuine.mean() == pytest.approx(0.5, abs=1e-3)
    assert genuine.quantile(0.01) == pytest.approx(0.5 + 0.1 * norm.ppf(0.01), abs=0.005)
    assert Scores.from_json(genuine.to_json()).counts.tolist() == genuine.counts.tolist()


def test_thresholds_are_the_least_that_hold() -> None:
    genuine, impostor = Scores(), Scores()
    genuine.add(np.array([0.9, 0.8, 0.4], np.float32))
    impostor.add(np.array([0.5] + [0.1] * 99, np.float32))
    curve = Curve(genuine, impostor)
    assert curve.at_fmr(0.01) == pytest.approx(0.1 + comparisons.STEP)
    assert curve.at_fmr(0.005) == pytest.approx(0.5 + comparisons.STEP)
    perfect = Scores()
    perfect.add(np.ones(3, np.float32))
    assert Curve(genuine, perfect).at_fmr(0.1) > 1.0, "only a threshold that nothing reaches"


@pytest.mark.parametrize("pairs", [[[-1, 2]], [[comparisons.BINS + 1, 2]], [[3, -2]]])
def test_a_histogram_that_is_none(pairs: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="not a histogram"):
        Scores.from_json(pairs)


def test_searches_by_hand() -> None:
    templates = _unit(0, 90, 180)
    # the first is nearest to its own, the second to another's, the third has no template
    probes = _unit(10, 30, 95)
    found = Searches.of(Trials(templates, np.array([0, 1, 2]), probes, np.array([0, 1, 3]), 4))
    assert found.first().tolist() == [True, False, False]
    assert found.own[0] == pytest.approx(np.cos(np.radians(10)), abs=1e-6)
    assert found.own[2] == -np.inf
    assert found.best[0] == pytest.approx(np.cos(np.radians(80)), abs=1e-6)
    assert found.identified(0.9).tolist() == [True, False, False]
    assert found.identified(0.99).tolist() == [False, False, False]
    assert found.identified(0.5, margin=0.9).tolist() == [False, False, False]
    # without the own template: .17, .87 and 1.0 are what an unknown person reaches
    assert found.alarmed(0.8).tolist() == [False, True, True]
    assert found.alarmed(0.8, margin=1.5).tolist() == [False, True, False]
    threshold = found.at_fpir(1 / 3)
    assert found.alarmed(threshold).sum() == 1
    assert found.alarmed(threshold - comparisons.STEP).sum() == 2


def test_a_search_of_one_template_has_no_rival() -> None:
    found = Searches.of(Trials(_unit(0), np.array([0]), _unit(5), np.array([0]), 1))
    assert found.first().all()
    assert not found.alarmed(-1.0).any()
    empty = Searches.of(Trials(_unit(0), np.array([0]), _unit(), np.zeros(0, np.int64), 1))
    assert len(empty.first()) == 0


@pytest.mark.parametrize("files", [10_000, 40_000])
def test_many_files_take_no_more_memory_at_once(files: int) -> None:
    trial = Trials.among(*_random(files, 2_000, 3), 2_000)
    blocks = trial._blocks()
    end = 0
    for start, scores, _, _ in itertools.islice(blocks, 3):
        assert start == end
        assert scores.size <= comparisons.AT_ONCE
        assert scores.size > comparisons.AT_ONCE - files, "fewer would be slow"
        end += len(scores)
