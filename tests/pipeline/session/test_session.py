from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decision import Stand
from pipeline.events import Decided, Event, Hinted, PhaseChanged, Progressed
from pipeline.inputs import Began, Cancelled, Disconnected, Failed, Seen, TimePassed
from pipeline.observation import Ask
from pipeline.policy import POLICIES, Policy
from pipeline.reasons import Hint, Phase, Purpose, Reason
from pipeline.session.session import MOVES, SessionPipeline
from pipeline.template import Gallery, pooled
from tests.pipeline.observations import ROI, Camera, gallery, near, template

POLICY = POLICIES["standard"]
SOON_S = POLICY.settle_s - 0.1
"""Evidence is being gathered, and nothing can be decided yet."""


def started(
    purpose: Purpose = Purpose.LOGIN,
    who: Gallery | None = None,
    at_s: float = 100.0,
    policy: Policy = POLICY,
) -> SessionPipeline:
    return SessionPipeline(
        purpose=purpose,
        policy=policy,
        gallery=gallery(1) if who is None else who,
        model_id="test",
        started_s=at_s,
    )


def watched(session: SessionPipeline, camera: Camera, seconds: float) -> list[Event]:
    """Run the loop of the shell, without a shell."""
    events: list[Event] = []
    for _ in range(int(seconds * camera.fps)):
        if session.over:
            break
        events += session.receive(Seen(camera.shot(session.ask())))
    return events


def verdict(events: list[Event]) -> Decided | None:
    found = [event for event in events if isinstance(event, Decided)]
    assert len(found) <= 1
    return found[0] if found else None


def hints(events: list[Event]) -> list[Hint | None]:
    return [event.hint for event in events if isinstance(event, Hinted)]


def phases(events: list[Event]) -> list[Phase]:
    return [event.phase for event in events if isinstance(event, PhaseChanged)]


def doubtful(**changes: object) -> Camera:
    """Somebody whose evidence stays between the two sums."""
    weak: dict[str, object] = {
        "margin": -1.0, "glow": 0.3, "eye_change": 0.3, "edges": (0.2, 0.2, 0.1, 0.0)
    }  # fmt: skip
    return Camera(person=1, **(weak | changes))  # type: ignore[arg-type]


# The main job


def test_the_enrolled_person_is_accepted_soon():
    camera = Camera(person=1)
    events = watched(started(), camera, 10)
    assert verdict(events) == Decided(Phase.ACCEPTED, subject="person-1")
    assert phases(events) == [Phase.GATHERING, Phase.ACCEPTED]
    assert POLICY.settle_s <= camera.now_s - 100.0 <= POLICY.settle_s + 0.2


def test_who_is_accepted_was_compared_by_a_face_that_nothing_prints():
    decided = verdict(watched(started(), Camera(person=1), 10))
    assert decided is not None
    assert decided.probe is not None
    assert decided.probe @ pooled(template(1).embeddings) > POLICY.match_score
    assert "probe" not in repr(decided)
    refused = verdict(watched(started(), Camera(person=2), 10))
    assert refused is not None
    assert refused.probe is None


def test_progress_rises_to_one():
    events = watched(started(), Camera(person=1), 10)
    fractions = [event.fraction for event in events if isinstance(event, Progressed)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) > 4


def test_a_stranger_is_no_match():
    session = started()
    events = watched(session, Camera(person=2), 10)
    assert verdict(events) == Decided(Phase.REJECTED, (Reason.NO_MATCH,))
    rows = {row.cue: row for row in session.evidence()}
    assert rows["identity"].numbers["score"] < 0.35


def test_a_near_miss_gets_the_whole_window():
    near_miss = near(gallery(1).matrix[0], 0.45, 3)

    class Alike(Camera):
        def shot(self, ask):
            seen = super().shot(ask)
            if seen.face is None or seen.face.embedding is None:
                return seen
            return replace(seen, face=replace(seen.face, embedding=near_miss))

    camera = Alike(person=1)
    events = watched(started(), camera, 10)
    assert verdict(events) == Decided(Phase.REJECTED, (Reason.NO_MATCH,))
    assert 3.0 <= camera.now_s - 100.0 <= 3.3


def test_a_photo_is_not_live():
    events = watched(started(), Camera(person=1, margin=-4.0), 10)
    assert verdict(events) == Decided(Phase.REJECTED, (Reason.LIVENESS,))


