"""Whole logins over synthetic films, at 320x240: what becomes of each kind, and of bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.challenge import Light
from pipeline.decision import Stand
from pipeline.events import Challenged, Event
from pipeline.inputs import PaintedStep
from pipeline.nets import Run
from pipeline.observation import NO_BARS, Bars
from pipeline.policy import Policy
from pipeline.reasons import Hint, Phase, Purpose, Reason
from pipeline.session import SessionPipeline
from pipeline.synth.camera import Camera
from pipeline.synth.light import Glow, Reflections
from pipeline.synth.portrait import Portrait
from pipeline.synth.scenes import Scene, frames
from pipeline.template import Gallery
from tests.pipeline.portraits import anna, berta, photo  # noqa: F401
from tests.pipeline.synthetic import Ended, Film, Voted, attend

SMALL = Camera(width_px=320, height_px=240)
NEUTRAL = -1.25
"""Anti-spoof margin at which that vote says next to nothing (+.06): the other cues decide."""
ONE_WINDOW = replace(Policy(), windows=1)
"""No fresh evidence where the first window leaves it open."""
FOOLED = 2.0
"""A margin as live people have it (+2.3): the strongest cue is mistaken."""


def framed(film: Film, sides: tuple[int, int, int, int], level: int) -> Film:
    """With constant borders."""
    left, top, right, bottom = sides
    for t_s, image in film:
        around = ((top, bottom), (left, right), (0, 0))
        yield t_s, np.pad(image, around, constant_values=level)


class Stage:
    """Two people; the one is enrolled."""

    def __init__(self, nets: Run, one: Portrait, other: Portrait) -> None:
        self._nets = nets
        self._people = one, other
        enrolled = attend(
            frames(self.scene("live", seed=11, yaw_deg=14, seconds=9), one),
            Voted(nets, FOOLED),
            purpose=Purpose.ENROLL,
        )
        assert enrolled.phase is Phase.ACCEPTED
        assert enrolled.decided is not None
        assert enrolled.decided.template is not None
        self._gallery = Gallery.of([("anna", enrolled.decided.template)])

    @staticmethod
    def scene(kind: str, **more: object) -> Scene:
        scene = Scene(kind, seconds=12, camera=SMALL, face=0.45)
        return replace(scene, **more)

    def login(
        self,
        kind: str,
        *,
        margin: float = FOOLED,
        stranger: bool = False,
        policy: Policy | None = None,
        bars: tuple[tuple[int, int, int, int], int] | None = None,
        **more: object,
    ) -> Ended:
        """Somebody claims to be the enrolled one; `stranger`: it is the other person; `bars`: left,
        top, right, bottom of the camera's borders, px, and their grey level."""
        one, other = self._people[::-1] if stranger else self._people
        film = frames(self.scene(kind, **more), one, other)
        if bars is not None:
            film = framed(film, *bars)
        run = Voted(self._nets, margin)
        ended = attend(film, run, gallery=self._gallery, policy=policy)
        if ended.phase is Phase.ACCEPTED:
            assert ended.decided is not None
            assert ended.decided.subject == "anna"
        else:
            assert ended.phase is None or ended.reasons
        return ended

    def challenged(self, lamp: Lamp, **more: object) -> Ended:
        """A login that must answer a light challenge, with that lamp in front of the face."""
        # Darker: red is burnt on this photo's skin, and burnt skin shows no light (skin_burnt)
        camera = replace(SMALL, gain=0.75)
        scene = self.scene("live", light=lamp, camera=camera, **more)
        film = frames(scene, self._people[0])

        return attend(
            film,
            Voted(self._nets, FOOLED),
            gallery=self._gallery,
            challenge=True,
            page=lamp.page,
        )


class Lamp:
    """A page that paints what the session drew, seen so much later."""

    def __init__(self, strength: float, delay_s: float = 0.1, whole: bool = False) -> None:
        self._shape = Reflections((), strength, delay_s, whole)
        self._now = self._shape
        self._light: Light | None = None
        self._since_s = 0.0
        self._told = 0

    def page(self, session: SessionPipeline, now_s: float, events: list[Event]) -> None:
        """Paint, and report each step when it is painted."""
        for event in events:
            if isinstance(event, Challenged):
                self._light, self._since_s, self._told = event.light, now_s, 0
                starts = [now_s + ms / 1000 for ms in event.light.starts_ms]
                colours = [step.color[::-1] for step in event.light.steps]
                self._now = replace(self._shape, steps=tuple(zip(starts, colours, strict=True)))
        if self._light is None:
            return
        for step, ms in list(enumerate(self._light.starts_ms))[self._told :]:
            if self._since_s + ms / 1000 <= now_s:
                session.receive(PaintedStep(self._light.n, step, ms, now_s))
                self._told += 1

    def glow(self, t_s: float) -> Glow | None:
        return self._now.glow(t_s)


