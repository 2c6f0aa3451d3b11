"""`lookgate evaluate liveness`: how often attacks get in, and how often people are refused.

Films are sessions, stills are not: stills are judged by the picture cues alone and counted in rows
of their own. The most of the species counts, never their mean. Not here: how errors are counted
(counts.py), what is written of them (tables.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from pipeline.policy import Policy
from server.tools.evaluation import cues
from server.tools.evaluation.folder import LIVE, EvaluationError, Listing, fingerprint
from server.tools.evaluation.liveness import tables
from server.tools.evaluation.liveness.counts import (
    Errors,
    Groups,
    by_group,
    equal,
    error,
    errors,
    labels,
    people,
)
from server.tools.evaluation.liveness.origins import Origins
from server.tools.evaluation.liveness.presented import Made, Played, Shown, films, stills, wrong
from server.tools.evaluation.liveness.refit import FITTED
from server.tools.evaluation.report import FORMAT, VERSION, Report, Table, made_by
from server.tools.evaluation.statistics import BOUNDS, Rate, exact

TIME_QUANTILES = 10


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Films judged by policies that were fitted without them."""

    values: Sequence[Made]
    policies: Mapping[str, Policy]
    """By the source that was left out."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known of the files beside their pictures."""

    origins: Origins = field(default_factory=dict)
    groups: Groups = field(default_factory=dict)
    left_out: LeftOut | None = None


def evaluate(
    listing: Listing, values: Sequence[Made], *, policy: Policy, about: About | None = None
) -> Report:
    """Everything about the folder; `values` are what play.py gave, after `cues.slim`.

    Raises EvaluationError (no_answers) if no file could be judged."""
    about = about or About()
    played, shown = films(values), stills(values, policy)
    if all(f.accepted is None for f in played) and all(s.passed is None for s in shown):
        raise EvaluationError("no_answers", "no file of the folder could be judged")
    species = labels(played)[1:]
    found = errors(played, about.origins)
    scores = _scores(played)
    eer, eer_at = equal(scores[LIVE], [s for name in species for s in scores[name]])
    hits = _hits(played)
    cue_data, cue_tables = cues.ranked(
        [(film.item.label, film.value["windows"]) for film in played], species
    )
    still_data, still_table = _stills(shown)
    times = {name: _times([f for f in played if f.item.label == name]) for name in labels(played)}
    group_data, group_tables = _groups(played, about)
    left_data, left_tables = _left_out(about)
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": made_by(),
        "kind": "liveness",
        "n": len(played),
        **found.to_json(),
        "eer": eer.to_json(),
        "eer_threshold": eer_at,
        "tar_at_far": {},
        "data": fingerprint((item.name, sha256) for item, _, sha256 in values),
        "policy": policy.fingerprint(),
        "accept_llr": policy.accept_llr,
        "accept_late_llr": policy.accept_late_llr,
        **{name: rate.to_json() for name, rate in hits.items()},
        "time_to_decision_s": times,
        "scores": scores,
        "cues": cue_data,
        "stills": still_data,
        "groups": group_data,
        "leave_one_source_out": left_data,
        "errors": [
            {"file": f.item.name, "label": f.item.label, "sum": f.score} for f in wrong(played)
        ],
        "silent": [
            {"file": f.item.name, "label": f.item.label, "reason": f.silence}
            for f in played
            if f.accepted is None
        ],
        "stills_silent": [
            {"file": s.item.name, "label": s.item.label, "reason": s.value["failure"]}
            for s in shown
            if s.passed is None
        ],
        "ignored": list(listing.ignored),
    }
    said = (
        tables.errors_table(played),
        tables.silent_table(played, shown, listing),
        tables.rates_table("Rates", found, (eer, eer_at)),
        *left_tables,
        *group_tables,
        tables.hits_table(hits),
        tables.times_table(times),
        still_table,
        *cue_tables,
    )
    return Report(
        "Lookgate: liveness evaluated",
        data,
        said,
        lambda: (*tables.plots(scores, species, policy), *tables.cue_plots(cue_data)),
    )


