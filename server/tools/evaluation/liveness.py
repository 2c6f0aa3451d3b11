"""`lookgate evaluate liveness`: how often attacks get in, and how often people are refused.

Films are sessions, stills are not: stills are judged by the picture cues alone and counted in rows
of their own. Terms and rates: ISO/IEC 30107-3:2023, section 13; the most of the species counts,
never their mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import numpy as np

from pipeline.policy import Policy
from pipeline.reasons import Phase, Reason
from server.tools.evaluation import cues, plots
from server.tools.evaluation.cache import Value
from server.tools.evaluation.folder import LIVE, EvaluationError, Item, Listing, fingerprint
from server.tools.evaluation.report import FORMAT, VERSION, Plot, Report, Table, listed, made_by
from server.tools.evaluation.statistics import BOUNDS, Numbers, Rate, averaged, exact

TIME_QUANTILES = 10


@dataclass(frozen=True, slots=True)
class Played:
    """One file and what came of it."""

    item: Item
    value: Value
    sha256: str

    @property
    def live(self) -> bool:
        return self.item.label == LIVE

    @property
    def accepted(self) -> bool | None:
        """What a film's session, or a still's sum, said; None for no answer (non-response)."""
        value = self.value
        if value["phase"] == Phase.ACCEPTED:
            return True
        refused = value["phase"] == Phase.REJECTED and Reason.LIVENESS in value["reasons"]
        return False if refused else None

    @property
    def silence(self) -> str:
        """Why there was no answer, a stable code."""
        value = self.value
        if not value["gathered"]:
            return str(value["failure"] or "no_usable_frame")
        return "undecided" if value["phase"] else "film_over"

    @property
    def acquired(self) -> bool:
        """Whether there was a usable frame at all."""
        return bool(self.value["gathered"])

    @property
    def score(self) -> float | None:
        """S of the first whole window; None if there was none."""
        sums = self.value["sums"]
        return float(sums[0]) if sums else None


@dataclass(frozen=True, slots=True)
class Shown:
    """A still: what it is, and whether its picture cues alone would pass the policy's sum."""

    item: Item
    value: Value
    passed: bool | None


def evaluate(
    listing: Listing, values: Sequence[tuple[Item, Value, str]], *, policy: Policy
) -> Report:
    """Everything about the folder; `values` are what play.py gave, after `cues.slim`.

    Raises EvaluationError (no_answers) if no file could be judged."""
    films = [Played(*one) for one in values if not one[0].still]
    stills = [Shown(i, v, _passed(v, policy)) for i, v, _ in values if i.still]
    films.sort(key=lambda film: film.item.name)
    stills.sort(key=lambda shown: shown.item.name)
    if all(f.accepted is None for f in films) and all(s.passed is None for s in stills):
        raise EvaluationError("no_answers", "no file of the folder could be judged")
    species = sorted({film.item.label for film in films if not film.live})
    apcer = {name: _error([f for f in films if f.item.label == name], True) for name in species}
    bpcer = _error([f for f in films if f.live], False)
    worst = _worst(apcer)
    acer = averaged(worst, bpcer)
    scores = _scores(films)
    attacks = [s for name in species for s in scores[name]]
    eer, eer_at = _equal(scores[LIVE], attacks)
    hits = _hits(films)
    answered = {
        name: exact(sum(f.accepted is None for f in part), len(part))
        for name, part in _parts(films, species)
    }
    acquired = {
        name: exact(sum(not f.acquired for f in part), len(part))
        for name, part in _parts(films, species)
    }
    cue_data, cue_tables = cues.ranked(
        [(film.item.label, film.value["windows"]) for film in films], species
    )
    still_data, still_table = _stills(stills)
    times = {name: _times(part) for name, part in _parts(films, species)}
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": made_by(),
        "kind": "liveness",
        "n": len(films),
        "apcer": {name: rate.to_json() for name, rate in apcer.items()},
        "apcer_max": worst.to_json(),
        "bpcer": bpcer.to_json(),
        "acer": acer.to_json(),
        "eer": eer.to_json(),
        "eer_threshold": eer_at,
        "tar_at_far": {},
        "data": fingerprint((item.name, sha256) for item, _, sha256 in values),
        "policy": policy.fingerprint(),
        "accept_llr": policy.accept_llr,
        "accept_late_llr": policy.accept_late_llr,
        **{name: rate.to_json() for name, rate in hits.items()},
        "non_response": {name: rate.to_json() for name, rate in answered.items()},
        "failure_to_acquire": {name: rate.to_json() for name, rate in acquired.items()},
        "time_to_decision_s": times,
        "scores": scores,
        "cues": cue_data,
        "stills": still_data,
        "errors": [
            {"file": f.item.name, "label": f.item.label, "sum": f.score} for f in _wrong(films)
        ],
        "silent": [
            {"file": f.item.name, "label": f.item.label, "reason": f.silence}
            for f in films
            if f.accepted is None
        ],
        "stills_silent": [
            {"file": s.item.name, "label": s.item.label, "reason": s.value["failure"]}
            for s in stills
            if s.passed is None
        ],
        "ignored": list(listing.ignored),
    }
    tables = (
        _errors_table(films),
        _silent_table(films, stills, listing),
        _rates_table(apcer, worst, bpcer, acer, eer, eer_at, answered, acquired),
        _hits_table(hits),
        _times_table(times),
        still_table,
        *cue_tables,
    )
    title = "Lookgate: liveness evaluated"
    return Report(
        title, data, tables, lambda: (*_plots(scores, species, policy), *_cue_plots(cue_data))
    )


