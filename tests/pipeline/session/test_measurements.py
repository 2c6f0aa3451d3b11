"""The table of measurements: what is asked when, what counts as made, who reads it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.observation import Ask
from pipeline.policy import Policy
from pipeline.session.measurements import (
    MEASUREMENTS,
    ORDER,
    Situation,
    cues,
    made,
    needs,
    next_ask,
    periods_s,
)
from tests.pipeline.lights import observation
from tests.pipeline.observations import ROI, Camera, chosen_points, face

POLICY = Policy()
NAMES = [one.name for one in MEASUREMENTS]
OPEN = Situation(POLICY, roi=ROI, gathering=True)
UNDECIDED = replace(OPEN, undecided=True)
TRACKS = chosen_points(0)

ASKS = {
    "detect": Ask(roi=ROI, detect=True),
    "embed": Ask(roi=ROI, embed_above=POLICY.min_quality),
    "spoof": Ask(roi=ROI, spoof=True, detail=True),
    "edges": Ask(roi=ROI, edges=True, glow=True, mouth=True),
    "eyes": Ask(roi=ROI, eyes=True),
    "attention": Ask(roi=ROI, eyes=True),
    "motion": Ask(roi=ROI, motion=True, tracks=TRACKS),
}


def test_names_are_apart_and_each_period_is_the_policys():
    assert len(set(NAMES)) == len(NAMES)
    assert periods_s(POLICY) == {
        "detect": POLICY.detect_period_s,
        "embed": POLICY.embed_period_s,
        "spoof": POLICY.spoof_period_s,
        "edges": POLICY.edges_period_s,
        "eyes": POLICY.eyes_period_s,
        "attention": POLICY.attention_period_s,
        "tint": 0.0,
        "motion": POLICY.motion_period_s,
    }
    assert needs(POLICY) == {
        "detect": 1,
        "embed": POLICY.embeddings,
        "spoof": POLICY.spoof_votes,
        "edges": POLICY.border_samples,
        "eyes": 0,
        "attention": 3,
        "tint": 0,
        "motion": 1 + POLICY.motion_samples,
    }


@pytest.mark.parametrize("name", ASKS)
def test_what_is_due_is_asked_for_alone(name):
    assert next_ask([name], [], replace(UNDECIDED, tracks=TRACKS)) == ASKS[name]
    assert next_ask([], [name], replace(UNDECIDED, tracks=TRACKS, glanced=True)) == ASKS[name]


def test_what_is_not_due_is_not_asked_for():
    assert next_ask([], [], UNDECIDED) == Ask(roi=ROI)


def test_before_a_window_nothing_but_a_face_is_looked_for():
    everything = Situation(POLICY, roi=ROI, doubts=True, undecided=True, lit=True, tracks=TRACKS)
    assert next_ask(NAMES, NAMES, everything) == Ask(roi=ROI, detect=True)


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({"missed": True}, ASKS["detect"]),
        ({"doubts": True}, ASKS["embed"]),
    ],
)
def test_cause_to_look_at_once_does_not_wait_for_the_period(change, asked):
    assert next_ask([], [], replace(OPEN, **change)) == asked


def test_eyes_are_looked_at_often_only_where_a_blink_could_matter():
    assert next_ask([], ["eyes"], OPEN) == Ask(roi=ROI)
    assert next_ask([], ["attention"], OPEN) == ASKS["attention"]
    assert next_ask([], ["eyes"], UNDECIDED) == ASKS["eyes"]


def weight(ask: Ask) -> int:
    """How much of a frame's room it takes."""
    single, double = (ask.edges, ask.eyes, ask.motion), (ask.spoof, ask.embed_above is not None)
    return sum(single) + 2 * sum(double)


def test_no_frame_carries_everything_and_what_is_not_lacking_leaves_room():
    lacking = next_ask(NAMES, [], replace(UNDECIDED, doubts=True, ripe=True, quick=True))
    assert weight(lacking) == POLICY.asks_needed == 3
    assert weight(next_ask([], NAMES, OPEN)) == POLICY.asks_more == 2
    assert weight(next_ask([], NAMES, replace(OPEN, glanced=True))) == POLICY.asks_needed
    # What is lacking goes first, and the rest has what is left of its own room.
    some = next_ask(["edges"], ["spoof", "motion", "attention"], OPEN)
    assert (some.edges, some.spoof, some.motion, some.eyes) == (True, False, True, False)


