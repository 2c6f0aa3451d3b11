"""Thresholds for targets, and targets that the trials cannot support."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.policy import POLICIES
from server.settings import policies
from server.tools.evaluation import calibrate
from server.tools.evaluation.comparisons import STEP, Scores
from server.tools.evaluation.folder import EvaluationError
from server.tools.evaluation.report import FORMAT, VERSION
from server.tools.evaluation.statistics import upper

POLICY = POLICIES["standard"]


def _match(pairs: int = 10_000, trials: int = 100_000) -> dict[str, Any]:
    genuine, impostor = Scores(), Scores()
    genuine.add(np.linspace(0.5, 0.9, 1000).astype(np.float32))
    impostor.add(np.linspace(-0.3, 0.45, trials).astype(np.float32))
    return {
        "format": FORMAT,
        "version": VERSION,
        "kind": "match",
        "enroll": 3,
        "probe": 3,
        "embedder": "test",
        "data": "0123456789abcdef",
        "templates": {
            "identity_pairs": pairs,
            "genuine": {"bins": genuine.to_json()},
            "impostor": {"bins": impostor.to_json()},
        },
    }


def _liveness(films: int = 400) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "kind": "liveness",
        "data": "fedcba9876543210",
        "scores": {
            "live": np.linspace(1.0, 5.0, 100).tolist(),
            "print": np.linspace(-5.0, -1.0, films).tolist(),
            "replay": np.linspace(-5.0, 2.5, films).tolist(),
        },
    }


def _run(*reports: dict[str, Any], **targets: float | None) -> dict[str, Any]:
    given = {"target_fmr": None, "target_apcer": None, **targets}
    return calibrate.calibrate(reports, POLICY, **given)  # type: ignore[arg-type]


def test_the_least_threshold_whose_bound_is_the_target() -> None:
    found = _run(_match(), target_fmr=0.01)
    claim = found["calibration"]["fmr"]
    score = found["policy"]["match_score"]
    assert claim["threshold"] == score
    assert claim["bound"] <= 0.01 < 0.0101
    # the observed rate there is a little below the target, as its bound is what counts
    observed = (0.45 - score) / 0.75
    assert 0.007 < observed < 0.01
    assert upper((observed + STEP / 0.75 + 1e-5) * 10_000, 10_000) > 0.01
    assert (claim["n"], claim["independent"]) == (100_000, 10_000)
    assert claim["fnmr"] == 0.0


def test_fewer_people_need_a_higher_threshold() -> None:
    many, few = (_run(_match(pairs), target_fmr=0.01) for pairs in (100_000, 400))
    assert few["policy"]["match_score"] > many["policy"]["match_score"]


@pytest.mark.parametrize(("pairs", "target"), [(299, 0.01), (2999, 0.001), (0, 0.5)])
def test_a_target_that_the_trials_cannot_support(pairs: int, target: float) -> None:
    with pytest.raises(EvaluationError) as problem:
        _run(_match(pairs), target_fmr=target)
    assert problem.value.code == "too_few_trials"
    assert f"{round(3 / target)}" in problem.value.text
    if pairs:
        assert _run(_match(pairs + 1), target_fmr=target)


def test_single_pictures_say_nothing_of_pools() -> None:
    for side in ("enroll", "probe"):
        with pytest.raises(EvaluationError, match="pools_too_small"):
            _run({**_match(), side: 2}, target_fmr=0.01)


def test_every_species_counts() -> None:
    found = _run(_liveness(), target_apcer=0.05)
    claim = found["calibration"]["apcer"]
    at = found["policy"]["accept_llr"]
    replay = np.linspace(-5.0, 2.5, 400)
    assert upper(int((replay >= at).sum()), 400) <= 0.05
    assert upper(int((replay >= at - calibrate.STEP_LLR).sum()), 400) > 0.05
    assert claim["n"] == {"print": 400, "replay": 400}
    assert claim["below"] == pytest.approx(((np.linspace(1, 5, 100)) < at).mean())


def test_the_smallest_species_decides_what_can_be_claimed() -> None:
    report = _liveness()
    report["scores"]["mask"] = [-3.0] * 12
    with pytest.raises(EvaluationError, match="too_few_trials") as problem:
        _run(report, target_apcer=0.05)
    assert "12 films of mask" in problem.value.text
    report["scores"]["mask"] = []
    with pytest.raises(EvaluationError, match="too_few_trials"):
        _run(report, target_apcer=0.05)


def test_nobody_left_is_no_policy() -> None:
    report = _liveness()
    report["scores"]["live"] = [-4.0] * 5
    with pytest.raises(EvaluationError, match="target_unreachable"):
        _run(report, target_apcer=0.05)
    high = _match()
    high["templates"]["genuine"]["bins"] = [[100, 5]]
    with pytest.raises(EvaluationError, match="target_unreachable"):
        _run(high, target_fmr=0.01)


def test_the_file_is_a_policy_that_can_be_loaded(tmp_path: Path) -> None:
    found = _run(_match(), _liveness(), target_fmr=0.01, target_apcer=0.05)
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(found))
    loaded = policies.load(file, POLICY)
    assert loaded.match_score == found["calibration"]["fmr"]["threshold"]
    assert loaded.accept_llr == found["calibration"]["apcer"]["accept_llr"]
    assert loaded.mismatch_score - loaded.match_score == pytest.approx(
        POLICY.mismatch_score - POLICY.match_score
    )
    assert found["calibration"]["fmr"]["data"] == "0123456789abcdef"
    assert set(found["policy"]) <= set(calibrate.FIELDS)


@pytest.mark.parametrize(
    ("reports", "targets", "code"),
    [
        ([_match()], {}, "target_missing"),
        ([_match()], {"target_fmr": 0.0}, "target_wrong"),
        ([_match()], {"target_fmr": float("nan")}, "target_wrong"),
        ([_match()], {"target_apcer": 0.1}, "report_wrong_kind"),
        ([_match(), _match()], {"target_fmr": 0.1}, "report_wrong_kind"),
        ([{"kind": "match"}], {"target_fmr": 0.1}, "report_broken"),
        ([{**_match(), "templates": None}], {"target_fmr": 0.1}, "report_broken"),
        ([{**_match(), "templates": {}}], {"target_fmr": 0.1}, "report_broken"),
        ([{"kind": "liveness", "scores": {"live": []}}], {"target_apcer": 0.1}, "report_broken"),
    ],
)
def test_what_cannot_be_calibrated(
    reports: list[dict[str, Any]], targets: dict[str, float], code: str
) -> None:
    with pytest.raises(EvaluationError) as problem:
        _run(*reports, **targets)
    assert problem.value.code == code


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("{", "report_broken"),
        ("[]", "report_broken"),
        ('{"format": "other"}', "report_broken"),
        (json.dumps({"format": FORMAT, "version": 99}), "report_version"),
    ],
)
def test_reports_that_are_none(tmp_path: Path, content: str, code: str) -> None:
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(EvaluationError) as problem:
        calibrate.read(tmp_path)
    assert problem.value.code == code
    with pytest.raises(EvaluationError, match="report_missing"):
        calibrate.read(tmp_path / "none")
