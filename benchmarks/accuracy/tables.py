"""The tables of docs/liveness.md and docs/evaluation.md, counted from a summary. Pure.

Not here: films (run.py), where the tables stand (blocks.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median, quantiles
from textwrap import wrap

from benchmarks.accuracy.summary import ACCEPTED, REFUSED, TRIES, Film, Summary
from server.tools.evaluation.cues import BLINK, MEASURES
from server.tools.evaluation.liveness.origins import Origin, backing
from server.tools.evaluation.statistics import Rate, auc, averaged, exact

GROUPS = ("webcam", "studio", "nuaa", "print", "replay", "replay_cut", "deepfake", "talking")
SAID = {"first": "first window", "retry": "one retry", "all": "three windows"}
Lines = list[str]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Lines:
    """Markdown."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]


def short(rate: Rate) -> str:
    """`2/49 [1, 14] %`; a dash where nothing was tried."""
    if not rate.n:
        return "-"
    return f"{rate.count:g}/{rate.n} [{100 * rate.low:.0f}, {100 * rate.high:.0f}] %"


def wrong(film: Film, said: str) -> bool | None:
    """Whether a session ended wrongly; None if a person had no verdict on the face."""
    if said == ACCEPTED:
        return not film.live
    if not film.live:
        return False
    return True if said == REFUSED else None


def _of(films: Sequence[Film], group: str) -> list[Film]:
    return [film for film in films if film.group == group]


def _cell(films: Sequence[Film], said: Callable[[Film], str]) -> str:
    found = [wrong(film, said(film)) for film in films]
    known = [one for one in found if one is not None]
    silent = len(found) - len(known)
    return short(exact(sum(known), len(known))) + (f" ({silent} silent)" if silent else "")


def _kind(group: str) -> str:
    name = "NUAA" if group == "nuaa" else group
    return f"{name} {'BPCER' if group in ('webcam', 'studio', 'nuaa') else 'APCER'}"


def errors(films: Sequence[Film]) -> Lines:
    """Errors by group and number of windows, by the policy and by refits."""
    groups = [group for group in GROUPS if _of(films, group)]
    rows = []
    for tries in TRIES:
        cells = [_cell(_of(films, group), lambda f, t=tries: f.said[t]) for group in groups]
        rows.append([SAID[tries], *cells])
    for tries in TRIES:
        known = [film for film in films if film.left_out]
        cells = [_cell(_of(known, group), lambda f, t=tries: f.left_out[t]) for group in groups]
        rows.append([f"refitted without the film's source, {SAID[tries]}", *cells])
    return table(["", *map(_kind, groups)], rows)


def rests(films: Sequence[Film]) -> Lines:
    """On whom those rest, three windows."""
    rows = []
    for group in (group for group in GROUPS if _of(films, group)):
        part = _of(films, group)
        said = [(film, wrong(film, film.said["all"])) for film in part]
        behind = backing(
            [(Origin(f"{f.person}", f"{f.source}"), w) for f, w in said if w is not None]
        )
        over = behind.over_sources
        bounds = f"[{100 * over.low:.0f}, {100 * over.high:.0f}] %" if over.n else "-"
        none = sum(film.said["all"] not in (ACCEPTED, REFUSED) for film in part)
        people = len({film.person for film in part})
        sources = len({film.source for film in part})
        rate = short(exact(sum(bool(w) for _, w in said if w is not None), over.n))
        silent = short(exact(none, len(part)))
        rows.append([group, f"{len(part)}", f"{people}", f"{sources}", rate, bounds, silent])
    head = ["", "films", "people", "sources", "errors", "95 % over sources", "no verdict"]
    return table(head, rows)


def found_wrong(films: Sequence[Film]) -> Lines:
    """Which films went wrong; injected ones, which mostly do, are left out."""
    rows = []
    for film in films:
        if film.group in ("deepfake", "talking"):
            continue
        bad = wrong(film, film.said["all"])
        if bad is False:
            continue
        why = " ".join(f"{cue} {llr:+.1f}" for cue, llr in film.llr.items() if llr)
        total = "-" if film.s is None else f"{film.s:+.1f}"
        hints = " ".join(f"`{hint}`" for hint in film.hints)
        rows.append([film.id, film.group, film.said["all"], total, why or "-", hints or "-"])
    return table(["film", "", "verdict", "S, first window", "ratios at the end", "hints"], rows)


def _values(films: Sequence[Film], cue: str) -> list[float]:
    return [film.cues[cue] for film in films if cue in film.cues]


def _auc(high: Sequence[float], low: Sequence[float]) -> str:
    value = auc(high, low)
    return "-" if math.isnan(value) else f"{value:.2f} ({len(high)}/{len(low)})"