def test_a_doubtful_stream_is_judged_at_the_end_of_the_window():
    camera = doubtful()
    events = watched(started(), camera, 3.2)
    assert verdict(events) is None
    assert phases(events) == [Phase.GATHERING, Phase.FRAMING, Phase.GATHERING]


def test_a_photo_of_a_stranger_learns_nothing_of_the_match():
    events = watched(started(), Camera(person=2, margin=-3.0), 10)
    assert verdict(events) == Decided(Phase.REJECTED, (Reason.LIVENESS,))


@pytest.mark.parametrize(
    "changes", [{"motion": 0.0}, {"motion": 0.02}, {"motion": 0.02, "noise": 0.1}, {"loop": 8}]
)
def test_frozen_and_looping_pictures_are_refused(changes):
    events = watched(started(), Camera(person=1, **changes), 20)
    assert verdict(events) == Decided(Phase.REJECTED, (Reason.LIVENESS,))


def test_a_still_with_added_noise_is_never_accepted():
    events = watched(started(), Camera(person=1, motion=0.0, noise=0.6), 30)
    decided = verdict(events)
    assert decided is not None
    assert decided.phase is not Phase.ACCEPTED


def test_a_camera_that_freezes_says_so_and_is_refused():
    session, camera = started(), Camera(person=1)
    events = watched(session, camera, SOON_S)
    camera.loop = camera.seq + 1
    camera.motion, frozen = 0.0, camera.now_s
    events += watched(session, camera, 6.0)
    assert verdict(events) == Decided(Phase.REJECTED, (Reason.LIVENESS,))
    assert camera.now_s - frozen < 3.5


# Enrolment and identification


def test_enrolment_yields_a_template_that_lets_the_person_in():
    camera = Camera(person=4)
    decided = verdict(watched(started(Purpose.ENROLL, Gallery.of([])), camera, 20))
    assert decided is not None
    assert decided.phase is Phase.ACCEPTED
    assert decided.subject is None
    assert decided.template is not None
    assert decided.template.embeddings.shape[0] >= POLICY.enroll_embeddings
    assert np.allclose(np.linalg.norm(decided.template.embeddings, axis=1), 1.0, atol=1e-5)
    assert 3.0 <= camera.now_s - 100.0 <= 5.0
    who = Gallery.of([("me", decided.template)])
    login = verdict(watched(started(Purpose.LOGIN, who), Camera(person=4), 20))
    assert login == Decided(Phase.ACCEPTED, subject="me")


def test_a_steady_pose_is_asked_to_turn_and_then_taken_as_it_is():
    camera = Camera(person=4, cosine=0.99)
    events = watched(started(Purpose.ENROLL, Gallery.of([])), camera, 20)
    assert Hint.TURN_SLOWLY in hints(events)
    decided = verdict(events)
    assert decided is not None
    assert decided.template is not None
    assert camera.now_s - 100.0 >= POLICY.enroll_patience_s


def test_a_photo_is_not_enrolled():
    decided = verdict(
        watched(started(Purpose.ENROLL, Gallery.of([])), Camera(person=4, margin=-7.0), 20)
    )
    assert decided == Decided(Phase.REJECTED, (Reason.LIVENESS,))


def test_identify_names_the_person_among_many():
    who = gallery(*range(1, 40))
    decided = verdict(watched(started(Purpose.IDENTIFY, who), Camera(person=17), 20))
    assert decided == Decided(Phase.ACCEPTED, subject="person-17")


def test_identify_refuses_twins():
    one = gallery(1)
    twins = Gallery(("a", "b"), np.vstack([one.matrix, one.matrix]))
    decided = verdict(watched(started(Purpose.IDENTIFY, twins), Camera(person=1), 20))
    assert decided == Decided(Phase.REJECTED, (Reason.NO_MATCH,))


@pytest.mark.parametrize("purpose", [Purpose.LOGIN, Purpose.IDENTIFY])
def test_an_empty_gallery_accepts_nobody(purpose):
    decided = verdict(watched(started(purpose, Gallery.of([])), Camera(person=1), 20))
    assert decided == Decided(Phase.REJECTED, (Reason.NO_MATCH,))


# Breaks


def test_losing_the_face_throws_the_evidence_away():
    session, camera = started(), Camera(person=1)
    watched(session, camera, SOON_S)
    camera.person = None
    events = watched(session, camera, 0.5)
    assert phases(events) == [Phase.FRAMING]
    assert Progressed(0.0) in events
    camera.person, back_s = 1, camera.now_s
    events = watched(session, camera, 10)
    assert verdict(events) == Decided(Phase.ACCEPTED, subject="person-1")
    assert camera.now_s - back_s >= POLICY.settle_s


