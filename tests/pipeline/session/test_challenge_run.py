"""Sessions with a challenge: what is asked, what is required, what the token may claim."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from pipeline.challenge import TURNS, Direction, Light
from pipeline.cues.camera import Claim
from pipeline.events import Challenged, Decided, Event, Hinted, PhaseChanged
from pipeline.inputs import Introduced, PaintedStep, Seen
from pipeline.observation import Observation
from pipeline.policy import Policy
from pipeline.reasons import Hint, Phase, Purpose, Reason
from pipeline.session import SessionPipeline
from pipeline.session.challenge_run import PAUSE_S, WAYS
from tests.pipeline.observations import Camera, gallery

POLICY = Policy()
SEED = b"a seed for a test of the session"
TURN_DEG = {
    Hint.TURN_LEFT: (20.0, 0.0),
    Hint.TURN_RIGHT: (-20.0, 0.0),
    Hint.LOOK_UP: (0.0, 14.0),
    Hint.LOOK_DOWN: (0.0, -14.0),
}


@dataclass
class Person:
    """Somebody at a screen with a page, and a session that looks at them."""

    session: SessionPipeline
    camera: Camera = field(default_factory=Camera)
    strength: float = 0.08
    """Of the screen's light; 0 for a stream that does not answer."""
    obeys: bool = True
    """Turns where the hint says."""
    contrary: bool = False
    """Nods where the hint says to turn, and the other way round."""
    mirrored: bool = False
    """The camera is."""
    plays: tuple[Hint, ...] = ()
    """A film that turns so, at the moments at which somebody would who obeys."""
    paints: bool = True
    skin: float | None = None
    """Luma of a face whose skin is clipped."""
    events: list[tuple[float, Event]] = field(default_factory=list)
    _light: Light | None = None
    _since_s: float = 0.0
    _told: int = 0
    _hint: Hint | None = None
    _turned_s: float = 0.0

    def look(self, seconds: float) -> None:
        """So long before the camera, or until it is over."""
        until_s = self.camera.now_s + seconds
        while self.camera.now_s < until_s and not self.session.over:
            self._turn()
            obs = self._lit(self.camera.shot(self.session.ask()))
            self.hear(self.session.receive(Seen(obs)))
            self._report()

    def hear(self, events: list[Event]) -> None:
        now_s = self.camera.now_s
        for event in events:
            self.events.append((now_s, event))
            if isinstance(event, Challenged):
                self._light, self._since_s, self._told = event.light, now_s, 0
            if event == PhaseChanged(Phase.FRAMING):
                self._light = None
            if isinstance(event, Hinted):
                self._hint, self._turned_s = event.hint, now_s
                if self.plays and event.hint in TURN_DEG:
                    self._hint, *left = self.plays
                    self.plays = tuple(left)

    def _turn(self) -> None:
        due = self.obeys and self.camera.now_s - self._turned_s >= 0.4
        yaw, pitch = TURN_DEG.get(self._hint, (0.0, 0.0)) if due and self._hint else (0.0, 0.0)
        if self.contrary:
            yaw, pitch = pitch * 2, yaw
        if self.mirrored:
            yaw = -yaw
        self.camera.look |= {"yaw_deg": yaw, "pitch_deg": pitch}
        self.camera.bend = 0.05 if yaw or pitch else 0.0
        if self.camera.flat:
            self.camera.sway = 0.08 if yaw or pitch else 0.0

    def _lit(self, obs: Observation) -> Observation:
        asked = self.camera.asked[-1]
        if obs.face is None or not asked.tint:
            return obs
        tint = np.full((4, 3), 120.0) + np.random.default_rng(obs.seq).normal(0, 0.2, (4, 3))
        if self._light is not None:
            starts = [ms / 1000 for ms in self._light.starts_ms]
            at_s = np.array([obs.arrival_s - self._since_s - 0.1])
            light = self._light.shown(starts, at_s, 0.04)[0, ::-1]
            tint[:3] *= (1 + self.strength * light) ** (1 / 2.2)
        if self.skin is not None:
            tint[:3] = np.nan
        luma = obs.face.luma if self.skin is None else self.skin
        return replace(obs, face=replace(obs.face, luma=luma, tint=tint.astype(np.float32)))

    def _report(self) -> None:
        light, now_s = self._light, self.camera.now_s
        while self.paints and light and self._told < len(light.steps):
            ms = light.starts_ms[self._told] + 5.0
            if now_s < self._since_s + ms / 1000:
                return
            self.session.receive(PaintedStep(light.n, self._told, ms, now_s))
            self._told += 1

    def all_of(self, kind: type[Event]) -> list[Event]:
        return [event for _, event in self.events if isinstance(event, kind)]

    @property
    def verdict(self) -> Decided:
        (found,) = self.all_of(Decided)
        assert isinstance(found, Decided)
        return found


