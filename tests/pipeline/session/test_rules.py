"""What no sequence of observations may do: properties of a whole session."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.decision import Evidence, Stand
from pipeline.inputs import Cancelled, Disconnected, Failed, Seen, TimePassed
from pipeline.observation import Ask, Observation
from pipeline.policy import POLICIES, Policy
from pipeline.reasons import Phase, Purpose
from pipeline.session import SessionPipeline
from pipeline.session.breaks import CUE
from pipeline.session.window import Window
from tests.pipeline.observations import ROI, Camera, chosen_points, gallery

POLICY = POLICIES["standard"]
BEARS = replace(POLICY, another_face_most=9)
EVERYTHING = Ask(
    detect=True, roi=ROI, embed_above=0.0, spoof=True, edges=True, glow=True, eyes=True,
    detail=True, motion=True, tracks=chosen_points(0),
)  # fmt: skip


def shown(observations: list[Observation], policy: Policy = POLICY) -> SessionPipeline:
    """A session that was shown these, whatever it asked for."""
    session = SessionPipeline(
        purpose=Purpose.LOGIN, policy=policy, gallery=gallery(1), model_id="test", started_s=100.0
    )
    for obs in observations:
        session.receive(Seen(obs))
    return session


def gathered(observations: list[Observation], now_s: float) -> dict[str, Evidence]:
    """The rows of a window of all of these."""
    window = Window(Purpose.LOGIN, gallery(1), "test", observations[0].arrival_s)
    for obs in observations:
        window.add(obs, POLICY, usable=True)
    return {row.cue: row for row in window.rows(POLICY, now_s)}


def measured(camera: Camera, seconds: float) -> list[Observation]:
    """Everything about every frame."""
    return list(camera.shots(EVERYTHING, int(seconds * camera.fps)))


# An attacker: each of the ways to be one, with everything else as good as it can be.
attackers = st.one_of(
    st.fixed_dictionaries({"margin": st.floats(-8.0, -5.5)}),
    st.fixed_dictionaries(
        {"edges": st.tuples(st.floats(0.85, 2), st.floats(0.85, 2), st.just(0.0), st.just(0.0))}
    ),
    st.fixed_dictionaries({"flat": st.just(True)}),
    st.fixed_dictionaries({"motion": st.sampled_from([0.0, 0.02])}),
    st.fixed_dictionaries({"loop": st.integers(3, 11)}),
    st.fixed_dictionaries({"margin": st.floats(-4.9, -3.0), "glow": st.floats(0.5, 3.0),
                           "eye_change": st.floats(0.0, 0.2), "follows": st.just(True)}),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["spoof", "edges", "motion", "embed", "eyes"]), max_size=2),
    st.sampled_from([5.0, 15.0, 30.0]),
    st.floats(0.0, 8.0),
)
def test_no_sequence_of_unknowns_is_accepted(known, fps, margin):
    """Whatever else is measured: without votes, embeddings or frames nobody comes in."""
    ask = replace(
        Ask(detect=True, roi=ROI, glow=True),
        edges="edges" in known,
        eyes="eyes" in known,
        spoof="spoof" in known and "embed" not in known,
        embed_above=0.0 if "embed" in known else None,
        motion="motion" in known,
        tracks=chosen_points(0),
    )
    camera = Camera(margin=margin, fps=fps, blink_s=1.0)
    session = shown(list(camera.shots(ask, int(20 * fps))))
    assert session.phase is not Phase.ACCEPTED
    unknown = {row.cue for row in session.evidence() if row.stand is Stand.UNKNOWN}
    assert unknown & {*POLICY.required, *POLICY.weighed}


@settings(max_examples=40, deadline=None)
@given(attackers, st.sampled_from([8.0, 15.0, 24.0]), st.integers(1, 3), st.integers(0, 40))
def test_more_frames_of_an_attacker_never_help_him(attack, fps, more, longer):
    """At once more of them in the same time, and afterwards: his refusal stays one."""
    # A loop is found only if it is no longer than half of the shortest window (docs/freshness.md).
    assume(attack.get("loop", 0) / fps <= POLICY.settle_s / 2)
    few = measured(Camera(fps=fps, **attack), 12)
    assert shown(few).phase is Phase.REJECTED
    dense = measured(Camera(fps=fps * more, **attack), 12)
    assert shown(dense).phase is Phase.REJECTED
    refused = shown(few)
    after = Camera(now_s=few[-1].arrival_s, seq=few[-1].seq, fps=fps)
    for obs in measured(after, longer / fps):
        assert refused.receive(Seen(obs)) == []
    assert refused.phase is Phase.REJECTED


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-8.0, 6.0), st.floats(0.0, 1.2), st.booleans()), min_size=2, max_size=8
    ),
    st.lists(st.integers(0, 2), min_size=60, max_size=60),
    st.sampled_from([0, 0, 4, 7]),
)
def test_duplicated_frames_weigh_nothing(parts, copies, loop):
    """Votes may be of any kind and mixed; each frame may come up to three times.

    One window's evidence, not a verdict: a frame that comes in between may end a window, so that
    the next one begins elsewhere, as it would for whoever left a frame out.
    """
    camera, frames = Camera(loop=loop), []
    for margin, edge, follows in parts * 3:
        camera.margin, camera.follows = margin, follows
        camera.edges = (edge, edge, 0.0, 0.0)
        frames += measured(camera, 0.4)
    doubled = []
    for k, obs in enumerate(frames):
        doubled.append(obs)
        for n in range(copies[k % len(copies)]):
            later_s = obs.arrival_s + (n + 1) / 60
            doubled.append(replace(obs, arrival_s=later_s, seq=obs.seq))
    now_s = frames[-1].arrival_s
    once, twice = gathered(frames, now_s), gathered(doubled, now_s)
    if once.pop("freshness").stand is not Stand.FOR:
        assert twice["freshness"].stand is not Stand.FOR
    for cue, row in once.items():
        assert repr(twice[cue]) == repr(row)


@settings(max_examples=40, deadline=None)
@given(
    attackers,
    st.floats(0.2, POLICY.settle_s - 0.1),
    st.sampled_from(["lost", "jump", "other", "second"]),
)
def test_evidence_before_a_break_never_counts_after_it(attack, warm_s, how):
    """The session after a break is the session that began with it, whoever was there before; one
    whose policy bears another face goes on after that, too, and the count is all that is left."""
    person = 9 if how == "other" else 1
    camera = Camera(person=person, margin=8.0, edges=(0.0,) * 4, glow=-1.0)
    before = measured(camera, warm_s)
    at_s = camera.now_s
    pause = []
    if how == "lost":
        camera.person = None
        pause = measured(camera, 0.5)
    elif how == "second":
        camera.rival = 0.9
        pause = measured(camera, 0.3)
    behind = Camera(now_s=camera.now_s if pause else at_s, seq=camera.seq, **attack)
    if how == "jump":
        behind.look = {"box_px": (400.0, 140.0, 180.0, 200.0)}
    after = measured(behind, 12)
    warm, cold = shown(before + pause + after, BEARS), shown(after, BEARS)
    assert Phase.ACCEPTED not in (warm.phase, cold.phase)
    assert warm.phase is cold.phase
    found = [row for row in warm.evidence() if row.cue != CUE]
    rows = [(row.cue, row.stand, row.reason) for row in found]
    assert rows == [(row.cue, row.stand, row.reason) for row in cold.evidence()]


@settings(max_examples=30, deadline=None)
@given(attackers | st.just({}), st.floats(0.0, 30.0))
def test_a_terminal_verdict_is_terminal(attack, later_s):
    session = shown(measured(Camera(**attack), 15))
    assert session.over
    ended, rows = session.phase, session.evidence()
    camera = Camera(now_s=120.0, margin=-8.0 if ended is Phase.ACCEPTED else 8.0)
    for obs in measured(camera, 3):
        assert session.receive(Seen(obs)) == []
    at_s = 130.0 + later_s
    for kind in (TimePassed, Cancelled, Disconnected, Failed):
        assert session.receive(kind(at_s)) == []
    assert (session.phase, session.evidence()) == (ended, rows)