@pytest.mark.parametrize("others", [gallery(9), gallery(1)])
def test_after_the_face_was_lost_another_person_is_judged_afresh(others):
    """As soon as who comes first is: what the other one showed neither helps nor holds up."""
    alone = Camera(person=1)
    expected = verdict(watched(started(who=others), alone, 10))
    session, camera = started(who=others), Camera(person=9)
    watched(session, camera, SOON_S)
    camera.person = None
    assert phases(watched(session, camera, 0.5)) == [Phase.FRAMING]
    camera.person, down_s = 1, camera.now_s
    events = watched(session, camera, 10)
    assert verdict(events) == expected
    assert expected is not None
    assert phases(events) == [Phase.GATHERING, expected.phase]
    assert camera.now_s - down_s == pytest.approx(alone.now_s - 100.0, abs=0.2)


def test_one_missed_frame_is_forgiven():
    session, camera = started(), Camera(person=1)
    watched(session, camera, 0.6)
    camera.person = None
    watched(session, camera, 1 / 15)
    camera.person = 1
    assert verdict(watched(session, camera, 10)) is not None
    assert camera.now_s - 100.0 < POLICY.settle_s + 0.3


def test_a_live_accomplice_cannot_warm_up_for_a_photo():
    session, camera = started(), Camera(person=9, margin=6.0)
    watched(session, camera, SOON_S)
    camera.person, camera.margin = 1, -6.0
    decided = verdict(watched(session, camera, 10))
    assert decided == Decided(Phase.REJECTED, (Reason.LIVENESS,))


def test_a_swap_in_place_is_seen_by_the_embedding():
    """That it ends a session unless the policy bears it: test_breaks.py."""
    session, camera = started(policy=replace(POLICY, another_face_most=2)), Camera(person=9)
    watched(session, camera, 0.5)
    camera.person, camera.look = 1, {"same": True}
    events = watched(session, camera, 10)
    assert Phase.FRAMING in phases(events)
    assert verdict(events) == Decided(Phase.ACCEPTED, subject="person-1")


@pytest.mark.parametrize(
    "box", [(400.0, 140.0, 180.0, 200.0), (230.0, 140.0, 290.0, 320.0), (230.0, 140.0, 90.0, 100.0)]
)
def test_a_jump_starts_afresh(box):
    session, camera = started(), Camera(person=1)
    watched(session, camera, SOON_S)
    camera.look = {"box_px": box, "same": True}
    assert Phase.FRAMING in phases(watched(session, camera, 0.15))  # a look and a glance


@pytest.mark.parametrize("rival", [0.8, POLICY.max_rival])
def test_a_second_face_stops_the_login(rival):
    session, camera = started(), Camera(person=1, rival=rival)
    events = watched(session, camera, 30)
    assert verdict(events) == Decided(Phase.EXPIRED, (Reason.TIMEOUT,))
    assert Hint.ONE_FACE_ONLY in hints(events)
    # What a detection saw holds in the frames without one, too: nothing is gathered beside it.
    assert Phase.GATHERING not in phases(events)


def test_a_second_face_mid_way_throws_the_evidence_away():
    session, camera = started(), Camera(person=1)
    watched(session, camera, 0.6)
    camera.rival = 0.8
    assert Phase.FRAMING in phases(watched(session, camera, 0.6))


def test_a_face_in_the_background_is_no_second_face():
    decided = verdict(watched(started(), Camera(person=1, rival=0.2), 10))
    assert decided == Decided(Phase.ACCEPTED, subject="person-1")


# Guidance


@pytest.mark.parametrize(
    ("camera", "hint"),
    [
        (Camera(person=None), Hint.NO_FACE),
        (Camera(person=None, luma=17.0), Hint.CAMERA_DARK),
        (Camera(look={"box_px": (40.0, -40.0, 560.0, 560.0)}), Hint.MOVE_BACK),
        (Camera(look={"box_px": (300.0, 200.0, 60.0, 70.0)}), Hint.COME_CLOSER),
        (Camera(look={"inside": 0.7}), Hint.CENTER_FACE),
        (Camera(look={"quality": 0.1, "yaw_deg": 60.0}), Hint.LOOK_AT_CAMERA),
        (Camera(look={"quality": 0.1, "luma": 15.0}), Hint.MORE_LIGHT),
        (Camera(look={"quality": 0.1, "sharpness": 2.0}), Hint.HOLD_STILL),
    ],
)
def test_guidance_and_then_a_timeout(camera, hint):
    session = started()
    events = watched(session, camera, 30)
    assert hint in hints(events)
    assert verdict(events) == Decided(Phase.EXPIRED, (Reason.TIMEOUT,))