@pytest.fixture(scope="module")
def stage(nets: Run, anna: Portrait, berta: Portrait) -> Stage:  # noqa: F811
    return Stage(nets, anna, berta)


@pytest.fixture(scope="module")
def other_stage(nets: Run, anna: Portrait, berta: Portrait) -> Stage:  # noqa: F811
    return Stage(nets, berta, anna)


def test_a_living_owner_is_accepted(stage: Stage) -> None:
    ended = stage.login("live")
    assert ended.phase is Phase.ACCEPTED
    assert ended.at_s < 2
    assert ended.hints == []
    assert all(obs.face is not None for obs in ended.seen if obs.looked)
    assert {name for name, row in ended.rows.items() if row.stand is Stand.FOR} >= {
        *("face", "spoof", "freshness", "identity", "bezel", "background")
    }


def test_a_living_owner_is_accepted_by_a_weak_vote_and_not_without_one(stage: Stage) -> None:
    assert stage.login("live", margin=0.5).phase is Phase.ACCEPTED
    # No sign but the vote tells a face from every screen.
    assert stage.login("live", margin=-1.5).phase is Phase.REJECTED


def test_an_owner_who_hardly_moves_is_accepted(stage: Stage) -> None:
    assert stage.login("live_still").phase is Phase.ACCEPTED


