"""Synthetic people with known scores: what is counted, pooled, refused and written."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.policy import POLICIES
from server.tools.evaluation import match, report
from server.tools.evaluation.acquire import Acquired, View
from server.tools.evaluation.folder import EvaluationError, Item, Listing
from tests.pipeline.observations import identity, near

POLICY = POLICIES["standard"]


def _view(person: int, seed: int, cosine: float = 0.85, quality: float = 0.9) -> View:
    return View(quality, "blur", 0.0, near(identity(person), cosine, seed))


def _gave(*views: View) -> Acquired:
    return Acquired("", len(views), views)


def _people(count: int, files: int, cosine: float = 0.85) -> list[tuple[Item, Acquired, str]]:
    found = []
    for person in range(count):
        for k in range(files):
            name = f"p{person:02d}/{k}.jpg"
            seed = 1000 * person + k
            item = Item(Path(name), name, f"p{person:02d}", True)
            found.append((item, _gave(_view(person, seed, cosine)), f"{seed:064x}"))
    return found


def _evaluate(files: list[tuple[Item, Acquired, str]], **changes: Any) -> report.Report:
    given: dict[str, Any] = {
        "policy": POLICY,
        "embedder": "test",
        "enroll": 3,
        "probe": 2,
        "groups": {},
    }
    listing = Listing(tuple(item for item, _, _ in files), ("notes.txt",))
    return match.evaluate(listing, files, **{**given, **changes})


def test_counts_and_rates_of_clean_people() -> None:
    found = _evaluate(_people(12, 7)).data
    assert found["n"] == 84
    assert found["single"]["genuine"]["n"] == 12 * 21
    assert found["single"]["impostor"]["n"] == 66 * 49
    assert found["single"]["identity_pairs"] == 66
    # of seven files three enrol and two twice probe
    assert found["templates"]["genuine"]["n"] == 24
    assert found["templates"]["impostor"]["n"] == 24 * 11
    assert found["basis"] == "templates"
    assert found["eer"]["rate"] == 0.0
    assert found["eer"]["high"] > 0.02, "no error in twelve people is not certainty"
    assert found["identification"]["rank_1"]["rate"] == 1.0
    assert found["templates"]["at_policy"]["fnmr"]["rate"] == 0.0
    assert found["failure_to_enroll"]["n"] == 12


def test_scores_are_the_cosines_that_were_put_in() -> None:
    found = _evaluate(_people(8, 6, 0.8)).data
    assert found["single"]["genuine"]["mean"] == pytest.approx(0.64, abs=0.02)
    assert abs(found["single"]["impostor"]["mean"]) < 0.05
    # pooled: 3 against 2 of cosine c give about c^2 / sqrt(..) each side
    three, two = (0.64 + 0.36 / 3) ** 0.5, (0.64 + 0.36 / 2) ** 0.5
    expected = 0.64 / (three * two)
    assert found["templates"]["genuine"]["mean"] == pytest.approx(expected, abs=0.02)


def test_every_rate_has_its_n_and_interval() -> None:
    found = _evaluate(_people(6, 6)).data
    assert {"n", "apcer", "apcer_max", "bpcer", "acer", "eer", "tar_at_far"} <= set(found)
    assert list(found["tar_at_far"]) == ["1e-02", "1e-03", "1e-04", "1e-05"]

    def walk(value: Any) -> int:
        if isinstance(value, dict):
            if "rate" in value:
                assert {"n", "low", "high", "method"} <= set(value)
                if value["n"]:
                    assert 0 <= value["low"] <= value["rate"] + 1e-9 <= value["high"] + 2e-9
                return 1
            return sum(walk(v) for v in value.values())
        return 0

    assert walk(found) > 25
    supported = [found["tar_at_far"][name]["supported"] for name in found["tar_at_far"]]
    assert supported == [False] * 4, "15 pairs of people support none of these"


def test_a_look_alike_and_a_stranger_to_himself_are_named() -> None:
    files = _people(6, 6)
    # p05 looks like p04, and p03's last files show somebody else
    for k, (item, _, sha) in enumerate(files):
        if item.label == "p05":
            files[k] = (item, _gave(_view(4, 700 + k)), sha)
        if item.label == "p03" and item.name[-5] in "345":
            files[k] = (item, _gave(_view(90, 800 + k)), sha)
    found = _evaluate(files, enroll=1, probe=1)
    table = found.tables[1]
    assert table.title.startswith("What goes wrong")
    assert {row[:3] for row in table.rows} >= {
        ("false match", "p04", "p05"),
        ("false match", "p05", "p04"),
        ("false non-match", "p03", "p03"),
    }
    named = {(w["error"], w["template"], w["probe"]): w for w in found.data["wrong"]}
    assert named["false match", "p04", "p05"]["count"] == 5
    assert named["false match", "p04", "p05"]["of"] == 5
    assert ("false match", "p04", "p05", "5 of 5") in table.rows
    assert len(named) == table.total == len(table.rows)
    assert found.data["single"]["at_policy"]["fnmr"]["count"] == 9
    assert found.data["single"]["at_policy"]["fmr"]["count"] == 36
    assert found.data["identification"]["rank_1"]["rate"] < 1.0


def test_of_many_errors_the_worst_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    files = _people(12, 4)
    # all of them but p00 look like p01, some in fewer pictures; nobody like himself in the last
    for k, (item, _, sha) in enumerate(files):
        if item.label != "p00":
            files[k] = (item, _gave(_view(1, 900 + k)), sha)
        if item.label == "p02":
            files[k] = (item, _gave(_view(50 + k, 900 + k)), sha)
    every = _evaluate(files, enroll=1, probe=1)
    pairs = [w for w in every.data["wrong"] if w["error"] == "false match"]
    assert len(pairs) == 10 * 9
    assert [w["count"] for w in pairs] == sorted((w["count"] for w in pairs), reverse=True)
    shown = every.tables[1]
    assert len(shown.rows) == report.SHOWN
    assert shown.rows[-1] == ("false non-match", "p02", "p02", "3 of 3"), "both kinds are shown"
    assert "... and 51 more in report.json" in report.text(every)
    monkeypatch.setattr(match, "WORST", 7)
    few = _evaluate(files, enroll=1, probe=1)
    assert few.data["wrong"] == [*pairs[:7], every.data["wrong"][-1]]
    assert few.data["templates"] == every.data["templates"], "the rates are of all"


def test_what_cannot_be_used_is_listed_and_counted() -> None:
    files = _people(3, 4)
    bad = [
        Acquired("media_unreadable", 0, ()),
        Acquired("no_face", 1, ()),
        _gave(_view(0, 1, quality=POLICY.min_quality - 0.01)),
        _gave(replace(_view(0, 2), rival=0.9)),
    ]
    for k, gave in enumerate(bad):
        item = Item(Path("x"), f"p00/bad{k}.jpg", "p00", True)
        files.append((item, gave, f"{k:064x}"))
    found = _evaluate(files).data
    assert [(r["file"], r["reason"]) for r in found["refused"]] == [
        ("p00/bad0.jpg", "media_unreadable"),
        ("p00/bad1.jpg", "no_face"),
        ("p00/bad2.jpg", "quality_blur"),
        ("p00/bad3.jpg", "several_faces"),
    ]
    assert (found["failure_to_acquire"]["count"], found["failure_to_acquire"]["n"]) == (4, 16)
    assert found["ignored"] == ["notes.txt"]


def test_too_few_pictures_are_no_failure_to_enrol() -> None:
    files = _people(4, 5)
    short = [one for one in files if one[0].label != "p00" or one[0].name[-5] in "01"]
    broken = [
        (item, Acquired("no_face", 1, ()), sha) if item.label == "p01" else (item, gave, sha)
        for item, gave, sha in short
    ]
    found = _evaluate(broken).data
    assert found["too_few_pictures"] == ["p00"]
    assert found["not_enrolled"] == ["p01"]
    assert (found["failure_to_enroll"]["count"], found["failure_to_enroll"]["n"]) == (1, 3)


def test_no_file_is_on_both_sides() -> None:
    files = _people(5, 9)
    material = match.gather([(item, gave) for item, gave, _ in files], POLICY)
    pool = match.pools(material, 3, 2)
    for person in range(5):
        mine = [
            files
            for owners, side in (
                (pool.trials.owners, pool.trials.reference_files),
                (pool.trials.probe_owners, pool.trials.probe_files),
            )
            for owner, files in zip(owners, side, strict=True)
            if owner == person
        ]
        assert len(mine) == 4
        assert sum(len(files) for files in mine) == len(frozenset().union(*mine))
    again = match.pools(material, 3, 2)
    assert np.array_equal(pool.trials.references, again.trials.references)


def test_one_clip_is_a_template() -> None:
    files = []
    for person in range(3):
        for k in range(2):
            name = f"p{person}/{k}.mp4"
            views = [_view(person, 100 * person + 10 * k + j) for j in range(5)]
            files.append((Item(Path(name), name, f"p{person}", False), _gave(*views), f"{k}"))
    found = _evaluate(files, enroll=5, probe=3).data
    assert found["templates"]["genuine"]["n"] == 3
    assert found["single"]["genuine"]["n"] == 3, "a clip is one single image, its best"


def test_groups_and_the_worst_of_them() -> None:
    files = _people(12, 6)
    for k, (item, _, sha) in enumerate(files):
        person = int(item.label[1:])
        if person >= 6:  # harder to recognise
            files[k] = (item, _gave(_view(person, 9000 + k, 0.62)), sha)
    members = {f"p{k:02d}": "easy" if k < 6 else "hard" for k in range(12)}
    found = _evaluate(files, enroll=1, probe=1, groups={"kind": members}).data["groups"]["kind"]
    groups = found["templates"]["groups"]
    assert groups["easy"]["fnmr"]["rate"] == 0.0
    hard = groups["hard"]["fnmr"]["rate"]
    assert hard > 0.8
    assert found["templates"]["fnmr_worst_to_mean"] == pytest.approx(2.0)
    assert groups["easy"]["fmr"]["n"] == 6 * 5 * 5, "within the group alone"
    by_file = {
        f"p{k:02d}/{n}.jpg": "day" if n < 3 else "night" for k in range(12) for n in range(6)
    }
    found = _evaluate(files, groups={"light": by_file}).data["groups"]["light"]
    assert found["single"]["groups"]["day"]["fmr"]["n"] == 66 * 9


def test_nobody_to_compare() -> None:
    files = [
        (i, Acquired("no_face", 1, ()) if i.label != "p00" else k, s) for i, k, s in _people(3, 3)
    ]
    with pytest.raises(EvaluationError, match="no_faces"):
        _evaluate(files)


def test_what_a_file_gave_survives_the_cache() -> None:
    gave = Acquired("", 3, (_view(1, 2), _view(1, 3)))
    again = Acquired.from_json(json.loads(json.dumps(gave.to_json())))
    assert again.pictures == 3
    for one, other in zip(gave.views, again.views, strict=True):
        assert np.array_equal(one.embedding, other.embedding)
        assert (one.quality, one.fault, one.rival) == (other.quality, other.fault, other.rival)


def test_the_report_is_one_page_and_holds_no_face(tmp_path: Path) -> None:
    files = _people(5, 6)
    name = '<script>"x"</script>\x1b[2J|'
    files.append((Item(Path("x"), f"p00/{name}.jpg", "p00", True), Acquired("no_face", 1, ()), "f"))
    found = _evaluate(files)
    report.write(found, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert not re.search(r"<(img|link|iframe|image)\b|src=|@import|url\((?!#)", page)
    assert set(re.findall(r'https?://[^"\s<]+', page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    said = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert said["n"] == 31
    assert "embedding" not in json.dumps(said)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    shown = report.text(found)
    assert "\x1b" not in shown
    widths = {len(line) for line in shown.splitlines() if line.startswith("| EER")}
    assert len(widths) == 2