def test_a_covered_mouth_is_mentioned_and_refuses_nobody():
    session, camera = started(), Camera(person=1, look={"mouth": 0.4})
    events = watched(session, camera, 10)
    assert hints(events) == [Hint.UNCOVER_FACE]
    assert verdict(events) == Decided(Phase.ACCEPTED, subject="person-1")
    bare = watched(started(), Camera(person=1, look={"mouth": 3.0}), 10)
    assert hints(bare) == []


def test_a_frozen_camera_is_mentioned_before_anything_can_be_decided():
    session, camera = started(Purpose.ENROLL, Gallery.of([])), Camera(person=4, motion=0.0)
    events = watched(session, camera, POLICY.enroll_settle_s - 0.3)
    assert hints(events) == [Hint.CAMERA_FROZEN]
    assert verdict(events) is None


def test_hints_are_withdrawn_and_do_not_flicker():
    session, camera = started(), Camera(person=None)
    events = watched(session, camera, 1.0)
    assert hints(events) == [Hint.NO_FACE]
    camera.person = 1
    assert hints(watched(session, camera, 1.0)) == [None]


def test_a_slow_camera_is_told_so_and_never_accepted():
    session, camera = started(), Camera(person=1, fps=1.0)
    events: list[Event] = []
    while not session.over:
        due = session.deadline_s()
        if due < camera.now_s + 1.0:
            events += session.receive(TimePassed(due))
        if not session.over:
            events += session.receive(Seen(camera.shot(session.ask())))
    assert Hint.CAMERA_SLOW in hints(events)
    assert verdict(events) == Decided(Phase.EXPIRED, (Reason.TIMEOUT,))


@pytest.mark.parametrize("fps", [7.0, 10.0, 30.0, 60.0])
def test_other_frame_rates_work(fps):
    camera = Camera(person=1, fps=fps)
    assert verdict(watched(started(), camera, 20)) == Decided(Phase.ACCEPTED, subject="person-1")
    assert camera.now_s - 100.0 < 3.0


# Endings


def test_the_time_limit_ends_it_without_frames():
    session = started()
    due, events = session.deadline_s(), []
    for _ in range(10):
        events += session.receive(TimePassed(due))
        if session.over:
            break
        due = session.deadline_s()
    assert verdict(events) == Decided(Phase.EXPIRED, (Reason.TIMEOUT,))
    assert due == pytest.approx(100.0 + POLICY.time_limit_s)


@pytest.mark.parametrize(
    ("end", "phase", "reason"),
    [
        (Cancelled, Phase.EXPIRED, Reason.CANCELLED),
        (Disconnected, Phase.EXPIRED, Reason.DISCONNECTED),
        (Failed, Phase.REJECTED, Reason.INTERNAL),
    ],
)
def test_other_endings(end, phase, reason):
    session, camera = started(), Camera(person=1)
    watched(session, camera, SOON_S)
    assert verdict(session.receive(end(camera.now_s))) == Decided(phase, (reason,))
    assert session.over
    assert watched(session, camera, 5.0) == []
    for told in (TimePassed(1e9), Cancelled(1e9), Failed(1e9), Began()):
        assert session.receive(told) == []


def test_there_is_one_way_in():
    """Else something could be told to a session that is not on its tape."""
    public = {name for name in vars(SessionPipeline) if not name.startswith("_")}
    reads = {"ask", "deadline_s", "doubted", "evidence", "phase", "over", "probe"}
    assert public == {"receive", *reads}


def test_the_dear_nets_are_asked_for_on_schedule_only():
    camera = doubtful()
    watched(started(), camera, 10)
    asked, seconds = camera.asked, camera.now_s - 100.0
    assert asked[0] == Ask(detect=True)
    assert sum(ask.detect for ask in asked) / seconds < 3
    assert sum(ask.spoof for ask in asked) / seconds < 8
    assert sum(ask.embed_above is not None for ask in asked) / seconds < 3.5


