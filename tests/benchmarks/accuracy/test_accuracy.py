"""The docs' tables are those of the committed summary, and count what it holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.accuracy import blocks, tables
from benchmarks.accuracy.summary import FILE, Film, Summary, moved

FILM = Film(
    id="0123456789", group="webcam", label="live", framing="", person=0, source=0,
    said=dict.fromkeys(("first", "retry", "all"), "accepted"),
    left_out=dict.fromkeys(("first", "retry", "all"), "accepted"),
    s=3.0, since_first_s=1.5, gathered=True, windows=2, known={"spoof": 2},
    cues={"spoof": 3.0}, llr={"spoof": 2.4, "bezel": 0.7}, hints=[],
)  # fmt: skip


def film(group: str, said: str, n: int, **changed: object) -> Film:
    label = {"webcam": "live", "studio": "live", "nuaa": "live"}.get(group, f"{group}_x")
    kinds = dict.fromkeys(("first", "retry", "all"), said)
    one = replace(FILM, id=f"{group}{n}", group=group, label=label, person=n, source=n // 2)
    return replace(one, said=kinds, left_out=kinds, **changed)


FILMS = [
    *(film("webcam", "accepted", n) for n in range(4)),
    film("webcam", "rejected liveness", 4),
    film("webcam", "over", 5),
    *(film("print", "rejected liveness", n) for n in range(6, 9)),
    film("replay", "accepted", 9, cues={"spoof": -2.0}),
    film("replay", "over", 10),
]
SUMMARY = Summary("d", "p", "2026-01-01", {"spoof_gain": [0.4, 0.5]}, [{"name": "x"}], {}, FILMS)


@pytest.fixture(scope="module")
def committed() -> Summary:
    return Summary.read(FILE.read_text("utf-8"))


@pytest.mark.parametrize("page", blocks.PAGES)
def test_a_page_says_what_the_summary_holds(page: str, committed: Summary) -> None:
    """Red: run `make accuracy DATA=DIR`, and look at what moved (docs/evaluation.md)."""
    made = tables.blocks(committed)
    found = blocks.found((blocks.ROOT / page).read_text("utf-8"))
    assert found, page
    for name, text in found.items():
        assert text.strip() == "\n".join(made[name]).strip(), name


def test_every_table_is_on_a_page(committed: Summary) -> None:
    pages = [blocks.found((blocks.ROOT / page).read_text("utf-8")) for page in blocks.PAGES]
    assert {name for page in pages for name in page} == set(tables.blocks(committed))


def test_the_summary_names_nobody(committed: Summary) -> None:
    assert len(committed.films) > 100
    for one in committed.films:
        assert one.id[:10].isalnum()
        assert set(one.id[:10]) <= set("0123456789abcdef")
        assert isinstance(one.person, int)
        assert isinstance(one.source, int)


def test_a_summary_survives_its_file() -> None:
    text = SUMMARY.text()
    assert Summary.read(text) == SUMMARY
    assert Summary.read(text).text() == text
    assert list(Summary.read(text).films[0].llr) == ["spoof", "bezel"]
    lines = text.splitlines()
    assert sum("webcam4" in line for line in lines) == 1, "one line a film"


def test_what_moved_is_said_by_film() -> None:
    now = replace(
        SUMMARY, films=[replace(FILMS[0], said=FILMS[4].said), *FILMS[1:], film("nuaa", "over", 99)]
    )
    assert moved(SUMMARY, now) == ["webcam0 (webcam): accepted, now rejected liveness"]
    assert moved(SUMMARY, SUMMARY) == []


def _cells(lines: list[str], first: str) -> list[str]:
    (row,) = [line for line in lines if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


def test_errors_are_counted_by_group() -> None:
    lines = tables.errors(FILMS)
    assert "webcam BPCER | print APCER | replay APCER" in lines[0]
    webcam, prints, replays = _cells(lines, "three windows")
    assert webcam.startswith("1/5 [")
    assert webcam.endswith("(1 silent)")
    assert prints.startswith("0/3 [0, 71]")
    assert replays.startswith("1/2 ["), "an attack without a verdict was not accepted"


def test_a_rate_says_on_whom_it_rests() -> None:
    cells = _cells(tables.rests(FILMS), "webcam")
    assert cells[:3] == ["6", "6", "3"]
    assert cells[4] == "[0, 100] %", "of three sources one is wrong throughout"
    assert cells[5].startswith("1/6 [")


def test_the_rates_are_those_of_the_evaluation() -> None:
    lines = tables.rates(FILMS)
    assert _cells(lines, "BPCER")[0].endswith("(1/5)")
    assert _cells(lines, "APCER replay_x")[0].endswith("(1/1)"), "of those with an answer"
    assert _cells(lines, "APCER replay_x")[1].endswith("(1/2)")
    assert _cells(lines, "**APCER, the worst species**")[0].endswith("(1/1)")
    assert _cells(lines, "ACER")[0].startswith("60.00 %")


def test_wrong_and_silent_films_are_listed_and_injected_ones_are_not() -> None:
    films = [*FILMS, film("deepfake", "accepted", 20)]
    listed = [line.split("|")[1].strip() for line in tables.found_wrong(films)[2:]]
    assert listed == ["webcam4", "webcam5", "replay9"]


def test_cues_are_ranked_by_film() -> None:
    assert _cells(tables.cues(FILMS), "`spoof`")[0] == "0.75 (6/2)"


def test_only_what_stands_between_the_marks_is_written() -> None:
    page = "a\n<!-- accuracy: x -->\nold\n<!-- accuracy end -->\nb\n"
    text = blocks.filled(page, {"x": ["| n |", "| 1 |"]})
    assert blocks.found(text) == {"x": "| n |\n| 1 |"}
    assert text.startswith("a\n<!--")
    assert text.endswith("end -->\nb\n")
    assert blocks.filled(text, {"x": ["| n |", "| 1 |"]}) == text
    with pytest.raises(KeyError):
        blocks.filled(page, {})