def _parts(films: Sequence[Played], species: Sequence[str]) -> list[tuple[str, list[Played]]]:
    return [(name, [f for f in films if f.item.label == name]) for name in (LIVE, *species)]


def _error(films: Sequence[Played], accepted: bool) -> Rate:
    """Share of the films with an answer that got this one."""
    said = [film.accepted for film in films if film.accepted is not None]
    return exact(sum(answer is accepted for answer in said), len(said))


def _worst(rates: Mapping[str, Rate]) -> Rate:
    """The greatest rate; of equal ones that with the greatest bound. A species that was never
    judged is no 0."""
    known = [rate for rate in rates.values() if rate.n]
    return max(known, key=lambda rate: (rate.rate or 0.0, rate.high), default=exact(0, 0))


def _hits(films: Sequence[Played]) -> dict[str, Rate]:
    """Precision, recall and F1 of finding attacks: a refusal is a find."""
    found = sum(not f.live and f.accepted is False for f in films)
    missed = sum(not f.live and f.accepted is True for f in films)
    false = sum(f.live and f.accepted is False for f in films)
    precision, recall = exact(found, found + false), exact(found, found + missed)
    n = found + missed + false

    def mean(p: float, r: float) -> float:
        return 2 * p * r / (p + r) if p + r else 0.0

    value = mean(precision.rate or 0.0, recall.rate or 0.0)
    low, high = mean(precision.low, recall.low), mean(precision.high, recall.high)
    f1 = Rate(value * n, n, low, high, BOUNDS)
    return {"precision": precision, "recall": recall, "f1": f1}


def _wrong(films: Sequence[Played]) -> list[Played]:
    return [f for f in films if f.accepted is not None and f.accepted is not f.live]


# Scores


