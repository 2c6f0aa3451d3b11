"""A session that is undecided looks at few rows; what it says is what all of them would say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.decision import Bounds, Evidence, Stand, Step, Topic, bounds, decide, undecided
from pipeline.inputs import Seen
from pipeline.policy import POLICIES
from tests.pipeline.observations import Camera
from tests.pipeline.session.test_session import doubtful, started

POLICY = POLICIES["standard"]
CUES = ("spoof", "bezel", "background", "glow", "micro", "plane", "blink")

ratios = st.floats(-4, 4) | st.sampled_from([0.0, 1.5, -2.0])
stands = st.sampled_from(list(Stand))


@st.composite
def tables(draw: st.DrawFn) -> list[Evidence]:
    """Rows of every cue, as cues give them."""
    rows = []
    for cue in CUES:
        stand = draw(stands)
        certain = stand is Stand.AGAINST and draw(st.booleans())
        llr = 0.0 if stand is Stand.UNKNOWN else draw(ratios)
        rows.append(Evidence(cue, Topic.LIVENESS, stand, "x", llr, certain))
    owner = draw(st.sampled_from([Topic.IDENTITY, Topic.QUALITY]))
    rows.append(Evidence("face", Topic.QUALITY, draw(stands), "x"))
    rows.append(Evidence("identity", owner, draw(stands), "x", certain=draw(st.booleans())))
    rows.append(Evidence("freshness", Topic.LIVENESS, draw(stands), "x"))
    return rows


policies = st.builds(
    replace,
    st.just(POLICY),
    required=st.lists(st.sampled_from(["face", "freshness", "identity", "spoof"]), unique=True).map(
        tuple
    ),
    weighed=st.lists(st.sampled_from(["freshness", "spoof", "bezel"]), unique=True).map(tuple),
)


@settings(max_examples=600, deadline=None)
@given(tables(), policies, st.sampled_from([0.9, 1.2, 1.5, 2.0, 2.9]), st.sampled_from([0.9, 1.5]))
def test_what_is_undecided_goes_on_whatever_the_other_rows_are(rows, policy, elapsed_s, settle_s):
    weighed = [row for row in rows if row.cue in CUES]
    times = {"elapsed_s": elapsed_s, "settle_s": settle_s, "window_s": 3.0}
    decided = decide(rows, policy, **times)
    if undecided(weighed, bounds(policy, **times)):
        assert decided.step is Step.GO_ON


@pytest.mark.parametrize(
    ("llr", "certain", "goes_on"),
    [(0.0, False, True), (1.49, False, True), (1.5, False, False), (-2.0, False, False),
     (0.0, True, False)],
)  # fmt: skip
def test_only_what_lies_between_the_sums_and_is_not_certain_is_undecided(llr, certain, goes_on):
    stand = Stand.AGAINST if certain else Stand.OPEN
    row = Evidence("spoof", Topic.LIVENESS, stand, "x", llr, certain)
    assert undecided([row], Bounds(POLICY.accept_llr, POLICY.reject_llr)) is goes_on


films = st.fixed_dictionaries(
    {},
    optional={
        "margin": st.floats(-6, 6),
        "motion": st.sampled_from([0.0, 0.3, 0.45, 1.0, 5.0]),
        "noise": st.sampled_from([0.0, 0.5]),
        "loop": st.sampled_from([0, 0, 8, 11]),
        "wobble": st.sampled_from([0.001, 0.004, 0.01]),
        "person": st.sampled_from([1, 2]),
        "eye_change": st.sampled_from([0.1, 0.8]),
        "glow": st.sampled_from([-1.0, 0.0, 0.5]),
        "fps": st.sampled_from([4.0, 12.0, 15.0, 30.0]),
        "cosine": st.sampled_from([0.4, 0.85]),
    },
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(films, films)
def test_lazy_and_eager_sessions_end_alike_at_the_same_frame(monkeypatch, film, later):
    said = []
    for hasty in (undecided, lambda weighed, policy: False):
        session, camera = started(), doubtful()
        monkeypatch.setattr("pipeline.session.session.undecided", hasty)
        events = []
        for n in range(200):
            if session.over:
                break
            for name, value in (film if n < 40 else film | later).items():
                setattr(camera, name, value)
            events.append(session.receive(Seen(camera.shot(session.ask()))))
        said.append((events, camera.asked, session.evidence()))
    assert said[0][0] == said[1][0]
    assert said[0][1] == said[1][1]
    assert said[0][2] == said[1][2]


@pytest.mark.parametrize("away_s", [0.0, 1.0])
def test_the_table_is_there_at_any_time_and_reading_it_changes_nothing(away_s):
    """Also of a window that is gone, whose face was away for so long before it was missed."""
    quiet, read = started(), started()
    one, other = Camera(person=1), Camera(person=1)
    for n in range(60):
        if n == 15:
            for camera in (one, other):
                camera.now_s += away_s
                camera.person = None if away_s else 1
        said = quiet.receive(Seen(one.shot(quiet.ask())))
        assert said == read.receive(Seen(other.shot(read.ask())))
        rows = read.evidence()
        assert rows == read.evidence()
        assert [row.cue for row in rows][:3] == ["face", "spoof", "freshness"]
    assert quiet.evidence() == read.evidence()