@pytest.mark.parametrize(
    ("kind", "hint"), [("asleep", Hint.OPEN_EYES), ("averted", Hint.LOOK_AT_CAMERA)]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_whoever_does_not_look_is_not_logged_in_but_where_the_policy_says_so(
    stage: Stage, other_stage: Stage, kind: str, hint: Hint, seed: int
) -> None:
    # Drawn heads are turned by 20 to 26 degrees, as the mesh sees it: a degree of room.
    policy = replace(Policy(), facing_yaw_deg=19.0)
    for each in (stage, other_stage):
        ended = each.login(kind, seed=seed, policy=policy)
        # A face that is turned away may match badly, too.
        assert ended.phase is Phase.REJECTED
        assert ended.reasons in ((Reason.QUALITY,), (Reason.NO_MATCH,))
        assert ended.hints[-1] is hint
    required = tuple(cue for cue in Policy().required if cue != "attention")
    lenient = stage.login(kind, seed=seed, policy=replace(Policy(), required=required))
    assert lenient.phase is Phase.ACCEPTED
    assert lenient.hints == []


@pytest.mark.parametrize("sides", [(0, 40, 0, 40), (70, 0, 70, 0), (0, 30, 0, 0), (60, 40, 60, 40)])
@pytest.mark.parametrize("level", [0, 255])
def test_borders_of_the_camera_change_nothing(
    stage: Stage, sides: tuple[int, int, int, int], level: int
) -> None:
    bare, ended = stage.login("live"), stage.login("live", bars=(sides, level))
    assert (ended.phase, ended.hints) == (Phase.ACCEPTED, [])
    assert ended.seen[-1].bars == Bars(*sides)
    # But which frames are looked at: a drawn blink lasts three.
    chance = ("micro", "blink")
    assert {name: row.stand for name, row in ended.rows.items() if name not in chance} == {
        name: row.stand for name, row in bare.rows.items() if name not in chance
    }
    assert ended.at_s - bare.at_s < 0.4


@pytest.mark.parametrize("margin", [NEUTRAL, FOOLED])
@pytest.mark.parametrize("kind", ["replay_phone", "replay_monitor"])
def test_a_devices_border_is_no_border_of_the_camera(
    stage: Stage, kind: str, margin: float
) -> None:
    """It fills the frame, and its rim is at the frame's edge; it trembles in a hand."""
    ended = stage.login(kind, margin=margin, face=0.33 if kind == "replay_monitor" else 0.4)
    assert ended.phase is not Phase.ACCEPTED
    assert {obs.bars for obs in ended.seen if obs.face is not None} == {NO_BARS}


def test_a_camera_without_colour_is_told_and_counts_as_nothing(stage: Stage) -> None:
    grey = replace(SMALL, grayscale=True)
    for kind in ("live", "print_flat"):
        ended = stage.login(kind, camera=grey, seconds=3)
        assert (ended.phase, ended.hints) == (None, [Hint.CAMERA_GRAY])
        assert ended.rows == {}  # nothing to hold against anybody


def test_somebody_else_does_not_match(stage: Stage) -> None:
    ended = stage.login("live", stranger=True)
    assert (ended.phase, ended.reasons) == (Phase.REJECTED, (Reason.NO_MATCH,))


@pytest.mark.parametrize(
    "kind",
    [
        *("print_flat", "print_tilted", "print_bent", "print_still", "print_cut"),
        *("replay_phone", "replay_monitor"),
    ],
)
def test_what_is_not_alive_is_refused_where_the_anti_spoof_net_says_nothing(
    stage: Stage, kind: str
) -> None:
    # A device must fit into the picture: where its border cannot be seen, nothing else tells it
    larger = {"camera": Camera(), "face": 0.35} if kind.startswith("replay") else {}
    ended = stage.login(kind, margin=NEUTRAL, policy=ONE_WINDOW, **larger)
    assert (ended.phase, ended.reasons) == (Phase.REJECTED, (Reason.LIVENESS,))


@pytest.mark.parametrize("kind", ["print_flat", "print_tilted", "print_bent", "print_still"])
def test_prints_are_refused_even_where_that_net_is_fooled(stage: Stage, kind: str) -> None:
    ended = stage.login(kind, margin=FOOLED)
    assert (ended.phase, ended.reasons) == (Phase.REJECTED, (Reason.LIVENESS,))


def test_cues_answer_as_the_scene_is(stage: Stage) -> None:
    longer = replace(Policy(), settle_s=2.5)
    tilted = stage.login("print_tilted", margin=NEUTRAL, policy=longer).rows
    assert tilted["plane"].stand is Stand.AGAINST
    assert tilted["background"].reason == "follows"
    assert tilted["bezel"].llr < 0
    assert tilted["micro"].llr < 0
    played = stage.login(
        "replay_phone", margin=NEUTRAL, camera=Camera(), face=0.35, policy=longer
    ).rows
    assert played["bezel"].llr < -0.5
    assert played["micro"].stand is not Stand.UNKNOWN
    assert played["plane"].stand is Stand.UNKNOWN
    living = stage.login("live", policy=longer).rows
    assert living["plane"].stand is Stand.UNKNOWN
    assert living["background"].reason == "stays"


def test_a_camera_that_freezes_is_no_login(stage: Stage) -> None:
    ended = stage.login("frozen", change_s=1.0, seconds=6)
    assert (ended.phase, ended.reasons) == (Phase.REJECTED, (Reason.LIVENESS,))
    assert Hint.CAMERA_FROZEN in ended.hints
    assert ended.rows["freshness"].reason == "frozen"


def test_a_loop_is_no_login(stage: Stage) -> None:
    ended = stage.login("looped", seconds=5)
    assert (ended.phase, ended.reasons) == (Phase.REJECTED, (Reason.LIVENESS,))
    assert ended.rows["freshness"].reason == "looping"


def test_a_face_that_goes_leaves_nothing_behind(stage: Stage) -> None:
    ended = stage.login("leaves", change_s=1.3, seconds=3)
    assert ended.phase is None
    assert ended.hints == [Hint.NO_FACE]


def test_another_face_from_one_picture_to_the_next_takes_no_evidence_over(stage: Stage) -> None:
    for stranger in (False, True):
        ended = stage.login("swap", change_s=0.7, seconds=6, stranger=stranger)
        # A window of its own, from the swap on
        assert ended.at_s > 0.7 + Policy().settle_s
        assert ended.phase is (Phase.ACCEPTED if stranger else Phase.REJECTED)
        assert ended.reasons == (() if stranger else (Reason.NO_MATCH,))


def test_two_faces_are_told_so_and_never_accepted(stage: Stage) -> None:
    ended = stage.login("two_faces", seconds=3)
    assert ended.phase is None
    assert ended.hints == [Hint.ONE_FACE_ONLY]


@pytest.mark.parametrize(("kind", "hint"), [("empty", Hint.NO_FACE), ("black", Hint.CAMERA_DARK)])
def test_nobody_there_ends_by_the_clock(stage: Stage, kind: str, hint: Hint) -> None:
    ended = stage.login(kind, seconds=26, camera=replace(SMALL, fps=4))
    assert (ended.phase, ended.reasons) == (Phase.EXPIRED, (Reason.TIMEOUT,))
    assert ended.hints == [hint]


# Bad input: a hint or a reason, never a crash, never an acceptance by default


def test_one_picture_a_second_is_too_slow(stage: Stage) -> None:
    ended = stage.login("live", seconds=26, camera=replace(SMALL, fps=1))
    assert (ended.phase, ended.reasons) == (Phase.EXPIRED, (Reason.TIMEOUT,))
    assert set(ended.hints) == {Hint.CAMERA_SLOW}


GOOD_CAMERAS = {
    "60 a second": replace(SMALL, fps=60),
    "uneven": replace(SMALL, jitter=0.8),
    "1920x1080": Camera(width_px=1920, height_px=1080, fps=8),
    "portrait": Camera(width_px=240, height_px=320),
    "mirrored": replace(SMALL, mirrored=True),
}


@pytest.mark.parametrize("name", GOOD_CAMERAS)
def test_cameras_that_the_owner_may_have_and_a_stranger_too(stage: Stage, name: str) -> None:
    camera = GOOD_CAMERAS[name]
    assert stage.login("live", camera=camera).phase is Phase.ACCEPTED
    if name not in ("1920x1080", "60 a second"):  # dear, and nothing that depends on who it is
        ended = stage.login("live", stranger=True, camera=camera)
        assert (ended.phase, ended.reasons) == (Phase.REJECTED, (Reason.NO_MATCH,))


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        ({"camera": Camera(width_px=160, height_px=120)}, Hint.COME_CLOSER),
        ({"camera": Camera(width_px=160, height_px=120), "face": 1.0}, Hint.MOVE_BACK),
        ({"place": (0.97, 0.5), "seconds": 6}, Hint.CENTER_FACE),
        ({"face": 0.2}, Hint.COME_CLOSER),
        ({"camera": replace(SMALL, gain=0.08)}, Hint.MORE_LIGHT),
        ({"camera": replace(SMALL, gain=4.0)}, Hint.LESS_LIGHT),
    ],
)
def test_what_cannot_be_judged_is_guided(stage: Stage, more: dict[str, object], hint: Hint) -> None:
    ended = stage.login("live", **{"seconds": 3, **more})
    assert ended.phase is None
    assert hint in ended.hints


