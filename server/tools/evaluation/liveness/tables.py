"""The tables and drawings of an evaluation of liveness. Not here: what is in them (evaluate.py)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.policy import Policy
from server.tools.evaluation import plots as drawing
from server.tools.evaluation.folder import LIVE, Listing
from server.tools.evaluation.liveness.counts import Errors, curve
from server.tools.evaluation.liveness.presented import Played, Shown, wrong
from server.tools.evaluation.report import Plot, Table, listed
from server.tools.evaluation.statistics import Rate

ERRORS = "Errors: attacks accepted, people refused"


def errors_table(films: Sequence[Played], title: str = ERRORS) -> Table:
    """Which films."""
    rows = [
        (
            film.item.name,
            "refused" if film.live else "accepted",
            "-" if film.score is None else f"{film.score:+.2f}",
            _leaning(film.value["rows"]),
        )
        for film in sorted(wrong(films), key=lambda f: f.live)
    ]
    note = "S: the sum of the first whole window. Cues: their ratios when the verdict fell."
    return listed(title, ("film", "", "S", "cues"), rows, note)


def _leaning(rows: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(f"{row['cue']} {row['llr']:+.1f}" for row in rows if row["llr"])


def silent_table(films: Sequence[Played], stills: Sequence[Shown], listing: Listing) -> Table:
    """Which files have no answer, and why."""
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


def rates_table(
    title: str, found: Errors, equal: tuple[Rate, float | None] | None, more: str = ""
) -> Table:
    """Error rates, and on whom they rest where that is known."""
    rows = [_rate_row(f"APCER {name}", found, name) for name in found.rate if name != LIVE]
    rows += [
        ("APCER, the worst species", f"{found.worst}"),
        _rate_row("BPCER", found, LIVE),
        ("ACER", f"{found.acer}"),
    ]
    if equal is not None:
        eer, at = equal
        rows.append(("EER of S" + ("" if at is None else f", at {at:+.2f}"), f"{eer}"))
    head: tuple[str, ...] = ("", "rate", "no answer", "failure to acquire")
    note = (
        "Films only, each one presentation. Of those with an answer; the share without one"
        " (APNRR, BPNRR) beside it. Failure to acquire: not one usable frame. Intervals:"
        " Clopper-Pearson, 95 %, films taken as independent, which those of one person are not;"
        " ACER = (worst APCER + BPCER) / 2, its interval the mean of the two, as for the EER."
    )
    if found.behind:
        head = (*head, "people", "sources", "95 % over sources")
        note += (
            " Over sources: sources resampled; where nothing went wrong, Clopper-Pearson with as"
            " many trials as there are sources."
        )
    full = [(*row, *[""] * (len(head) - len(row))) for row in rows]
    return Table(title, head, tuple(full), f"{note} {more}".rstrip())


def _rate_row(said: str, found: Errors, name: str) -> tuple[str, ...]:
    row = (said, f"{found.rate[name]}", f"{found.answered[name]}", f"{found.acquired[name]}")
    if name not in found.behind:
        return row
    behind = found.behind[name]
    over = behind.over_sources
    bounds = f"[{100 * over.low:.1f}, {100 * over.high:.1f}]" if over.n else "-"
    return (*row, f"{behind.people}", f"{behind.sources}", bounds)


def groups_table(rows: Sequence[tuple[str, ...]]) -> Table:
    """BPCER by group."""
    note = (
        "Live films whose path or identity is in the table of groups. Intervals: Clopper-Pearson,"
        " 95 %. Worst over mean: of the groups' rates."
    )
    head = ("attribute", "group", "BPCER", "no answer", "people")
    return Table("BPCER by group", head, tuple(rows), note)


def stills_table(rows: Sequence[tuple[str, ...]]) -> Table:
    """What the picture cues make of stills."""
    note = (
        "One frame: the anti-spoof vote, edges and glow, summed against the policy's acceptance."
        " No session accepts a still picture (its freshness cue refuses it): these rows say what"
        " the picture alone gives away, and are in none of the rates above."
    )
    return Table("Stills", ("", "error", "rate", "no answer"), tuple(rows), note)


def hits_table(hits: Mapping[str, Rate]) -> Table:
    """Of finding attacks."""
    rows = tuple((name, f"{rate}") for name, rate in hits.items())
    note = (
        "Positive: an attack; found: refused for liveness. Depends on how many of each there are."
    )
    return Table("Precision, recall, F1", ("", "rate"), rows, note)


def times_table(times: Mapping[str, Mapping[str, Any]]) -> Table:
    """By label."""
    rows = [
        (name, f"{t['median']:.2f} s", f"{t['p90']:.2f} s", f"{t['max']:.2f} s", f"{t['n']}")
        for name, t in times.items()
        if t["n"]
    ]
    note = "From the first usable frame to the verdict, films with an answer; in the film's time."
    return Table("Time to decision", ("", "median", "p90", "longest", "n"), tuple(rows), note)


def plots(
    scores: Mapping[str, Sequence[float]], species: Sequence[str], policy: Policy
) -> list[Plot]:
    """S, and the errors that a threshold on it would make."""
    counted = {
        name: (np.asarray(scores[name], np.float64), np.ones(len(scores[name])))
        for name in (LIVE, *species)
        if scores[name]
    }
    marks = {"accept": policy.accept_late_llr, "reject": policy.reject_llr}
    drawn = [drawing.histogram("S of the first whole window", counted, "S", marks)]
    title = "Errors by species (DET)"
    lines = {
        name: curve(scores[LIVE], scores[name])[1:]
        for name in species
        if scores[name] and scores[LIVE]
    }
    return [*drawn, drawing.det(title, lines, "APCER", "BPCER")] if lines else drawn


def cue_plots(data: Mapping[str, Any]) -> list[Plot]:
    """How well each cue ranks people above attacks."""
    ranked = {cue: said["auc"]["all"]["auc"] for cue, said in data.items()}
    ranked = {cue: value for cue, value in ranked.items() if not math.isnan(value)}
    if not ranked:
        return []
    title = "Cues: AUC, live against all attacks"
    return [drawing.bars(title, list(ranked), list(ranked.values()), "AUC")]
