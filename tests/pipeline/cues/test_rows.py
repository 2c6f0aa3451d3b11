"""Each cue on its own: both directions and UNKNOWN."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.cues import framing
from pipeline.cues.continuity import Break, Continuity
from pipeline.cues.enrolment import Enrolment
from pipeline.cues.face import FaceSeen
from pipeline.cues.freshness import MOST, Freshness
from pipeline.cues.identity import Identity
from pipeline.cues.spoof import SpoofVote
from pipeline.decision import Stand, Topic
from pipeline.nets.mesh import shape
from pipeline.observation import Ask
from pipeline.policy import POLICIES
from pipeline.reasons import Hint
from pipeline.template import Gallery
from tests.pipeline.observations import MESH, ROI, Camera, gallery, identity, margins, near

POLICY = POLICIES["standard"]
ALL = Ask(detect=True, roi=ROI, embed_above=0.0, spoof=True)


def vote(*margins: float, crop: float = 2.7, tight: float | None = None) -> SpoofVote:
    cue = SpoofVote()
    for margin in margins:
        cue.add(Camera(margin=margin, reach=crop, tight=tight).shot(ALL))
    return cue


# Spoof


@pytest.mark.parametrize(
    ("margins", "stand", "certain"),
    [
        ((4.0,) * 5, Stand.FOR, False),
        ((-0.7,) * 5, Stand.FOR, False),
        ((-0.8,) * 5, Stand.OPEN, False),
        ((-4.9,) * 5, Stand.OPEN, False),
        ((-7.0,) * 5, Stand.AGAINST, True),
        ((9.0,) * 4, Stand.UNKNOWN, False),
        ((8.0, 8.0, -7.0, -7.0, -7.0), Stand.AGAINST, True),
    ],
)
def test_the_vote_is_the_median_and_for_a_face_from_its_floor_on(margins, stand, certain):
    row = vote(*margins).row(POLICY)
    assert (row.stand, row.certain, row.topic) == (stand, certain, Topic.LIVENESS)


def test_the_vote_is_clipped_and_unknown_is_no_number():
    assert vote(*[50.0] * 5).row(POLICY).llr == POLICY.spoof_clip
    assert vote(*[-5.0] * 5).row(POLICY).llr == pytest.approx(0.69 * -5 + 0.9)
    assert vote(*[-50.0] * 5).row(POLICY).llr == -POLICY.spoof_clip
    assert vote(4.0).row(POLICY).llr == 0.0


def test_the_least_of_a_frames_margins_is_its_vote():
    for wide, tight in ((4.0, -1.0), (-1.0, 4.0)):
        row = vote(*[wide] * 5, tight=tight).row(POLICY)
        assert row.llr == pytest.approx(0.69 * -1.0 + 0.9)
        assert row.numbers == {"votes": 5.0, "margin": -1.0, "wide": wide}
    # The median of the least, not the least of the medians.
    cue = SpoofVote()
    for wide, tight in ((4.0, -1.0), (-1.0, 4.0), (3.0, -1.0), (-1.0, 3.0), (4.0, 4.0)):
        cue.add(Camera(margin=wide, tight=tight).shot(ALL))
    assert cue.row(POLICY).numbers["margin"] == -1.0


def test_the_veto_is_the_wide_crops():
    assert vote(*[-6.0] * 5, tight=4.0).row(POLICY).stand is Stand.AGAINST
    assert vote(*[4.0] * 5, tight=-8.0).row(POLICY).stand is Stand.OPEN


def test_below_its_floor_a_vote_is_open_whatever_its_sign():
    policy = replace(POLICY, spoof_floor=0.6)
    for margin, stand in ((-2.0, Stand.OPEN), (-0.5, Stand.OPEN), (-0.4, Stand.FOR)):
        assert vote(*[margin] * 5).row(policy).stand is stand, margin
    assert vote(*[-0.5] * 5).row(policy).reason == "too_weak"


def test_a_frame_that_lacks_a_crop_or_shows_another_nets_margins_does_not_vote():
    cue = SpoofVote()
    for n, own in enumerate((margins(8.0)[:1], (), None) * 5):
        obs = Camera(look={"spoof": own}).shot(ALL)
        cue.add(replace(obs, seq=n))
    assert cue.row(POLICY).numbers == {"votes": 0.0}
    others = tuple(replace(margin, net="another", value=-8.0) for margin in margins(8.0))
    for _ in range(5):
        cue.add(Camera(look={"spoof": others + margins(2.0)}).shot(ALL))
    assert cue.row(POLICY).numbers["margin"] == 2.0


def test_a_tight_crop_does_not_vote():
    row = vote(*[-8.0] * 9, crop=0.8).row(POLICY)
    assert (row.stand, row.reason, row.llr) == (Stand.UNKNOWN, "crop_too_tight", 0.0)


def test_frames_without_a_vote_do_not_count():
    cue = SpoofVote()
    for obs in Camera().shots(Ask(detect=True), 20):
        cue.add(obs)
    assert cue.row(POLICY).numbers == {"votes": 0.0}
    assert cue.share(POLICY) == 0.0


# Freshness


def watched(n: int, **camera: object) -> Freshness:
    cue = Freshness()
    for obs in Camera(**camera).shots(ALL, n):  # type: ignore[arg-type]
        cue.add(obs)
    return cue


@pytest.mark.parametrize(
    ("camera", "stand", "reason"),
    [
        ({}, Stand.FOR, "fresh"),
        ({"motion": 8.0}, Stand.FOR, "fresh"),
        ({"motion": 0.5, "noise": 0.3}, Stand.FOR, "fresh"),
        ({"motion": 0.0}, Stand.AGAINST, "frozen"),
        ({"motion": 0.0, "noise": 0.1}, Stand.AGAINST, "frozen"),
        ({"motion": 0.36}, Stand.OPEN, "hardly_moves"),
        ({"motion": 0.0, "noise": 0.7}, Stand.OPEN, "hardly_moves"),
        ({"motion": 0.01, "noise": 0.7}, Stand.OPEN, "only_noise"),
        ({"motion": 0.4, "wobble": 0.001}, Stand.AGAINST, "stiff"),
        ({"motion": 5.0, "wobble": 0.001}, Stand.OPEN, "hardly_moves"),
        ({"wobble": 0.0045}, Stand.OPEN, "hardly_moves"),
        ({"loop": 5}, Stand.AGAINST, "looping"),
        ({"loop": 11}, Stand.AGAINST, "looping"),
        ({"motion": 3.0, "loop": 8, "noise": 0.5}, Stand.AGAINST, "looping"),
    ],
)
def test_fresh_frozen_looping_or_open(camera, stand, reason):
    row = watched(24, **camera).row(POLICY)
    assert (row.stand, row.reason) == (stand, reason)
    assert row.llr == 0.0


@pytest.mark.parametrize("loop", range(4, 12))
def test_a_short_loop_is_told_by_the_time_of_the_first_verdict(loop):
    frames = int(POLICY.settle_s * 15) + 1
    row = watched(frames, loop=loop).row(POLICY)
    assert (row.stand, row.reason) == (Stand.AGAINST, "looping")
    assert watched(frames).row(POLICY).stand is Stand.FOR


def shaped(n: int, wobble: Callable[[int], float], **more: float) -> Freshness:
    """A moving picture of a face that is bent by so much, eye distances, in its nth frame."""
    cue, camera = Freshness(), Camera(motion=5.0, wobble=0.0, **more)
    bend = np.random.default_rng(5).standard_normal(MESH.shape).astype(np.float32)
    for n_th, obs in enumerate(camera.shots(replace(ALL, eyes=True), n)):
        mesh = MESH + np.float32(80.0 * wobble(n_th)) * bend
        cue.add(replace(obs, face=replace(obs.face, shape_px=shape(mesh))))
    return cue


@pytest.mark.parametrize("most", [0.004, 0.0065])
def test_a_shape_that_shakes_from_frame_to_frame_goes_nowhere(most):
    shakes = shaped(30, lambda n: most * (-1) ** (n // 2)).row(POLICY)
    assert (shakes.stand, shakes.reason) == (Stand.OPEN, "shakes")
    assert shakes.numbers["drift"] < POLICY.drift_ratio
    drifts = shaped(30, lambda n: 1.7 * most * (n / 15 - 1)).row(POLICY)
    assert (drifts.stand, drifts.reason) == (Stand.FOR, "fresh")
    assert drifts.numbers["drift"] > POLICY.drift_ratio


def test_a_shape_that_changes_much_need_not_drift():
    row = shaped(30, lambda n: 0.02 * (-1) ** (n // 2)).row(POLICY)
    assert (row.stand, row.numbers["wobble"] > POLICY.sure_wobble) == (Stand.FOR, True)


def test_the_drift_is_that_of_the_newest_faces_in_their_order():
    """Of more faces than are kept the oldest are overwritten; the seam is no neighbourhood."""
    drifts = [shaped(n, lambda n: 0.004 * n).row(POLICY).numbers["drift"] for n in (48, 60)]
    assert drifts[1] == pytest.approx(drifts[0], rel=0.1)


def test_few_faces_a_second_do_not_say_how_a_shape_shakes():
    for fps, said in ((6.0, "shakes"), (4.0, "fresh")):
        row = shaped(30, lambda n: 0.005 * (-1) ** (n // 2), fps=fps).row(POLICY)
        assert (row.reason, "drift" in row.numbers) == (said, said == "shakes")


def test_who_sits_calmly_is_known_by_a_blink():
    calm = {"wobble": lambda n: 0.003 * math.sin(0.1 * n)}
    assert shaped(45, **calm).row(POLICY).reason == "hardly_moves"
    row = shaped(45, **calm, blink_s=1.5).row(POLICY)
    assert (row.stand, row.reason, row.numbers["blinked"]) == (Stand.FOR, "fresh", 1.0)


def test_a_blink_makes_no_still_picture_and_no_loop_fresh():
    for changes, reason in (
        ({"motion": 0.0}, "frozen"),
        ({"motion": 0.36}, "hardly_moves"),
        ({"loop": 11}, "looping"),
        ({"motion": 0.01, "noise": 0.7}, "only_noise"),
    ):
        cue = Freshness()
        for obs in Camera(**changes, blink_s=1.0).shots(replace(ALL, eyes=True), 30):
            cue.add(obs)
        row = cue.row(POLICY)
        assert (row.stand is Stand.FOR, row.reason) == (False, reason)


def test_too_few_frames_prove_nothing():
    row = watched(POLICY.min_frames - 1, motion=0.0).row(POLICY)
    assert (row.stand, row.reason) == (Stand.UNKNOWN, "too_few_frames")


def test_a_freeze_after_motion_is_found_while_it_lasts():
    cue, camera = Freshness(), Camera()
    for obs in camera.shots(ALL, 20):
        cue.add(obs)
    assert cue.row(POLICY).stand is Stand.FOR
    camera.motion = 0.0
    for obs in camera.shots(ALL, 9):
        cue.add(obs)
    assert cue.row(POLICY).reason == "frozen"
    camera.motion = 1.0
    cue.add(camera.shot(ALL))
    assert cue.row(POLICY).reason == "frozen"  # one picture that jumps does not undo it
    for obs in camera.shots(ALL, 2):
        cue.add(obs)
    assert cue.row(POLICY).reason != "frozen"


def test_a_run_without_change_is_a_freeze_though_most_of_what_is_kept_moved():
    """Of the ten newest steps three moved: their upper quartile alone would not tell."""
    cue, camera = Freshness(), Camera(motion=2.0)
    for obs in camera.shots(ALL, 20):
        cue.add(obs)
    last = camera.shot(ALL)
    cue.add(last)
    found = []
    for n in range(1, 8):
        cue.add(replace(last, arrival_s=last.arrival_s + n / 15))
        found.append(cue.row(POLICY))
    assert found[-1].numbers["step"] > POLICY.frozen_step
    assert [row.reason == "frozen" for row in found] == [False] * 5 + [True] * 2


def test_doubled_frames_of_a_slow_camera_are_no_freeze():
    cue, camera = Freshness(), Camera(motion=2.0)
    for first in camera.shots(ALL, 12):
        cue.add(first)
        cue.add(replace(first, arrival_s=first.arrival_s + 1 / 30))
    assert cue.row(POLICY).stand is not Stand.AGAINST


def test_a_shape_that_is_no_number_is_not_fresh():
    cue, shots = Freshness(), list(Camera(motion=2.0).shots(ALL, 24))
    for n, obs in enumerate(shots):
        shape = np.full_like(obs.face.shape_px, np.nan) if n == 12 else obs.face.shape_px
        cue.add(replace(obs, face=replace(obs.face, shape_px=shape)))
    row = cue.row(POLICY)
    assert (row.stand, row.reason) == (Stand.UNKNOWN, "not_measured")


def test_memory_is_bounded():
    cue = watched(5 * MOST)
    assert cue.row(POLICY).numbers["frames"] == MOST


@pytest.mark.parametrize("frames", [9, 24, MOST, MOST + 1, 2 * MOST, 3 * MOST + 5])
def test_what_is_kept_of_the_newest_sketches_is_what_they_say_together(frames):
    cue, shots = Freshness(), list(Camera(noise=0.5, loop=23).shots(ALL, frames))
    for obs in shots:
        cue.add(obs)
    anywhere = replace(POLICY, min_frames=9, echo_near=1e9, echo_ratio=1e9)
    numbers = cue.row(anywhere).numbers
    newest = np.stack([obs.sketch for obs in shots[-MOST:]]).astype(np.float64)
    n, steps = len(newest), np.diff(newest, axis=0)
    means = [
        np.linalg.norm(newest[lag:] - newest[: n - lag], axis=1).mean()
        for lag in range(1, n // 2 + 1)
    ]
    echoes = [
        float((late * early).sum() / np.sqrt((late**2).sum() * (early**2).sum()))
        for lag in range(5, n - 1 - 6 + 1)
        for late, early in [(steps[lag:], steps[:-lag])]
    ]
    assert numbers["ratio"] == pytest.approx(min(means[2:]) / means[0], rel=1e-5)
    assert numbers["growth"] == pytest.approx(means[-1] / means[0], rel=1e-5)
    assert numbers["echo"] == pytest.approx(max([0.0, *echoes]), abs=1e-5)


@pytest.mark.parametrize(
    ("camera", "drift", "ratio", "echo", "stand", "reason"),
    [
        ({"loop": 8}, 0.14, "none", "loop", Stand.AGAINST, "looping"),
        ({"loop": 8, "motion": 2.0, "noise": 2.2}, 0.0, "loop", "none", Stand.AGAINST, "looping"),
        ({"loop": 8, "motion": 2.0, "noise": 3.0}, 0.0, "doubt", "none", Stand.OPEN, "repeats"),
        ({"loop": 10, "motion": 2.0, "noise": 2.0}, 0.26, "none", "doubt", Stand.OPEN, "repeats"),
    ],
)
def test_a_repetition_is_known_by_its_pictures_or_by_its_steps(
    camera, drift, ratio, echo, stand, reason
):
    """A drift, such as a slow zoom, hides the one; noise, such as an encoder's, hides the other.

    `drift`: grey levels a frame.
    """
    cue = Freshness()
    for n, obs in enumerate(Camera(**camera).shots(ALL, 30)):
        cue.add(replace(obs, sketch=obs.sketch + np.float32(drift * n / 8)))
    row = cue.row(POLICY)
    near, alike = row.numbers["ratio"], row.numbers["echo"]
    assert ratio == (
        "loop" if near < POLICY.loop_ratio else "doubt" if near < POLICY.alive_ratio else "none"
    )
    if echo == "none":
        assert alike < POLICY.loop_echo
    else:
        assert echo == ("loop" if alike >= POLICY.loop_echo else "doubt")
        assert alike >= POLICY.alive_echo
    assert (row.stand, row.reason) == (stand, reason)


def test_who_moves_much_need_not_go_anywhere():
    """Growth with time is asked of quiet pictures alone, where noise could be all that moves."""
    rng = np.random.default_rng(5)
    for size, reason in ((1.0, "only_noise"), (2.0, "fresh")):
        cue = Freshness()
        for obs in Camera().shots(ALL, 30):
            picture = rng.standard_normal(64) * size / 128**0.5
            cue.add(replace(obs, sketch=picture.astype(np.float32)))
        row = cue.row(POLICY)
        assert row.numbers["growth"] < POLICY.growth_ratio
        assert row.reason == reason


def test_a_nod_takes_the_same_steps_and_comes_to_another_picture():
    rng = np.random.default_rng(4)
    way = np.tile(rng.normal(0, 0.6, (12, 64)), (4, 1))  # the same steps every 12 frames
    drift = np.full(64, 0.06)  # while the whole moves on, by 6 grey levels a time round
    for moved, reason in ((drift, "fresh"), (0.0 * drift, "looping")):
        cue = Freshness()
        paths = np.cumsum(way - way.mean(axis=0) + moved, axis=0).astype(np.float32)
        for obs, sketch in zip(Camera().shots(ALL, 40), paths, strict=False):
            cue.add(replace(obs, sketch=sketch))
        row = cue.row(POLICY)
        assert (row.reason, row.numbers["echo"] > POLICY.loop_echo) == (reason, reason != "fresh")


@pytest.mark.parametrize("asked_at", [(), (20,), range(8, 61)])
def test_what_is_kept_of_the_newest_shapes_is_what_they_say_together(asked_at):
    cue, shots = Freshness(), list(Camera(noise=0.5).shots(ALL, 61))
    for n, obs in enumerate(shots):
        cue.add(obs)
        if n in asked_at:
            cue.row(POLICY)
    shapes = np.stack([obs.face.shape_px.astype(np.float64) @ (1, 1j) for obs in shots[-48:]])
    shapes -= shapes.mean(axis=1, keepdims=True)
    mean = shapes.mean(axis=0)
    turns = (shapes.conj() @ mean) / (abs(shapes) ** 2).sum(axis=1)
    rest = np.sqrt((abs(turns[:, None] * shapes - mean) ** 2).mean(axis=1))
    wobble = rest.mean() / abs(mean[0] - mean[1])
    assert cue.row(POLICY).numbers["wobble"] == pytest.approx(wobble, rel=1e-9)
    unasked = Freshness()
    for obs in shots:
        unasked.add(obs)
    assert cue.row(POLICY) == unasked.row(POLICY), "to the bit"


# Identity


def looked(camera: Camera, n: int, search: bool = False, people: tuple[int, ...] = (1,)):
    cue = Identity(gallery(*people), search=search)
    for obs in camera.shots(ALL, n):
        cue.add(obs, POLICY)
    return cue, camera.now_s


@pytest.mark.parametrize(
    ("person", "n", "stand", "certain"),
    [
        (1, 3, Stand.FOR, False),
        (1, 2, Stand.UNKNOWN, False),
        (2, 3, Stand.AGAINST, True),
        (2, 2, Stand.UNKNOWN, False),
    ],
)
def test_one_to_one(person, n, stand, certain):
    cue, now_s = looked(Camera(person=person), n)
    row = cue.row(POLICY, now_s)
    assert (row.stand, row.certain, row.topic) == (stand, certain, Topic.IDENTITY)


def test_an_acceptance_takes_the_name_and_stores_nothing():
    cue, _ = looked(Camera(person=2), 3, search=True, people=(1, 2))
    assert cue.subject() == "person-2"
    assert cue.template(POLICY) is None
    assert not cue.steady(POLICY)


def test_an_old_embedding_does_not_vouch_for_the_face_of_now():
    cue, now_s = looked(Camera(), 5)
    row = cue.row(POLICY, now_s + POLICY.fresh_embedding_s + 0.1)
    assert (row.stand, row.reason) == (Stand.UNKNOWN, "embedding_too_old")


def test_searching_is_stricter_than_claiming():
    who = gallery(1)
    probe = near(who.matrix[0], (POLICY.match_score + POLICY.identify_score) / 2, 3)
    camera = Camera(look={"embedding": probe})
    for search, stand in ((False, Stand.FOR), (True, Stand.AGAINST)):
        cue = Identity(who, search=search)
        for obs in camera.shots(replace(ALL, embed_above=None), 3):
            cue.add(obs, POLICY)
        row = cue.row(POLICY, camera.now_s)
        assert (row.stand, row.certain) == (stand, False)


def test_between_two_who_are_both_near_nobody_is_named():
    one = gallery(1)
    twins = Gallery(("a", "b"), np.vstack([one.matrix, one.matrix]))
    for search, stand, reason in (
        (False, Stand.FOR, "match"),
        (True, Stand.AGAINST, "ambiguous"),
    ):
        cue, camera = Identity(twins, search=search), Camera()
        for obs in camera.shots(ALL, 3):
            cue.add(obs, POLICY)
        row = cue.row(POLICY, camera.now_s)
        assert (row.stand, row.reason) == (stand, reason)


def test_searching_finds_who_is_clearly_nearest():
    cue, now_s = looked(Camera(), 3, search=True, people=(1, 2))
    row = cue.row(POLICY, now_s)
    assert (row.stand, row.reason) == (Stand.FOR, "match")
    assert row.numbers["margin"] >= POLICY.identify_margin


def test_nobody_enrolled_is_against_not_an_error():
    cue, now_s = looked(Camera(), 3, people=())
    assert cue.row(POLICY, now_s).reason == "nobody_enrolled"
    assert Identity(gallery(1), search=False).match() is None


def test_rows_hold_no_embedding():
    cue, now_s = looked(Camera(), 5)
    row = cue.row(POLICY, now_s)
    assert all(isinstance(value, float) for value in row.numbers.values())
    assert set(row.to_json()) == {
        "cue", "topic", "stand", "reason", "llr", "certain", "numbers", "species"
    }  # fmt: skip


# Enrolment


def enrolled(camera: Camera, n: int, since_s: float = 0.0) -> tuple[Enrolment, float]:
    cue = Enrolment("test", since_s)
    for obs in camera.shots(ALL, n):
        cue.add(obs, POLICY)
    return cue, camera.now_s


def test_varied_embeddings_make_a_template():
    cue, now_s = enrolled(Camera(cosine=0.85), 8, 100.0)
    assert cue.row(POLICY, now_s).stand is Stand.FOR
    assert cue.template(POLICY).embeddings.shape == (8, 128)
    assert cue.template(POLICY).quality == pytest.approx(0.9)
    assert cue.subject() is None
    assert not cue.steady(POLICY)


def test_uniform_embeddings_need_patience_and_are_topped_up():
    for waited_s, reason in ((-0.1, "too_uniform"), (0.1, "steady")):
        camera = Camera(cosine=0.995)
        since_s = camera.now_s + 8 / camera.fps - POLICY.enroll_patience_s - waited_s
        cue, now_s = enrolled(camera, 8, since_s)
        assert cue.steady(POLICY)
        assert cue.row(POLICY, now_s).reason == reason
        assert len(cue.template(POLICY).embeddings) == POLICY.enroll_embeddings


def test_two_people_are_no_template():
    cue, camera = Enrolment("test", 0.0), Camera(person=1)
    for person in (1, 2, 1, 2, 1, 2):
        camera.person = person
        cue.add(camera.shot(ALL), POLICY)
    assert cue.row(POLICY, camera.now_s).stand is Stand.AGAINST


def test_a_template_is_bounded_and_needs_enough():
    cue, now_s = enrolled(Camera(cosine=0.8), 60)
    assert len(cue.template(POLICY).embeddings) == POLICY.enroll_most
    few, now_s = enrolled(Camera(), POLICY.enroll_embeddings - 1)
    assert few.row(POLICY, now_s).stand is Stand.UNKNOWN
    old, now_s = enrolled(Camera(), 8)
    assert old.row(POLICY, now_s + 1.0).stand is Stand.UNKNOWN


# Face and framing


def test_mostly_usable_frames_are_needed():
    for usable, seen, stand in ((10, 12, Stand.FOR), (5, 5, Stand.UNKNOWN), (6, 20, Stand.UNKNOWN)):
        cue = FaceSeen()
        for k in range(seen):
            cue.add(usable=k < usable)
        assert cue.row(POLICY).stand is stand


@pytest.mark.parametrize(
    ("look", "hint"),
    [
        ({}, None),
        ({"box_px": (100.0, -40.0, 430.0, 560.0)}, Hint.MOVE_BACK),
        ({"box_px": (100.0, 20.0, 60.0, 77.0)}, Hint.COME_CLOSER),
        ({"inside": 0.5}, Hint.CENTER_FACE),
        ({"quality": 0.1, "yaw_deg": -60.0}, Hint.LOOK_AT_CAMERA),
        ({"quality": 0.1, "pitch_deg": 50.0}, Hint.LOOK_AT_CAMERA),
        ({"quality": 0.1, "luma": 250.0, "clipped": 0.6}, Hint.LESS_LIGHT),
        ({"quality": 0.1, "agreement": 0.6}, Hint.UNCOVER_FACE),
    ],
)
def test_one_thing_to_correct(look, hint):
    assert framing.wrong(Camera(look=look).shot(ALL), POLICY) is hint


# Continuity


def test_the_same_face_goes_on():
    cue, camera = Continuity(), Camera()
    assert all(cue.broken(obs, POLICY) is None for obs in camera.shots(ALL, 40))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"look": {"same": False}}, Break.LOST),
        ({"person": 2, "look": {"same": True}}, Break.ANOTHER_FACE),
        ({"rival": 0.9}, Break.SECOND_FACE),
        ({"look": {"box_px": (380.0, 140.0, 180.0, 200.0)}}, Break.JUMPED),
        ({"look": {"box_px": (230.0, 140.0, 100.0, 110.0)}}, Break.JUMPED),
    ],
)
def test_each_break_is_named(change, found):
    cue, camera = Continuity(), Camera()
    for obs in camera.shots(ALL, 5):
        cue.broken(obs, POLICY)
    for name, value in change.items():
        setattr(camera, name, value)
    assert cue.broken(camera.shot(ALL), POLICY) is found


@pytest.mark.parametrize(
    ("rival", "found"),
    [(POLICY.max_rival - 0.01, None), (POLICY.max_rival, Break.SECOND_FACE)],
)
def test_a_second_face_counts_from_the_limit_on(rival, found):
    cue, camera = Continuity(), Camera()
    cue.broken(camera.shot(ALL), POLICY)
    camera.rival = rival
    assert cue.broken(camera.shot(ALL), POLICY) is found


def test_an_embedding_that_is_no_number_is_nobodys():
    cue, camera = Continuity(), Camera()
    for obs in camera.shots(ALL, 5):
        assert cue.broken(obs, POLICY) is None
    obs = camera.shot(ALL)
    nobody = replace(obs.face, embedding=np.full(128, np.nan, np.float32))
    assert cue.broken(replace(obs, face=nobody), POLICY) is Break.ANOTHER_FACE


def test_before_the_first_face_there_is_nothing_to_break():
    cue, camera = Continuity(), Camera(person=None)
    assert [cue.broken(camera.shot(ALL), POLICY) for _ in range(9)] == [None] * 9
    camera.person = 1
    assert cue.broken(camera.shot(ALL), POLICY) is None


def test_a_gap_in_time_breaks_it():
    cue, camera = Continuity(), Camera()
    cue.broken(camera.shot(ALL), POLICY)
    camera.now_s += 0.6
    assert cue.broken(camera.shot(ALL), POLICY) is Break.SLOW


def test_a_face_missing_too_long_is_lost():
    cue, camera = Continuity(), Camera()
    cue.broken(camera.shot(ALL), POLICY)
    camera.person = None
    found = [cue.broken(camera.shot(ALL), POLICY) for _ in range(5)]
    assert found[:3] == [None, None, None]
    assert found[3] is Break.LOST


def test_identities_of_tests_are_apart():
    assert abs(float(identity(1) @ identity(2))) < 0.3
    assert np.linalg.norm(near(identity(1), 0.5, 1)) == pytest.approx(1.0, abs=1e-5)
