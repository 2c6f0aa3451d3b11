"""What sessions said, counted: errors by species, silence, times, cues."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.policy import POLICIES
from server.tools.evaluation import cues
from server.tools.evaluation.folder import EvaluationError, Item, Listing
from server.tools.evaluation.liveness import evaluate as liveness
from server.tools.evaluation.liveness.counts import curve, equal
from server.tools.evaluation.liveness.evaluate import About, LeftOut
from server.tools.evaluation.liveness.origins import Origin
from server.tools.evaluation.report import Report

POLICY = POLICIES["standard"]


def _row(cue: str, llr: float = 0.0, stand: str = "for", **numbers: float) -> dict[str, Any]:
    return {
        "cue": cue, "topic": "liveness", "stand": stand, "reason": "r", "llr": llr,
        "certain": False, "numbers": numbers,
    }  # fmt: skip


def _film(label: str, said: str, score: float | None = 1.0, k: int = 0) -> tuple[Item, dict, str]:
    phase, reasons = {
        "accepted": ("accepted", []),
        "refused": ("rejected", ["liveness"]),
        "poor": ("rejected", ["quality"]),
        "over": (None, []),
        "nothing": (None, []),
    }[said]
    margin = 3.0 if score is None else score
    value = {
        "failure": "", "pictures": 60, "seconds": 4.0, "phase": phase, "reasons": reasons,
        "took_s": 1.5, "since_first_s": 1.5 + k / 10, "gathered": said != "nothing", "hints": [],
        "rows": [_row("spoof", margin, margin=margin)],
        "windows": [] if score is None else [[_row("spoof", margin, margin=margin)]],
        "sums": [] if score is None else [score],
    }  # fmt: skip
    name = f"{label}/{said}{k}{score}.mp4"
    return Item(Path(name), name, label, False), cues.slim(value), name


def _still(label: str, total: float | None, veto: bool = False) -> tuple[Item, dict, str]:
    value = {
        "failure": "" if total is not None else "no_face",
        "rows": [],
        "sum": total,
        "veto": veto,
    }
    name = f"{label}/{total}{veto}.jpg"
    return Item(Path(name), name, label, True), value, name


def _evaluate(values: list[tuple[Item, dict, str]], about: About | None = None) -> Report:
    listing = Listing(tuple(item for item, _, _ in values), ("live/notes.txt",))
    return liveness.evaluate(listing, values, policy=POLICY, about=about)


def _mixed() -> list[tuple[Item, dict, str]]:
    films = [_film("live", "accepted", 3.0, k) for k in range(8)]
    films += [_film("live", "refused", -2.5), _film("live", "nothing", None)]
    films += [_film("print", "refused", -3.0, k) for k in range(5)]
    films += [_film("replay", "accepted", 2.0), _film("replay", "over", None)]
    films += [_film("replay", "refused", -2.0, k) for k in range(3)]
    return films


def test_errors_by_species_and_the_worst_of_them() -> None:
    found = _evaluate(_mixed()).data
    assert found["n"] == 20
    assert {k: (r["count"], r["n"]) for k, r in found["apcer"].items()} == {
        "print": (0, 5),
        "replay": (1, 4),
    }
    assert found["apcer_max"]["rate"] == 0.25
    assert (found["bpcer"]["count"], found["bpcer"]["n"]) == (1, 9)
    assert found["acer"]["rate"] == pytest.approx((1 / 4 + 1 / 9) / 2)
    assert found["non_response"]["replay"]["count"] == 1
    assert found["failure_to_acquire"]["live"]["count"] == 1
    assert found["failure_to_acquire"]["replay"]["count"] == 0
    assert [e["file"].split("/")[0] for e in found["errors"]] == ["live", "replay"]
    assert {s["reason"] for s in found["silent"]} == {"no_usable_frame", "film_over"}


def test_precision_recall_and_f1_by_hand() -> None:
    found = _evaluate(_mixed()).data
    assert found["precision"]["rate"] == pytest.approx(8 / 9)
    assert found["recall"]["rate"] == pytest.approx(8 / 9)
    assert found["f1"]["rate"] == pytest.approx(8 / 9)
    assert found["f1"]["low"] < 8 / 9 < found["f1"]["high"]


def test_a_species_that_was_never_judged_is_no_zero() -> None:
    values = [_film("live", "accepted"), _film("mask", "over", None), _film("print", "refused")]
    found = _evaluate(values).data
    assert found["apcer"]["mask"]["rate"] is None
    assert found["apcer"]["mask"]["high"] == 1.0
    assert found["apcer_max"]["n"] == 1


def test_the_curve_by_hand() -> None:
    at, apcer, bpcer = curve([1.0, 2.0, 3.0], [0.0, 2.0])
    assert at.tolist() == [0.0, 1.0, 2.0, 3.0, math.inf]
    assert apcer.tolist() == [1.0, 0.5, 0.5, 0.0, 0.0]
    assert bpcer.tolist() == pytest.approx([0.0, 0.0, 1 / 3, 2 / 3, 1.0])


def test_times_are_of_answers_alone() -> None:
    found = _evaluate(_mixed()).data["time_to_decision_s"]
    assert found["live"]["n"] == 9
    assert found["live"]["max"] == pytest.approx(2.2)
    assert found["print"]["median"] == pytest.approx(1.7)


def test_cues_are_ranked_by_what_they_measured() -> None:
    found = _evaluate(_mixed()).data["cues"]["spoof"]
    # live 3.0 (8 times) and -2.5; attacks -3 (5), 2, -2 (3)
    assert found["auc"]["all"]["auc"] == pytest.approx((8 * 9 + 5) / 81)
    assert found["auc"]["print"]["auc"] == 1.0
    assert found["auc"]["print"]["low"] < 0.6, "five films are not certainty"
    assert found["coverage"]["live"]["n"] == 9


def test_what_a_cue_measured() -> None:
    rows = [
        _row("bezel", 0.7, second_edge=0.3),
        _row("plane", 0.0, "unknown", samples=5, ratio=0.9),
        {**_row("blink", 0.0, "unknown"), "reason": "none_seen"},
        _row("freshness"),
        _row("detail", -0.6, "open", log_ratio=-4.0),
    ]
    assert cues.measured(rows, "bezel") == -0.3
    assert cues.measured(rows, "plane") == 0.9
    assert cues.measured(rows, "blink") == 0.0
    assert cues.measured(rows, "freshness") == 0.0
    assert cues.measured(rows, "detail") == -4.0
    assert cues.measured(rows, "spoof") is None
    assert cues.measured([_row("spoof", 0.0, "unknown", votes=2)], "spoof") is None
    few = [{**_row("blink", 0.0, "unknown"), "reason": "too_few_samples"}]
    assert cues.measured(few, "blink") is None


def test_stills_are_never_mixed_with_films() -> None:
    stills = [
        _still("live", 3.0), _still("live", 1.0), _still("live", 5.0, veto=True),
        _still("print", 2.0), _still("print", None), _still("cutout", -1.0),
    ]  # fmt: skip
    with_, without = _evaluate(_mixed() + stills).data, _evaluate(_mixed()).data
    for key in ("n", "apcer", "apcer_max", "bpcer", "acer", "eer", "scores", "cues", "f1"):
        assert with_[key] == without[key]
    found = with_["stills"]
    assert found["n"] == 6
    assert (found["bpcer"]["count"], found["bpcer"]["n"]) == (2, 3)
    assert found["apcer"]["print"]["rate"] == 1.0
    assert found["apcer"]["cutout"]["rate"] == 0.0
    assert [s["reason"] for s in with_["stills_silent"]] == ["no_face"]


def test_stills_alone_are_a_report() -> None:
    found = _evaluate([_still("live", 3.0), _still("print", 0.0)])
    assert found.data["n"] == 0
    assert found.data["apcer_max"]["rate"] is None
    assert found.data["eer"]["rate"] is None


def test_no_answer_at_all() -> None:
    with pytest.raises(EvaluationError, match="no_answers"):
        _evaluate([_film("live", "over", None), _still("print", None)])


def test_the_tables_begin_with_what_went_wrong() -> None:
    found = _evaluate(_mixed())
    assert found.tables[0].title.startswith("Errors")
    assert found.tables[0].rows[0][1] == "accepted", "attacks first"
    assert ("live/notes.txt", "not_looked_at", "") in found.tables[1].rows
    assert len(found.plots()) == 3


def test_equal_errors_of_separate_scores() -> None:
    rate, at = equal(list(np.linspace(1, 2, 20)), list(np.linspace(-2, 0, 20)))
    assert rate.rate == 0.0
    assert at == 1.0


def _table(report: Report, title: str) -> dict[str, tuple[str, ...]]:
    (table,) = [t for t in report.tables if t.title.startswith(title)]
    return {row[0]: row for row in table.rows}


def test_a_rate_says_on_whom_it_rests() -> None:
    """Nine answered films of two people, the wrong one of the second's source."""
    values = _mixed()
    known = {
        item.name: Origin("ann", "cam") if k < 8 else Origin("bob", "tv")
        for k, (item, _, _) in enumerate(v for v in values if v[0].label == "live")
    }
    found = _evaluate(values, About(known))
    bpcer = found.data["bpcer"]
    assert (bpcer["people"], bpcer["sources"]) == (2, 2)
    over = bpcer["over_sources"]
    assert (over["count"], over["n"], over["method"]) == (1, 9, "bootstrap over sources")
    assert (over["low"], over["high"]) == (0.0, 1.0), "one of two sources is wrong throughout"
    print_ = found.data["apcer"]["print"]
    assert (print_["people"], print_["sources"]) == (1, 1), "files without a row are one source"
    assert print_["over_sources"]["high"] == pytest.approx(0.975)
    assert print_["high"] < 0.53
    assert _table(found, "Rates")["BPCER"][-3:] == ("2", "2", "[0.0, 100.0]")
    plain = _evaluate(values)
    assert "people" not in plain.data["bpcer"]
    assert len(_table(plain, "Rates")["BPCER"]) == 4


