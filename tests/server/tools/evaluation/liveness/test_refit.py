"""Fits of log-likelihood ratios, and fits without what is judged."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pipeline.policy import POLICIES
from server.tools.evaluation.folder import EvaluationError, Item
from server.tools.evaluation.liveness.origins import Origin
from server.tools.evaluation.liveness.presented import Made
from server.tools.evaluation.liveness.refit import fit, refitted, without_each

POLICY = POLICIES["standard"]


def test_a_fit_finds_the_ratio_it_was_drawn_from() -> None:
    """Two normals of the same spread: the ratio is a line whose slope and zero are known."""
    grid = [k / 50 for k in range(-300, 301)]
    bell = {k: math.exp(-k * k / 2) for k in grid}
    samples = [([2 + k], True, 100 * w) for k, w in bell.items()]
    samples += [([-1 + k], False, 300 * w) for k, w in bell.items()]  # more attacks than people
    (gain,), offset = fit(samples)
    assert gain == pytest.approx(3.0, rel=0.02)
    assert -offset / gain == pytest.approx(0.5, abs=0.01)
    # The same number twice says no more than once.
    (one, other), _ = fit([([x, x], live, w) for (x,), live, w in samples])
    assert one + other == pytest.approx(3.0, rel=0.02)


def test_separable_classes_have_a_finite_fit_and_one_class_has_none() -> None:
    (gain,), _ = fit([([1.0], True, 1.0), ([2.0], True, 1.0), ([-1.0], False, 1.0)])
    assert 0 < gain < 10
    for samples in ([([1.0], True, 1.0)], []):
        with pytest.raises(ValueError, match="both classes"):
            fit(samples)


def _film(name: str, label: str, margin: float | None) -> Made:
    window = {"spoof": margin, "bezel": 0.0 if label == "live" else -0.5}
    return Item(Path(name), name, label, False), {"windows": [window]}, name


FILMS = [
    _film("a1", "live", 3.0), _film("a2", "print", -5.0),
    _film("b1", "live", 2.0), _film("b2", "replay_phone", -3.0),
    _film("c1", "live", 8.0), _film("c2", "print", -8.0),
]  # fmt: skip
KNOWN = {item.name: Origin(item.name, item.name[0]) for item, _, _ in FILMS}


def test_each_source_is_judged_by_a_fit_on_the_others() -> None:
    found = {source: (part, policy) for source, part, policy in without_each(POLICY, FILMS, KNOWN)}
    assert list(found) == ["a", "b", "c"]
    for source, (part, policy) in found.items():
        assert [item.name for item in part] == [f"{source}1", f"{source}2"]
        others = [(i.label, v["windows"]) for i, v, _ in FILMS if i.name[0] != source]
        assert policy == refitted(POLICY, others)
    gains = {policy.spoof_gain for _, policy in found.values()}
    assert len(gains) == 3
    changed = found["a"][1]
    assert changed.spoof_clip == POLICY.spoof_clip


def test_injected_films_and_unknown_windows_change_no_fit() -> None:
    films = [(item.label, value["windows"]) for item, value, _ in FILMS]
    extra = [("deepfake_live", [{"spoof": 8.0, "bezel": 0.0}]), ("live", [{"spoof": None}])]
    assert refitted(POLICY, [*films, *extra]) == refitted(POLICY, films)
    more = [*films, ("print", [{"spoof": 8.0, "bezel": 0.0}])]
    assert refitted(POLICY, more) != refitted(POLICY, films)


def test_a_source_without_which_nothing_is_left_is_said() -> None:
    known = {**KNOWN, "c2": Origin("x", "a"), "b2": Origin("x", "a")}
    with pytest.raises(EvaluationError, match="refit_impossible"):
        list(without_each(POLICY, FILMS, known))