def test_a_changed_face_is_asked_for_in_the_next_frame():
    camera, session = Camera(person=1, wobble=0.002), started()
    watched(session, camera, 0.7)
    while camera.asked[-1].embed_above is None:
        watched(session, camera, 1 / 15)
    assert session.ask().embed_above is None
    watched(session, camera, 1 / 15)  # a glance, or a look
    seen = camera.shot(replace(session.ask(), roi=ROI))
    assert seen.face is not None
    bend = np.random.default_rng(1).normal(0, 0.8, (28, 3)).astype(np.float32)
    bent = replace(seen.face, rigid_px=seen.face.rigid_px + bend)
    session.receive(Seen(replace(seen, face=bent)))
    assert session.ask().embed_above is not None
    assert session.phase is Phase.GATHERING


def test_nothing_is_gathered_from_poor_frames():
    session, camera = started(), Camera(person=1, look={"quality": 0.1})
    watched(session, camera, 5)
    assert session.evidence() == []


def test_nobody_is_accepted_in_a_frame_that_is_no_evidence():
    """Whoever holds a screen nearer once it was judged is not let in by what it showed before."""
    session, camera = started(), Camera(person=1)
    watched(session, camera, SOON_S)
    camera.look = {"quality": 0.1, "luma": 12.0}
    assert verdict(watched(session, camera, 0.5)) is None
    camera.look = {}
    assert verdict(watched(session, camera, 0.3)) == Decided(Phase.ACCEPTED, subject="person-1")


def test_poor_frames_in_a_window_are_no_number():
    session, camera = started(), Camera(person=1)
    events: list[Event] = []
    for k in range(30):
        camera.look = {"quality": 0.1, "luma": 12.0} if k % 5 == 0 else {}
        camera.margin = -8.0 if k % 5 == 0 else 4.0
        camera.edges = (2.0, 2.0, 2.0, 2.0) if k % 5 == 0 else (0.0, 0.0, 0.0, 0.0)
        camera.glow = 9.0 if k % 5 == 0 else 0.0
        events += watched(session, camera, 1 / 15)
    assert verdict(events) == Decided(Phase.ACCEPTED, subject="person-1")
    rows = {row.cue: row for row in session.evidence()}
    assert rows["face"].numbers["usable"] < rows["face"].numbers["frames"]
    assert rows["spoof"].numbers["margin"] == 4.0
    assert rows["bezel"].numbers["second_edge"] == 0.0
    assert rows["glow"].numbers["log_ratio"] == 0.0


def test_pictures_that_get_dark_end_as_a_matter_of_quality():
    session, camera = started(), Camera(person=1)
    watched(session, camera, 0.3)
    camera.look = {"quality": 0.1, "luma": 15.0}
    events = watched(session, camera, 30)
    decided = verdict(events)
    assert decided is not None
    assert Hint.MORE_LIGHT in hints(events)
    assert decided.reasons in ((Reason.QUALITY,), (Reason.TIMEOUT,))


def test_three_undecided_windows_and_no_more():
    session, camera = started(), doubtful()
    events = watched(session, camera, 30)
    assert verdict(events) == Decided(Phase.REJECTED, (Reason.LIVENESS,))
    assert phases(events).count(Phase.GATHERING) == POLICY.windows
    assert 9.0 <= camera.now_s - 100.0 <= 11.0


def test_a_break_gives_no_window_back():
    session, camera = started(), doubtful()
    events = watched(session, camera, 7.0)
    camera.person = None
    events += watched(session, camera, 0.5)
    camera.person = 1
    events += watched(session, camera, 10)
    assert verdict(events) == Decided(Phase.REJECTED, (Reason.LIVENESS,))
    assert phases(events).count(Phase.GATHERING) == POLICY.windows + 1


def test_a_doubtful_face_that_turns_out_well_is_accepted_on_fresh_evidence():
    session, camera = started(), doubtful()
    watched(session, camera, 3.2)
    for name in ("margin", "glow", "eye_change", "edges"):
        setattr(camera, name, getattr(Camera(), name))
    assert verdict(watched(session, camera, 3.0)) == Decided(Phase.ACCEPTED, subject="person-1")


def test_a_slow_camera_gets_the_time_for_its_frames():
    camera = Camera(person=1, fps=2.5)
    assert verdict(watched(started(), camera, 20)) == Decided(Phase.ACCEPTED, subject="person-1")
    assert 3.0 < camera.now_s - 100.0 < 6.0


@pytest.mark.parametrize(
    "attack",
    [
        {"edges": (1.0, 1.0, 0.0, 0.0)},
        {"flat": True, "sway": 0.8},
        {"margin": -3.0, "glow": 1.0, "follows": True, "detail": -4.5},
    ],
)
def test_each_kind_of_strong_evidence_refuses(attack):
    camera = Camera(person=1, **attack)
    assert verdict(watched(started(), camera, 20)) == Decided(Phase.REJECTED, (Reason.LIVENESS,))
    assert camera.now_s - 100.0 < 3.3