def person(
    *,
    wanted: bool = True,
    still: bool | None = False,
    policy: Policy = POLICY,
    purpose: Purpose = Purpose.LOGIN,
    seed: bytes | None = SEED,
    **changes: object,
) -> Person:
    camera = Camera(now_s=100.0)
    session = SessionPipeline(
        purpose=purpose,
        policy=policy,
        gallery=gallery() if purpose is Purpose.ENROLL else gallery(1),
        model_id="test",
        started_s=100.0,
        challenge=wanted,
        seed=seed,
    )
    if still is not None:
        session.receive(Introduced(still=still))
    return Person(session, camera, **changes)  # type: ignore[arg-type]


def test_a_login_with_light_is_accepted_at_that_level() -> None:
    one = person()
    one.look(8.0)
    assert one.verdict == Decided(Phase.ACCEPTED, subject="person-1", acr="light")
    assert len(one.all_of(Challenged)) == 1
    assert {row.cue for row in one.session.evidence()} >= {"light", "face", "spoof", "freshness"}
    assert one.camera.now_s - 100.0 < 5.5


def test_an_enrolment_with_light_is_accepted_at_that_level() -> None:
    one = person(purpose=Purpose.ENROLL)
    one.look(20.0)
    assert one.verdict.phase is Phase.ACCEPTED
    assert one.verdict.acr == "light"


def test_without_a_challenge_the_level_is_the_policys() -> None:
    one = person(wanted=False)
    one.look(8.0)
    assert (one.verdict.phase, one.verdict.acr) == (Phase.ACCEPTED, None)
    assert one.all_of(Challenged) == []
    assert not any(ask.tint for ask in one.camera.asked)


@pytest.mark.parametrize("changes", [{"strength": 0.0}, {"paints": False}])
def test_no_answer_is_never_accepted(changes: dict[str, object]) -> None:
    one = person(**changes)
    one.look(30.0)
    assert one.verdict.phase is Phase.REJECTED
    lights = [event.light for event in one.all_of(Challenged) if isinstance(event, Challenged)]
    assert [light.n for light in lights] == [1, 2, 3]
    assert len({light.steps for light in lights}) == 3


@pytest.mark.parametrize(("luma", "hint"), [(210.0, Hint.LESS_LIGHT), (25.0, Hint.MORE_LIGHT)])
def test_clipped_skin_is_told_within_the_window(luma: float, hint: Hint) -> None:
    one = person(skin=luma)
    one.look(3.0)
    assert one.all_of(Hinted) == [Hinted(hint)]
    one.skin = None
    one.look(20.0)
    assert (one.verdict.phase, one.verdict.acr) == (Phase.ACCEPTED, "light")


def test_a_room_too_bright_is_told_until_the_next_colours() -> None:
    one = person(strength=0.0)
    one.look(6.5)
    assert Hinted(Hint.LESS_LIGHT) in one.all_of(Hinted)


def test_a_page_that_never_says_hello_gets_nowhere() -> None:
    one = person(still=None)
    one.look(30.0)
    assert (one.verdict.phase, one.verdict.reasons) == (Phase.EXPIRED, (Reason.TIMEOUT,))
    assert one.all_of(Challenged) == []


def test_colours_come_at_most_once_a_second_whatever_breaks() -> None:
    one = person()
    for k in range(60):
        one.camera.person = 1 if k % 2 else None
        one.look(0.35)
    begun = [at_s for at_s, event in one.events if isinstance(event, Challenged)]
    assert len(begun) > 3
    assert min(np.diff(begun)) >= PAUSE_S


def test_the_answer_to_the_challenge_before_a_break_says_nothing_after_it() -> None:
    one = person()
    one.look(2.0)
    one.camera.person = None
    one.look(0.5)
    one.camera.person = 1
    one.look(10.0)
    first, second = (event.light for event in one.all_of(Challenged))  # type: ignore[union-attr]
    assert first != second
    assert (one.verdict.phase, one.verdict.acr) == (Phase.ACCEPTED, "light")
    assert one.camera.now_s > 100 + 2.5 + second.length_s


@pytest.mark.parametrize(("n", "steps"), [(1, 0.0), (2, 1.0), (3, 0.0)])
def test_a_report_about_another_challenge_changes_nothing(n: int, steps: float) -> None:
    one = person(paints=False)
    one.look(2.0)
    one.camera.person = None
    one.look(0.5)
    one.camera.person = 1
    one.look(2.5)
    lights = [event.light for event in one.all_of(Challenged) if isinstance(event, Challenged)]
    assert [light.n for light in lights] == [1, 2]
    one.session.receive(PaintedStep(n, 0, 5.0, one.camera.now_s))
    one.look(0.5)
    (row,) = [row for row in one.session.evidence() if row.cue == "light"]
    assert row.numbers["steps"] == steps