@pytest.mark.parametrize("thing", ["glasses", "mask", "hat", "hand"])
def test_what_hides_the_face_lets_nobody_else_in(stage: Stage, thing: str) -> None:
    stranger = stage.login("live", stranger=True, worn=(thing,))
    assert (stranger.phase, stranger.reasons) == (Phase.REJECTED, (Reason.NO_MATCH,))
    # The owner may be let in: drawn things leave enough of this face to match (.64 to .79, where
    # .50 is asked); docs/synth.md says so.
    owner = stage.login("live", worn=(thing,))
    assert owner.phase is Phase.ACCEPTED
    assert owner.rows["identity"].numbers["score"] > 0.5
    # Fingers have dark gaps, as lips do: that hand is not told from a mouth.
    assert (Hint.UNCOVER_FACE in owner.hints) == (thing == "mask")


# Light


def test_a_face_that_reflects_the_challenge_answers_it(stage: Stage) -> None:
    ended = stage.challenged(Lamp(0.10))
    assert ended.phase is Phase.ACCEPTED
    assert ended.decided is not None
    assert ended.decided.acr == "light"


@pytest.mark.parametrize(
    "lamp",
    [Lamp(0.0), Lamp(0.10, delay_s=0.9), Lamp(0.10, whole=True)],
    ids=["none", "late", "whole picture"],
)
def test_no_reflection_a_late_one_and_one_on_everything_are_no_answer(
    stage: Stage, lamp: Lamp
) -> None:
    ended = stage.challenged(lamp, seconds=5.2)
    assert ended.phase is not Phase.ACCEPTED
    assert ended.rows["light"].stand is not Stand.FOR
    assert ended.rows["light"].reason not in ("not_yet", "skin_burnt", "skin_dark")