def test_what_no_cue_wants_is_not_asked_for():
    clear = Camera(person=1)
    watched(started(), clear, 10)
    # For attention alone, and not for a blink, which wants every frame.
    assert 0 < sum(ask.eyes for ask in clear.asked) < len(clear.asked) / 4
    waiting = Camera(person=1, look={"quality": 0.1})
    watched(started(), waiting, 3)
    assert {(a.edges, a.glow, a.motion, a.eyes, a.spoof) for a in waiting.asked} == {(False,) * 5}


def test_a_blink_is_looked_for_once_the_votes_leave_a_doubt_and_in_every_later_window():
    session, camera = started(), doubtful()
    watched(session, camera, 2.8)
    first = [ask.eyes for ask in camera.asked]
    assert sum(first[:8]) <= 2  # for attention
    assert all(first[-8:])
    while session.phase is Phase.GATHERING:
        watched(session, camera, 1 / 15)
    while session.phase is not Phase.GATHERING:
        watched(session, camera, 1 / 15)
    before = len(camera.asked)
    watched(session, camera, 0.2)
    assert all(ask.eyes for ask in camera.asked[before:])


def test_supporting_cues_are_measured_on_schedule():
    session, camera = started(), doubtful()
    watched(session, camera, 8.9)
    asked, seconds = camera.asked, camera.now_s - 100.0
    for what, most in (("edges", 2.4), ("glow", 2.4), ("motion", 5.2), ("eyes", 15.2)):
        assert 1.0 < sum(getattr(ask, what) for ask in asked) / seconds <= most
    begun = [ask for ask in asked if ask.motion and ask.tracks is None]
    assert len(begun) == 3  # a reference for each window


def test_points_that_a_turned_head_lost_are_chosen_anew():
    session, camera = started(), doubtful()
    watched(session, camera, 0.5)
    camera.sway = float("nan")
    before = len(camera.asked)
    watched(session, camera, 1.0)
    assert any(ask.motion and ask.tracks is None for ask in camera.asked[before:])


camera_changes = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "person": st.sampled_from([None, 1, 2]),
            "margin": st.floats(-8, 8),
            "motion": st.sampled_from([0.0, 0.1, 1.0, 5.0]),
            "rival": st.sampled_from([0.0, 0.0, 0.6]),
            "noise": st.sampled_from([0.0, 0.5]),
            "luma": st.sampled_from([10.0, 110.0]),
        },
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(camera_changes, st.floats(0.1, 3.0))
def test_whatever_happens_the_rules_hold(changes, each_s):
    session, camera = started(), Camera(person=1)
    events: list[Event] = session.receive(Began())
    for change in changes * 4:
        for name, value in change.items():
            setattr(camera, name, value)
        events += watched(session, camera, each_s)
    events += session.receive(TimePassed(camera.now_s + 100.0))
    assert session.over
    moved = phases(events)
    for before, after in itertools.pairwise(moved):
        assert after in MOVES[before]
    decided = verdict(events)
    assert decided is not None
    assert decided == events[-1]
    assert (decided.phase is Phase.ACCEPTED) == (decided.reasons == ())
    if decided.phase is Phase.ACCEPTED:
        stands = {row.cue: row.stand for row in session.evidence()}
        assert all(stands[cue] is Stand.FOR for cue in POLICY.required)
        assert all(stands[cue] is not Stand.UNKNOWN for cue in POLICY.weighed)
        assert Stand.AGAINST not in stands.values()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.floats(-8, 1.9))
def test_evidence_before_a_break_never_counts_after_it(frames, margin):
    """Any live prefix by somebody else, then a photo of the owner: never accepted."""
    session, camera = started(), Camera(person=9, margin=8.0)
    for _ in range(min(frames, 20)):
        session.receive(Seen(camera.shot(session.ask())))
    camera.person, camera.margin = 1, min(margin, POLICY.spoof_strong - 0.1)
    events = watched(session, camera, 30)
    decided = verdict(events)
    assert decided is None or decided.phase is not Phase.ACCEPTED


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3))
def test_equal_observations_give_equal_events(extra):
    one, two = started(), started()
    left, right = Camera(person=1 + extra), Camera(person=1 + extra)
    assert watched(one, left, 10) == watched(two, right, 10)
    assert one.evidence() == two.evidence()
    assert replace(POLICY) == POLICY