def test_a_page_that_was_asked_to_paint_nothing_paints_nothing() -> None:
    one = person(still=True)
    one.look(1.0)
    assert one.session.receive(PaintedStep(1, 0, 5.0, one.camera.now_s)) == []
    one.look(20.0)
    assert (one.verdict.phase, one.verdict.acr) == (Phase.ACCEPTED, "turn")


def test_between_two_challenges_nobody_is_asked_to_turn() -> None:
    one = person(still=True, obeys=False)
    one.look(2.0)
    assert one.all_of(Hinted)[-1].hint in TURN_DEG  # type: ignore[attr-defined]
    one.camera.person = None
    one.look(0.6)
    one.camera.person, before = 1, len(one.events)
    one.look(0.5)  # in the pause
    assert one.session.phase is Phase.FRAMING
    assert [event for _, event in one.events[before:]] == [Hinted(None)]


def test_the_page_says_once_whether_its_person_wants_motion() -> None:
    one = person()
    one.session.receive(Introduced(still=True))
    one.look(8.0)
    assert (one.verdict.phase, one.verdict.acr) == (Phase.ACCEPTED, "light")


def test_who_asked_for_less_motion_turns_the_head() -> None:
    one = person(still=True)
    one.look(20.0)
    assert one.verdict == Decided(Phase.ACCEPTED, subject="person-1", acr="turn")
    assert one.all_of(Challenged) == []
    said = [event.hint for event in one.all_of(Hinted) if isinstance(event, Hinted)]
    assert len([hint for hint in said if hint in TURN_DEG]) == TURNS
    assert Hint.LOOK_AT_CAMERA in said
    assert set(WAYS.values()) == set(TURN_DEG)
    assert set(WAYS) == set(Direction)


def test_a_head_that_turns_as_it_was_asked_to_is_no_evidence_of_anything_else() -> None:
    """Straight ahead its pictures count, turned away they are neither good nor bad ones."""

    def frames() -> float:
        (row,) = [row for row in one.session.evidence() if row.cue == "face"]
        return row.numbers["frames"]

    one = person(still=True, obeys=False)
    one.look(1.0)
    one.look(0.6)
    assert one.all_of(Hinted)[-1].hint in TURN_DEG  # type: ignore[attr-defined]
    straight = frames()
    assert straight >= 20
    one.camera.look |= {"quality": 0.1, "sharpness": 2.0}
    one.look(0.6)
    assert frames() == straight
    one.camera.look |= {"luma": 12.0}  # no turn darkens a room
    one.look(0.6)
    assert one.session.phase is Phase.GATHERING
    assert frames() > straight


def test_a_mirrored_camera_is_no_reason_to_refuse() -> None:
    one = person(still=True, mirrored=True)
    one.look(20.0)
    assert (one.verdict.phase, one.verdict.acr) == (Phase.ACCEPTED, "turn")


def test_who_does_not_turn_is_not_accepted() -> None:
    one = person(still=True, obeys=False)
    one.look(30.0)
    assert one.verdict.phase is not Phase.ACCEPTED


def test_who_turns_elsewhere_is_refused_at_once() -> None:
    one = person(still=True, contrary=True)
    one.look(30.0)
    assert (one.verdict.phase, one.verdict.reasons) == (Phase.REJECTED, (Reason.LIVENESS,))


def test_undecided_evidence_brings_the_challenge_where_the_policy_says_so() -> None:
    doubtful = replace(POLICY, challenge="light")
    one = person(wanted=False, policy=doubtful)
    one.camera.margin = -2.0  # neither enough nor a refusal
    one.look(2.9)
    assert one.all_of(Challenged) == []
    one.look(1.0)
    assert len(one.all_of(Challenged)) == 1
    one.camera.margin = 4.0
    one.look(10.0)
    assert len(one.all_of(Challenged)) == 1
    assert (one.verdict.phase, one.verdict.acr) == (Phase.ACCEPTED, "light")


def test_a_policy_without_it_never_brings_it() -> None:
    one = person(wanted=False)
    one.camera.margin = -2.0
    one.look(30.0)
    assert one.all_of(Challenged) == []


def test_a_challenge_needs_a_seed() -> None:
    with pytest.raises(AssertionError):
        person(seed=None)


def test_a_camera_by_an_odd_name_costs_a_little_and_refuses_nobody() -> None:
    one = person(wanted=False)
    one.session.receive(Introduced(still=False, claim=Claim(640, 480, 15, "virtual")))
    one.camera.margin = -0.2  # else it is over before the camera's frames are counted
    one.look(8.0)
    (row,) = [row for row in one.session.evidence() if row.cue == "camera"]
    assert (row.reason, row.llr) == ("virtual", -POLICY.camera_odd)
    assert one.verdict.phase is Phase.ACCEPTED
