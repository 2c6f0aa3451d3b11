"""Intervals and curves: against published values, SciPy's own test, and counting by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse, stats

from server.tools.evaluation import statistics


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),  # 1 - 0.025^(1/10)
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_exact_intervals_are_the_published_ones(
    count: int, n: int, low: float, high: float
) -> None:
    rate = statistics.exact(count, n)
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=1e-4)
    assert rate.rate == (count / n if n else None)


@pytest.mark.parametrize(("count", "n"), [(0, 7), (3, 29), (29, 29), (150, 11869)])
def test_exact_intervals_agree_with_scipy(count: int, n: int) -> None:
    found = stats.binomtest(count, n).proportion_ci(0.95, "exact")
    assert statistics.interval(count, n) == pytest.approx((found.low, found.high))


def test_the_rule_of_three() -> None:
    assert statistics.needed(0.01) == 300
    assert statistics.needed(1e-5) == 300_000
    for target in (0.3, 0.05, 1e-3):
        n = statistics.needed(target)
        assert statistics.upper(0, n) <= target
        assert statistics.upper(0, n) == pytest.approx(1 - 0.05 ** (1 / n))
        assert statistics.upper(1, n) > target


def test_trials_that_share_people_have_wider_intervals() -> None:
    trials = np.full(50, 100)
    errors = np.zeros(50, np.int64)
    errors[:5] = 100  # five people are always refused: 10 %, but of 50 people, not of 5000
    found = statistics.clustered(errors, trials)
    assert found.rate == 0.1
    assert found.method == statistics.RESAMPLED
    people = statistics.exact(5, 50)
    assert found.low == pytest.approx(people.low, abs=0.02)
    assert found.high == pytest.approx(people.high, abs=0.04)
    assert found.high - found.low > 5 * (statistics.interval(500, 5000)[1] - 0.1)
    assert statistics.clustered(errors, trials) == found, "the same data, another interval"


def test_no_error_is_not_certainty() -> None:
    found = statistics.clustered([0] * 20, [50] * 20)
    assert (found.rate, found.n) == (0.0, 1000)
    assert (found.low, found.high) == statistics.interval(0, 20)
    every = statistics.clustered([50] * 20, [50] * 20)
    assert (every.low, every.high) == statistics.interval(20, 20)
    assert statistics.clustered([], []).rate is None


def test_crossed_counts_the_trials() -> None:
    enrolled = np.array([2, 1, 0, 3])
    probed = np.array([1, 1, 4, 0])
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    n = sum(int(enrolled[i] * probed[j]) for i, j in pairs)
    errors = sparse.csr_array(np.array([[0, 2, 0, 0]] + [[0] * 4] * 3))
    found = statistics.crossed(errors, enrolled, probed, symmetric=False)
    assert (found.count, found.n) == (2, n)
    compared = {frozenset(p) for p in pairs if enrolled[p[0]] and probed[p[1]]}
    assert statistics.people_pairs(enrolled, probed) == len(compared)
    own = np.array([3, 2, 5])
    none = sparse.csr_array((3, 3), dtype=np.int64)
    same = statistics.crossed(none, own, own, symmetric=True)
    assert same.n == 3 * 2 + 3 * 5 + 2 * 5
    assert same.high == pytest.approx(statistics.interval(0, 3)[1]), "three pairs of people"


def test_one_lamb_widens_the_false_match_interval() -> None:
    people = 30
    each = np.full(people, 4)
    spread, lamb = np.zeros((people, people), int), np.zeros((people, people), int)
    for k in range(0, 28, 2):
        spread[k, k + 1] = 2  # 28 errors in 14 pairs
    lamb[0, 1:29] = 1  # 28 errors, one person in all of them
    rates = [
        statistics.crossed(sparse.csr_array(e), each, each, symmetric=True) for e in (spread, lamb)
    ]
    assert rates[0].rate == rates[1].rate == pytest.approx(28 / (435 * 16))
    assert rates[1].high > rates[0].high
    assert rates[1].low < rates[0].low


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(40):
        person = random.beta(2, 18, size=60)  # mean 0.1, some people much worse
        errors = random.binomial(20, person)
        found = statistics.clustered(errors, [20] * 60)
        covered += found.low <= 0.1 <= found.high
    assert covered >= 34


def test_auc_by_hand() -> None:
    assert statistics.auc([3, 2], [1, 2]) == (1 + 1 + 1 + 0.5) / 4
    assert statistics.auc([1], [2]) == 0.0
    assert math.isnan(statistics.auc([], [1]))
    high, low = list(np.arange(20.0)), list(np.arange(5.0, 25.0))
    value = statistics.auc(high, low)
    found = stats.mannwhitneyu(high, low).statistic / 400
    assert value == pytest.approx(found)
    least, most = statistics.auc_interval(high, low)
    assert least < value < most
    assert statistics.auc_interval([2] * 10, [1] * 3) == statistics.interval(3, 3)


def test_a_rate_names_every_trial() -> None:
    assert str(statistics.Rate(1, 67, 0.0004, 0.0804)) == "1.49 % [0.04, 8.04] (1/67)"
    assert str(statistics.Rate(1053820, 41983068, 0.02, 0.03)).endswith("(1053820/41983068)")
    assert str(statistics.Rate(0, 0, 0.0, 1.0)) == "-"


def test_the_mean_of_two_rates() -> None:
    found = statistics.averaged(statistics.exact(1, 10), statistics.exact(3, 10))
    assert found.rate == pytest.approx(0.2)
    assert found.n == 20
    assert statistics.averaged(statistics.exact(1, 10), statistics.exact(0, 0)).rate is None
    assert found.complement().rate == pytest.approx(0.8)