def test_bpcer_by_group() -> None:
    values = _mixed()
    live = [item.name for item, _, _ in values if item.label == "live"]
    known = {name: Origin(f"p{k}", "s") for k, name in enumerate(live)}
    by_path = {name: "old" if k >= 6 else "young" for k, name in enumerate(live)}
    by_person = {f"p{k}": group for k, group in enumerate(by_path.values())}
    for members in (by_path, by_person):
        found = _evaluate(values, About(known, {"age": members})).data["groups"]["age"]
        old, young = found["groups"]["old"], found["groups"]["young"]
        assert (old["bpcer"]["count"], old["bpcer"]["n"]) == (1, 3)
        assert (old["non_response"]["count"], old["people"]) == (1, 4)
        assert (young["bpcer"]["count"], young["bpcer"]["n"]) == (0, 6)
        assert found["worst_over_mean"] == pytest.approx(2.0)
    report = _evaluate(values, About({}, {"age": by_path}))
    assert report.data["groups"]["age"]["groups"]["old"]["people"] is None
    assert _evaluate(values).data["groups"] == {}


def test_rates_by_fits_that_had_not_seen_the_films() -> None:
    values = _mixed()
    worse = [_film("replay", "accepted", 2.0, k) for k in range(4)]
    again = [v for v in values if v[0].label != "replay"] + worse
    two = {"a": replace(POLICY, spoof_gain=0.4), "b": replace(POLICY, spoof_gain=0.6)}
    found = _evaluate(values, About(left_out=LeftOut(again, two)))
    left = found.data["leave_one_source_out"]
    assert found.data["apcer"]["replay"]["rate"] == 0.25
    assert left["apcer"]["replay"]["rate"] == 1.0
    assert left["fits"]["spoof_gain"] == [0.4, 0.6]
    assert "spoof_gain 0.40 to 0.60" in next(
        t.note for t in found.tables if "without it" in t.title
    )
    assert _evaluate(values).data["leave_one_source_out"] is None
