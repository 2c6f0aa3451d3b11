"""The measures of benchmarks.template_protection, on scores whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.template_protection import Faces, costs, d_sys, eer, protection


def test_scores_that_share_nothing_are_fully_linkable() -> None:
    mated, nonmated = np.linspace(0.8, 0.9, 1000), np.linspace(0.0, 0.1, 1000)
    assert d_sys(mated, nonmated) == pytest.approx(1.0)
    assert eer(mated, nonmated) == pytest.approx(0.0, abs=0.002)


def test_the_same_scores_are_not_linkable() -> None:
    scores = np.random.default_rng(1).normal(size=200_000)
    assert d_sys(scores[:100_000], scores[100_000:]) < 0.03
    assert eer(scores[:100_000], scores[100_000:]) == pytest.approx(0.5, abs=0.01)


def test_half_that_shares_nothing_is_half_linkable() -> None:
    """Gomez-Barrero 2018, figure 4: D is 1 where only mated scores are, 0 where they are rarer."""
    rng = np.random.default_rng(2)
    common = rng.uniform(0, 1, 100_000)
    mated = np.concatenate([rng.uniform(0, 1, 50_000), rng.uniform(2, 3, 50_000)])
    assert d_sys(mated, common) == pytest.approx(0.5, abs=0.02)


def test_a_table_is_made_of_faces() -> None:
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(12, 64))
    rows = np.repeat(centres, 5, axis=0) + 0.3 * rng.normal(size=(60, 64))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    faces = Faces("net", rows, np.repeat(np.arange(12), 5))
    text = "\n".join(protection(faces, 5, rng))
    assert "60 pictures of 12 people" in text
    assert "1200 mated and 16500 non-mated" in text
    known = next(line for line in text.splitlines() if "both secrets known" in line)
    across = next(line for line in text.splitlines() if "all pairs" in line)
    assert float(known.split("|")[2]) > 0.9
    assert float(across.split("|")[2]) < 0.2
    assert "rotate a probe" in "\n".join(costs(10, "net", 64))
