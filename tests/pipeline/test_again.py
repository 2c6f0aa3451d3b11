"""A recorded table decided again: the same under its own policy, and what another would have said.

The rows are those of whole sessions, as they are recorded: rounded, and as JSON.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from math import isnan
from typing import Any

import pytest

from pipeline.again import AGAIN, BY, decide_again, not_followed, read_row, under
from pipeline.decision import Decision, Evidence, Moment, Stand, Step, Topic
from pipeline.inputs import Seen
from pipeline.policy import POLICIES, Policy
from pipeline.reasons import Purpose, Reason
from pipeline.session.session import SessionPipeline
from tests.pipeline.observations import Camera, gallery

POLICY = POLICIES["standard"]


def recorded(
    camera: Camera, policy: Policy = POLICY, purpose: Purpose = Purpose.LOGIN
) -> tuple[list[Evidence], Moment]:
    """The table that ended a session, as it comes out of a record."""
    people = (1, 2, 3) if purpose is Purpose.IDENTIFY else (1,)
    session = SessionPipeline(
        purpose=purpose,
        policy=policy,
        gallery=gallery(*people),
        model_id="test",
        started_s=100.0,
    )
    for _ in range(int(30 * camera.fps)):
        if session.over:
            break
        session.receive(Seen(camera.shot(session.ask())))
    assert session.over
    assert session.moment is not None
    text = json.dumps([row.to_json() for row in session.evidence()])
    return [read_row(row) for row in json.loads(text)], session.moment


ACCEPTED = Decision(Step.ACCEPT)
REFUSED = Decision(Step.REJECT, (Reason.LIVENESS,))


def test_a_table_comes_out_as_it_was_decided():
    for camera, expected in (
        (Camera(person=1), ACCEPTED),
        (Camera(person=1, margin=-7.0), REFUSED),
        (Camera(person=2), Decision(Step.REJECT, (Reason.NO_MATCH,))),
    ):
        rows, moment = recorded(camera)
        assert decide_again(rows, POLICY, moment, search=False) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"match_score": 1.01}, Step.GO_ON),
        ({"match_score": 1.01, "mismatch_score": 1.01}, Step.REJECT),
        ({"accept_llr": 50.0, "early_accept_llr": 50.0}, Step.GO_ON),
        ({"required": ("face", "light")}, Step.GO_ON),
        ({"spoof_offset": -9.0, "early_reject_llr": -2.0}, Step.REJECT),
        ({"spoof_floor": 50.0}, Step.GO_ON),
        ({"early_accept_llr": 50.0, "accept_llr": 50.0, "accept_late_llr": 50.0}, Step.GO_ON),
        ({"reject_llr": 50.0, "early_reject_llr": 50.0}, Step.REJECT),
        ({"clear_s": 0.9, "reject_llr": 50.0}, Step.REJECT),
        ({"eyes_open": 0.9}, Step.ACCEPT),
    ],
    ids=str,
)
def test_other_thresholds_say_something_else(change: dict[str, Any], expected: Step):
    rows, moment = recorded(Camera(person=1))
    other = replace(POLICY, **change)
    assert decide_again(rows, other, moment, search=False).step is expected


def test_a_refused_face_may_be_accepted_by_a_milder_policy():
    rows, moment = recorded(Camera(person=1), replace(POLICY, match_score=1.01))
    assert decide_again(rows, POLICY, moment, search=False) == ACCEPTED


def test_who_was_searched_for_is_judged_as_in_a_search():
    rows, moment = recorded(Camera(person=1), purpose=Purpose.IDENTIFY)
    assert decide_again(rows, POLICY, moment, search=True) == ACCEPTED
    wide = replace(POLICY, identify_margin=2.0)
    assert decide_again(rows, wide, moment, search=True).step is Step.GO_ON
    assert decide_again(rows, wide, moment, search=False) == ACCEPTED


def test_a_challenge_that_was_asked_is_required_again():
    rows, moment = recorded(Camera(person=1))
    asked = replace(moment, asked="light")
    assert decide_again(rows, POLICY, asked, search=False).step is Step.GO_ON


MEASURED = {
    "spoof": {"votes": 5.0, "margin": 1.5, "wide": 2.0, "spoof2": -0.3},
    "background": {"samples": 3.0, "stays": 0.7},
    "glow": {"samples": 3.0, "log_ratio": 0.4},
    "detail": {"samples": 3.0, "log_ratio": -3.7},
    "micro": {"samples": 3.0, "eye_change": 0.8},
}
OTHER = replace(
    POLICY,
    spoof_gain=-1.0,
    spoof2_offset=2.0,
    background_zero=0.9,
    glow_gain=-3.0,
    glow_clip=(-2.0, 0.5),
    detail_zero=-3.0,
    micro_offset=-2.0,
)


@pytest.mark.parametrize("cue", AGAIN)
def test_a_row_follows_the_policy_as_its_cue_does(cue: str):
    """Not measured stays so, whatever the policy."""
    _, judge = AGAIN[cue]
    row = read_row(judge(MEASURED[cue], POLICY).to_json())
    assert under(row, POLICY, search=False).to_json() == row.to_json()
    other = under(row, OTHER, search=False)
    assert other.to_json() == judge(MEASURED[cue], OTHER).to_json()
    assert other.llr != row.llr
    unknown = read_row({**row.to_json(), "stand": "unknown", "numbers": {"samples": 1.0}})
    assert under(unknown, OTHER, search=False) == unknown


def test_what_was_not_finite_is_no_number():
    told = Evidence("x", Topic.LIVENESS, Stand.OPEN, "y").to_json()
    assert isnan(read_row({**told, "numbers": {"a": None}}).numbers["a"])


def test_fields_that_no_table_follows_are_named():
    other = replace(POLICY, match_score=0.7, eyes_open=0.3, name="other")
    assert not_followed(POLICY, other) == ["eyes_open"]
    assert set(BY) <= {field.name for field in fields(Policy)}