def _hits(played: Sequence[Played]) -> dict[str, Rate]:
    """Precision, recall and F1 of finding attacks: a refusal is a find."""
    found = sum(not f.live and f.accepted is False for f in played)
    missed = sum(not f.live and f.accepted is True for f in played)
    false = sum(f.live and f.accepted is False for f in played)
    precision, recall = exact(found, found + false), exact(found, found + missed)
    n = found + missed + false

    def mean(p: float, r: float) -> float:
        return 2 * p * r / (p + r) if p + r else 0.0

    value = mean(precision.rate or 0.0, recall.rate or 0.0)
    low, high = mean(precision.low, recall.low), mean(precision.high, recall.high)
    f1 = Rate(value * n, n, low, high, BOUNDS)
    return {"precision": precision, "recall": recall, "f1": f1}


def _scores(played: Sequence[Played]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {LIVE: []}
    for film in played:
        found.setdefault(film.item.label, [])
        if film.score is not None:
            found[film.item.label].append(round(film.score, 4))
    return {name: sorted(values) for name, values in found.items()}


def _times(played: Sequence[Played]) -> dict[str, Any]:
    """Seconds from the first usable frame to the verdict, answered films only."""
    took = sorted(
        float(f.value["since_first_s"])
        for f in played
        if f.accepted is not None and f.value["since_first_s"] is not None
    )
    if not took:
        return {"n": 0, "median": None, "p90": None, "max": None}
    p90 = took[0] if len(took) == 1 else quantiles(took, n=TIME_QUANTILES, method="inclusive")[-1]
    return {"n": len(took), "median": median(took), "p90": p90, "max": took[-1]}


def _groups(played: Sequence[Played], about: About) -> tuple[dict[str, Any], list[Table]]:
    """BPCER of each group of people, and the worst over the mean of the groups' rates."""
    data: dict[str, Any] = {}
    rows: list[tuple[str, ...]] = []
    for attribute, parts in by_group(played, about.groups, about.origins).items():
        said: dict[str, Any] = {}
        rates: list[float] = []
        for group, part in parts.items():
            rate = error(part)
            silent = exact(sum(film.accepted is None for film in part), len(part))
            count = people(part, about.origins) if about.origins else None
            rates += [] if rate.rate is None else [rate.rate]
            said[group] = {
                "bpcer": rate.to_json(), "non_response": silent.to_json(), "people": count,
            }  # fmt: skip
            rows.append((attribute, group, f"{rate}", f"{silent}", f"{count or '-'}"))
        mean = sum(rates) / len(rates) if rates else 0.0
        ratio = max(rates) / mean if mean else None
        data[attribute] = {"groups": said, "worst_over_mean": ratio}
        worst = "-" if ratio is None else f"{ratio:.2f}"
        rows.append((attribute, "worst over mean", worst, "", ""))
    return data, [tables.groups_table(rows)] if data else []


def _left_out(about: About) -> tuple[dict[str, Any] | None, list[Table]]:
    """Rates of films that the fit had not seen."""
    if about.left_out is None:
        return None, []
    played = films(about.left_out.values)
    found: Errors = errors(played, about.origins)
    fits = {
        name: sorted(getattr(policy, name) for policy in about.left_out.policies.values())
        for name in FITTED
    }
    data = found.to_json() | {
        "fits": {name: [values[0], values[-1]] for name, values in fits.items()},
        "errors": [{"file": f.item.name, "sum": f.score} for f in wrong(played)],
    }
    ranges = ", ".join(f"{name} {v[0]:.2f} to {v[-1]:.2f}" for name, v in fits.items())
    title = "Rates, each source judged by a fit without it"
    table = tables.rates_table(title, found, None, f"Refits: {ranges}.")
    return data, [table, tables.errors_table(played, f"{tables.ERRORS}, by those fits")]


def _stills(shown: Sequence[Shown]) -> tuple[dict[str, Any], Table]:
    data: dict[str, Any] = {"n": len(shown), "apcer": {}, "bpcer": None, "scores": {}}
    rows = []
    for label in sorted({s.item.label for s in shown}, key=lambda name: (name != LIVE, name)):
        part = [s for s in shown if s.item.label == label]
        said = [s.passed for s in part if s.passed is not None]
        rate = exact(sum(passed is (label != LIVE) for passed in said), len(said))
        data["scores"][label] = sorted(float(s.value["sum"]) for s in part if s.passed is not None)
        if label == LIVE:
            data["bpcer"] = rate.to_json()
        else:
            data["apcer"][label] = rate.to_json()
        kind = "live stills, below the sum" if label == LIVE else "attack, not below the sum"
        rows.append((label, kind, f"{rate}", f"{len(part) - len(said)}"))
    return data, tables.stills_table(rows)