def _scores(films: Sequence[Played]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {LIVE: []}
    for film in films:
        found.setdefault(film.item.label, [])
        if film.score is not None:
            found[film.item.label].append(round(film.score, 4))
    return {name: sorted(values) for name, values in found.items()}


def curve(live: Sequence[float], attack: Sequence[float]) -> tuple[Numbers, Numbers, Numbers]:
    """Thresholds, APCER and BPCER of accepting S at or above each; the last accepts nothing."""
    at = np.unique(np.asarray([*live, *attack], np.float64))
    at = np.append(at, np.inf)
    passed = np.searchsorted(np.sort(attack), at, side="left")
    refused = np.searchsorted(np.sort(live), at, side="left")
    return at, 1 - passed / max(len(attack), 1), refused / max(len(live), 1)


def _equal(live: Sequence[float], attack: Sequence[float]) -> tuple[Rate, float | None]:
    if not live or not attack:
        return exact(0, 0), None
    at, apcer, bpcer = curve(live, attack)
    best = int(np.argmin(np.abs(apcer - bpcer)))
    rates = (
        exact(round(float(apcer[best]) * len(attack)), len(attack)),
        exact(round(float(bpcer[best]) * len(live)), len(live)),
    )
    return averaged(*rates), float(at[best])


def _times(films: Sequence[Played]) -> dict[str, Any]:
    """Seconds from the first usable frame to the verdict, answered films only."""
    took = sorted(
        float(f.value["since_first_s"])
        for f in films
        if f.accepted is not None and f.value["since_first_s"] is not None
    )
    if not took:
        return {"n": 0, "median": None, "p90": None, "max": None}
    p90 = took[0] if len(took) == 1 else quantiles(took, n=TIME_QUANTILES, method="inclusive")[-1]
    return {"n": len(took), "median": median(took), "p90": p90, "max": took[-1]}


# Stills


def _passed(value: Value, policy: Policy) -> bool | None:
    total = value.get("sum")
    if total is None:
        return None
    return float(total) >= policy.accept_llr and not value["veto"]


def _stills(stills: Sequence[Shown]) -> tuple[dict[str, Any], Table]:
    data: dict[str, Any] = {"n": len(stills), "apcer": {}, "bpcer": None, "scores": {}}
    rows = []
    for label in sorted({s.item.label for s in stills}, key=lambda name: (name != LIVE, name)):
        part = [s for s in stills if s.item.label == label]
        said = [s.passed for s in part if s.passed is not None]
        wrong = sum(passed is (label != LIVE) for passed in said)
        rate = exact(wrong, len(said))
        data["scores"][label] = sorted(float(s.value["sum"]) for s in part if s.passed is not None)
        if label == LIVE:
            data["bpcer"] = rate.to_json()
        else:
            data["apcer"][label] = rate.to_json()
        kind = "live stills, below the sum" if label == LIVE else "attack, not below the sum"
        rows.append((label, kind, f"{rate}", f"{len(part) - len(said)}"))
    note = (
        "One frame: the anti-spoof vote, edges and glow, summed against the policy's acceptance."
        " No session accepts a still picture (its freshness cue refuses it): these rows say what"
        " the picture alone gives away, and are in none of the rates above."
    )
    return data, Table("Stills", ("", "error", "rate", "no answer"), tuple(rows), note)


# Tables


def _errors_table(films: Sequence[Played]) -> Table:
    rows = [
        (
            film.item.name,
            "refused" if film.live else "accepted",
            "-" if film.score is None else f"{film.score:+.2f}",
            _leaning(film.value["rows"]),
        )
        for film in sorted(_wrong(films), key=lambda f: f.live)
    ]
    note = "S: the sum of the first whole window. Cues: their ratios when the verdict fell."
    return listed("Errors: attacks accepted, people refused", ("film", "", "S", "cues"), rows, note)


def _leaning(rows: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(f"{row['cue']} {row['llr']:+.1f}" for row in rows if row["llr"])


def _silent_table(films: Sequence[Played], stills: Sequence[Shown], listing: Listing) -> Table:
    rows = [(f.item.name, f.silence, " ".join(f.value["hints"])) for f in films
            if f.accepted is None]  # fmt: skip
    rows += [(s.item.name, str(s.value["failure"]), "still") for s in stills if s.passed is None]
    rows += [(name, "not_looked_at", "") for name in listing.ignored]
    note = (
        "Counted below, never dropped. `film_over`: it ended before a verdict; `undecided`: every"
        " window ended between the two sums, or its pictures were too poor; `not_looked_at`: no"
        " picture or film by its ending, or in no labelled folder."
    )
    return listed("No answer", ("file", "why", "hints"), rows, note)


def _rates_table(
    apcer: Mapping[str, Rate],
    worst: Rate,
    bpcer: Rate,
    acer: Rate,
    eer: Rate,
    eer_at: float | None,
    answered: Mapping[str, Rate],
    acquired: Mapping[str, Rate],
) -> Table:
    rows = [
        (f"APCER {name}", f"{rate}", f"{answered[name]}", f"{acquired[name]}")
        for name, rate in apcer.items()
    ]
    rows += [
        ("APCER, the worst species", f"{worst}", "", ""),
        ("BPCER", f"{bpcer}", f"{answered[LIVE]}", f"{acquired[LIVE]}"),
        ("ACER", f"{acer}", "", ""),
        ("EER of S" + ("" if eer_at is None else f", at {eer_at:+.2f}"), f"{eer}", "", ""),
    ]
    note = (
        "Films only, each one presentation. Of those with an answer; the share without one"
        " (APNRR, BPNRR) beside it. Failure to acquire: not one usable frame. Intervals:"
        " Clopper-Pearson, 95 %, films taken as independent, which those of one person are not;"
        " ACER = (worst APCER + BPCER) / 2, its interval the mean of the two, as for the EER."
    )
    head = ("", "rate", "no answer", "failure to acquire")
    return Table("Rates", head, tuple(rows), note)


def _hits_table(hits: Mapping[str, Rate]) -> Table:
    rows = tuple((name, f"{rate}") for name, rate in hits.items())
    note = (
        "Positive: an attack; found: refused for liveness. Depends on how many of each there are."
    )
    return Table("Precision, recall, F1", ("", "rate"), rows, note)


def _times_table(times: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [
        (name, f"{t['median']:.2f} s", f"{t['p90']:.2f} s", f"{t['max']:.2f} s", f"{t['n']}")
        for name, t in times.items()
        if t["n"]
    ]
    note = "From the first usable frame to the verdict, films with an answer; in the film's time."
    return Table("Time to decision", ("", "median", "p90", "longest", "n"), tuple(rows), note)


def _plots(
    scores: Mapping[str, Sequence[float]], species: Sequence[str], policy: Policy
) -> list[Plot]:
    counted = {
        name: (np.asarray(scores[name], np.float64), np.ones(len(scores[name])))
        for name in (LIVE, *species)
        if scores[name]
    }
    marks = {"accept": policy.accept_late_llr, "reject": policy.reject_llr}
    drawn = [plots.histogram("S of the first whole window", counted, "S", marks)]
    lines = {
        name: curve(scores[LIVE], scores[name])[1:]
        for name in species
        if scores[name] and scores[LIVE]
    }
    return (
        [*drawn, plots.det("Errors by species (DET)", lines, "APCER", "BPCER")] if lines else drawn
    )


def _cue_plots(data: Mapping[str, Any]) -> list[Plot]:
    ranked = {cue: said["auc"]["all"]["auc"] for cue, said in data.items()}
    ranked = {cue: value for cue, value in ranked.items() if not math.isnan(value)}
    if not ranked:
        return []
    title = "Cues: AUC, live against all attacks"
    return [plots.bars(title, list(ranked), list(ranked.values()), "AUC")]