def test_the_detector_finds_room_in_every_frame():
    full = next_ask(["motion", "embed"], ["detect"], OPEN)
    assert (weight(full), full.detect) == (3, True)


def test_an_embedding_of_now_comes_first_once_nothing_else_is_wanting():
    rest = ["spoof", "motion", "embed"]
    assert next_ask([], rest, OPEN).embed_above is None
    assert next_ask([], rest, replace(OPEN, ripe=True)).embed_above is not None
    assert next_ask([], rest[:2], replace(OPEN, ripe=True)).embed_above is None


def test_eyes_come_first_where_frames_are_quick_enough_for_a_blink():
    rest = ["spoof", "motion", "eyes"]
    assert not next_ask([], rest, UNDECIDED).eyes
    assert next_ask([], rest, replace(UNDECIDED, quick=True)).eyes
    assert not next_ask([], rest, replace(OPEN, quick=True)).eyes


def test_the_vote_finds_room_beside_the_eyes_of_a_doubtful_window():
    rest = ["motion", "edges", "eyes", "spoof"]
    doubtful = next_ask([], rest, replace(UNDECIDED, quick=True))
    assert (doubtful.spoof, doubtful.eyes, weight(doubtful)) == (True, True, 3)
    assert not next_ask([], rest[:3], replace(UNDECIDED, quick=True)).spoof


def test_every_second_frame_of_a_quick_camera_is_glanced_at_where_nothing_is_in_doubt():
    quick = replace(OPEN, quick=True, ripe=True)
    assert next_ask([], NAMES, quick) == Ask()
    looked = (
        {"ripe": False},
        {"glanced": True},
        {"quick": False},
        {"gathering": False},
        {"missed": True},
        {"doubts": True},
        {"undecided": True},
        {"answering": True},
    )
    for change in looked:
        assert next_ask([], NAMES, replace(quick, **change)).roi is ROI, change


def test_colours_are_measured_for_a_challenge_only():
    assert next_ask([], ["tint"], OPEN) == Ask(roi=ROI)
    assert next_ask([], ["tint"], replace(OPEN, lit=True)) == Ask(roi=ROI, tint=True)


@pytest.mark.parametrize("name", ["spoof", "edges", "eyes", "attention", "motion"])
def test_what_was_asked_for_on_a_face_is_made_even_where_nothing_came_of_it(name):
    alike = [other for other in ASKS if ASKS[other] == ASKS[name]]
    assert made(ASKS[name], observation(1, 100.0, face())) == alike
    assert made(ASKS[name], observation(1, 100.0, None)) == []
    assert made(Ask(), observation(1, 100.0, face())) == []


def test_an_embedding_is_made_only_where_there_is_one():
    poor, good = Camera(look={"quality": 0.1}), Camera()
    assert made(ASKS["embed"], poor.shot(ASKS["embed"])) == []
    assert made(ASKS["embed"], good.shot(ASKS["embed"])) == ["embed"]


def test_a_detector_that_saw_nobody_was_run():
    nobody = observation(1, 100.0, None)
    assert made(ASKS["detect"], nobody) == []
    assert made(ASKS["detect"], replace(nobody, faces=0)) == ["detect"]


def test_every_cue_that_reads_something_is_in_the_table_once():
    readers = [cue for one in MEASUREMENTS for cue in one.cues]
    assert sorted(map(str, readers)) == sorted(map(str, ORDER))
    assert [type(cue) for cue in cues()] == list(ORDER)
    assert all(one is not other for one, other in zip(cues(), cues(), strict=True))


def test_each_cue_reads_what_its_measurement_brings_and_nothing_else():
    """Of frames in which one thing was measured, only the cues on its line have anything to say."""
    wanted = replace(UNDECIDED, tracks=TRACKS)
    for one in MEASUREMENTS:
        camera, found = Camera(blink_s=0.7), cues()
        unread = [cue.row(POLICY) for cue in found]
        for obs in camera.shots(next_ask([one.name], [], wanted), 24):
            for cue in found:
                cue.add(obs)
        heard = {
            type(cue) for cue, row in zip(found, unread, strict=True) if cue.row(POLICY) != row
        }
        alike = [other for other in MEASUREMENTS if ASKS.get(other.name) == ASKS.get(one.name)]
        assert heard == {cue for other in alike for cue in other.cues}, one.name
