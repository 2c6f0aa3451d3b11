"""`lookgate calibrate`: from evaluations to a policy file, and no claim beyond what they show.

A threshold supports a target where the one-sided 95 % bound of its error rate is at most the
target; with no error that takes three over the target trials (the rule of three; ISO/IEC 19795-1,
B.1.1). Trials of the same two people count as one. Not here: reading policy files
(server/settings/policies.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.policy import Policy
from server.tools.evaluation.comparisons import BINS, Curve, Scores, thresholds
from server.tools.evaluation.folder import LIVE, EvaluationError
from server.tools.evaluation.report import FORMAT, VERSION, made_by
from server.tools.evaluation.statistics import needed, upper

MAX_BYTES = 200 * 1024 * 1024
STEP_LLR = 0.01
"""Resolution of an acceptance sum."""
FIELDS = (
    "match_score", "mismatch_score", "identify_score", "same_face",
    "accept_llr", "accept_late_llr",
)  # fmt: skip
"""What a calibration may move."""


def read(path: Path) -> dict[str, Any]:
    """A report.json, or the folder that has it. Raises EvaluationError (report_missing,
    report_broken)."""
    file = path / "report.json" if path.is_dir() else path
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ValueError("too large")
        found = json.loads(file.read_text("utf-8"))
    except OSError as fault:
        raise EvaluationError("report_missing", f"there is no report {file}") from fault
    except ValueError as fault:
        raise EvaluationError("report_broken", f"the report {file} is no JSON of ours") from fault
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise EvaluationError("report_broken", f"the file {file} is no report of an evaluation")
    if found.get("version") != VERSION:
        raise EvaluationError(
            "report_version", f"another version of Lookgate wrote the report {file}"
        )
    return found


def calibrate(
    reports: Sequence[Mapping[str, Any]],
    policy: Policy,
    *,
    target_fmr: float | None,
    target_apcer: float | None,
) -> dict[str, Any]:
    """The policy file. Raises EvaluationError (target_missing, target_wrong, report_wrong_kind,
    report_broken, pools_too_small, too_few_trials,
    target_unreachable)."""
    for target in (target_fmr, target_apcer):
        if target is not None and not 0 < target < 1:
            raise EvaluationError("target_wrong", "a target lies between 0 and 1")
    if target_fmr is None and target_apcer is None:
        raise EvaluationError("target_missing", "give --target-fmr, --target-apcer or both")
    by = {str(report.get("kind")): report for report in reports}
    if len(by) != len(reports):
        raise EvaluationError("report_wrong_kind", "give one report of each kind")
    found, claims = policy, {}
    try:
        if target_fmr is not None:
            found, claims["fmr"] = _match(_of(by, "match"), found, target_fmr)
        if target_apcer is not None:
            found, claims["apcer"] = _liveness(_of(by, "liveness"), found, target_apcer)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise EvaluationError("report_broken", "the report lacks what calibration needs") from fault
    told, before = asdict(found), asdict(policy)
    return {
        "format": "lookgate.policy",
        "version": VERSION,
        "made_by": made_by(),
        "base": {"name": policy.name, "fingerprint": policy.fingerprint()},
        "policy": {name: told[name] for name in FIELDS if told[name] != before[name]},
        "calibration": claims,
    }


def _of(by: Mapping[str, Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    if kind not in by:
        raise EvaluationError("report_wrong_kind", f"that target needs a report of {kind}")
    return by[kind]


def _match(
    report: Mapping[str, Any], policy: Policy, target: float
) -> tuple[Policy, dict[str, Any]]:
    """The least threshold whose FMR on templates is bounded by the target."""
    if min(int(report["enroll"]), int(report["probe"])) < policy.embeddings:
        # Scores rise with pooling: a threshold for single pictures would let more in than it says
        raise EvaluationError(
            "pools_too_small",
            f"the server pools {policy.embeddings} pictures and more: evaluate with --enroll and"
            f" --probe of at least {policy.embeddings}",
        )
    part = report["templates"]
    pairs = int(part["identity_pairs"])
    if pairs < needed(target):
        raise _few(target, pairs, "pairs of different people")
    curve = Curve(
        Scores.from_json(part["genuine"]["bins"]), Scores.from_json(part["impostor"]["bins"])
    )
    trials = curve.impostor.n
    pairs = min(pairs, trials)
    passed = curve.impostor.at_least()
    # FMR falls with the threshold, and its bound with it: bisection
    low, high = 0, BINS + 1
    while low < high:
        middle = (low + high) // 2
        if upper(passed[middle] * pairs / trials, pairs) <= target:
            high = middle
        else:
            low = middle + 1
    score = float(thresholds()[low])
    fnmr = float(curve.fnmr()[low])
    if score > 1.0 or (curve.genuine.n and fnmr >= 1.0):
        raise EvaluationError("target_unreachable", "at that FMR every owner would be refused")
    claim = {
        "target": target,
        "threshold": score,
        "bound": upper(passed[low] * pairs / trials, pairs),
        "confidence": 0.95,
        "n": trials,
        "independent": pairs,
        "fnmr": fnmr,
        "fnmr_n": curve.genuine.n,
        "pooled": [report["enroll"], report["probe"]],
        "embedder": report["embedder"],
        "data": report["data"],
    }
    return policy.matching_at(score), claim


def _liveness(
    report: Mapping[str, Any], policy: Policy, target: float
) -> tuple[Policy, dict[str, Any]]:
    """The least sum at which every species is bounded by the target; never below the policy's
    refusal."""
    scores = {name: np.asarray(values, np.float64) for name, values in report["scores"].items()}
    live = scores.pop(LIVE)
    if not scores:
        raise EvaluationError("report_broken", "the report has no attacks")
    least = min(scores, key=lambda name: len(scores[name]))
    if len(scores[least]) < needed(target):
        raise _few(target, len(scores[least]), f"films of {least}")
    most = max(float(values.max()) for values in scores.values())
    grid = np.arange(policy.reject_llr + STEP_LLR, max(most, policy.reject_llr) + 1.0, STEP_LLR)
    for at in np.round(grid, 4):
        bounds = {
            name: upper(int((values >= at).sum()), len(values)) for name, values in scores.items()
        }
        if max(bounds.values()) <= target:
            break
    bpcer = float((live < at).mean()) if len(live) else 0.0
    if len(live) and bpcer >= 1.0:
        raise EvaluationError("target_unreachable", "at that APCER every person would be refused")
    claim = {
        "target": target,
        "accept_llr": float(at),
        "bound": max(bounds.values()),
        "confidence": 0.95,
        "n": {name: len(values) for name, values in scores.items()},
        "below": bpcer,
        "below_n": len(live),
        "data": report["data"],
    }
    # One sum for both: the claim is about whole windows and covers no lesser one.
    return replace(policy, accept_llr=float(at), accept_late_llr=float(at)), claim


def _few(target: float, n: int, what: str) -> EvaluationError:
    return EvaluationError(
        "too_few_trials",
        f"{n} {what} cannot support a rate of {target:g}: with no error at all, it takes"
        f" {needed(target)} (rule of three); {min(1.0, 3 / n):.2g} is the least they could"
        if n
        else f"there are no {what} to support a rate of {target:g}; it takes {needed(target)}",
    )