def cues(films: Sequence[Film]) -> Lines:
    """AUC of what each cue measured, one value a film, and the windows in which it had one."""
    pairs = (("webcam", "replay"), ("webcam", "replay_cut"), ("nuaa", "print"))
    rows = []
    for cue in (*MEASURES, BLINK):
        if not any(cue in film.known for film in films):
            continue
        cells = [_auc(_values(_of(films, a), cue), _values(_of(films, b), cue)) for a, b in pairs]
        for live in (True, False):
            part = [f for f in films if f.live is live and f.group not in ("deepfake", "talking")]
            known = sum(film.known.get(cue, 0) for film in part)
            cells.append(f"{known}/{sum(film.windows for film in part)}")
        rows.append([f"`{cue}`", *cells])
    head = ["cue", *(f"AUC {a} / {b}" for a, b in pairs), "windows known, live", "attack"]
    return table(head, rows)


# docs/evaluation.md


def _full(rate: Rate) -> str:
    return f"{rate}"


def rates(films: Sequence[Film]) -> Lines:
    """APCER by species, BPCER, ACER: of those with an answer, as `lookgate evaluate` has them."""
    rows, worst = [], exact(0, 0)
    names = ["live", *sorted({film.label for film in films} - {"live"})]
    bpcer = exact(0, 0)
    for name in names:
        part = [film for film in films if film.label == name]
        said = [f for f in part if f.said["all"] in (ACCEPTED, REFUSED)]
        bad = [(f, (f.said["all"] == ACCEPTED) is not f.live) for f in said]
        rate = exact(sum(b for _, b in bad), len(bad))
        behind = backing([(Origin(f"{f.person}", f"{f.source}"), b) for f, b in bad])
        over = behind.over_sources
        if name == "live":
            bpcer = rate
        elif rate.n and (rate.rate or 0, rate.high) >= (
            worst.rate or 0,
            worst.high * (worst.n > 0),
        ):
            worst = rate
        rows.append([
            "BPCER" if name == "live" else f"APCER {name}",
            _full(rate),
            _full(exact(len(part) - len(said), len(part))),
            _full(exact(sum(not f.gathered for f in part), len(part))),
            f"{behind.people}",
            f"{behind.sources}",
            f"[{100 * over.low:.1f}, {100 * over.high:.1f}]" if over.n else "-",
        ])  # fmt: skip
    rows.append(["**APCER, the worst species**", _full(worst), *[""] * 5])
    rows.append(["ACER", _full(averaged(worst, bpcer)), *[""] * 5])
    head = ["", "rate, of those with an answer", "no answer", "failure to acquire", "people"]
    return table([*head, "sources", "95 % over sources"], rows)


def times(films: Sequence[Film]) -> Lines:
    """Seconds from the first usable frame to the verdict, films with an answer."""
    rows = []
    for group in GROUPS:
        took = sorted(
            film.since_first_s
            for film in _of(films, group)
            if film.since_first_s is not None and film.said["all"] in (ACCEPTED, REFUSED)
        )
        if len(took) > 1:
            p90 = quantiles(took, n=10, method="inclusive")[-1]
            cells = [f"{median(took):.2f} s", f"{p90:.2f} s", f"{took[-1]:.2f} s"]
            rows.append([group, *cells, f"{len(took)}"])
    return table(["", "median", "p90", "longest", "n"], rows)


def stills(summary: Summary) -> Lines:
    """What the picture cues make of stills."""
    rows = []
    for label, (bad, judged, every) in summary.stills.items():
        error = "below the sum" if label == "live" else "not below"
        rows.append([label, error, _full(exact(bad, judged)), f"{every - judged} of {every}"])
    return table(["", "error", "rate", "no answer"], rows)


def matching(summary: Summary) -> Lines:
    """Errors of matching by the size of pools."""
    columns = summary.matching
    names = [str(column["name"]) for column in columns]
    rows = [[row, *(str(column.get(row, "")) for column in columns)] for row in columns[0]]
    return table(["", *names], [row for row in rows if row[0] != "name"])


def rest(summary: Summary) -> Lines:
    """Of when and of what the tables are."""
    fits = ", ".join(f"`{k}` {v[0]:.2f} to {v[1]:.2f}" for k, v in summary.fits.items())
    plain = [film for film in summary.films if not film.framing]
    people, sources = ({getattr(f, name) for f in plain} for name in ("person", "source"))
    text = (
        f"Made on {summary.made}: {len(plain)} films, with those that begin later, of {len(people)}"
        f" people from {len(sources)} sources; data {summary.data}, policy {summary.policy}."
        f" The refits: {fits}."
    )
    return wrap(text, 120, break_on_hyphens=False)


def blocks(summary: Summary) -> dict[str, Lines]:
    """Every table by its name in the docs."""
    plain = [film for film in summary.films if not film.framing]
    near = [film for film in summary.films if film.framing == "z"]
    return {
        "run": rest(summary),
        "errors": errors(plain),
        "rests": rests(plain),
        "wrong": found_wrong(plain),
        "near": errors(near) if near else ["Not measured."],
        "near-rests": rests(near) if near else ["Not measured."],
        "cues": cues(plain),
        "rates": rates(plain),
        "times": times(plain),
        "stills": stills(summary),
        "matching": matching(summary),
    }
