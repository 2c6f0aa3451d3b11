"""One attempt, as a pure state machine: observations in, events and the next ask out.

Rules, in the order in which they win:
  1. A terminal phase is terminal: every later input is answered with nothing.
  2. The time limit, a cancel, a lost peer and our own failures end the session without acceptance.
  3. A break in continuity (face lost, another or a second face, a cut) throws all evidence away and
     returns to FRAMING.
  4. Evidence gathers only in GATHERING and is judged only by `decision.decide`; match and liveness
     by one window, on the same frames.
  5. A window that ends undecided is followed by a fresh one, `policy.windows` in a session at most.
  6. A challenge belongs to one window: each window draws its own, and must answer it.
The shell (server/session/peer.py) owns sockets, clocks and nets. It asks `ask()` before each frame,
tells `receive()` what was seen in it and whatever else happens, and the time at `deadline_s()`.
"""

from __future__ import annotations

from typing import assert_never

from pipeline.cues import framing
from pipeline.cues.camera import CameraCheck, Claim
from pipeline.cues.continuity import Continuity
from pipeline.decision import Evidence, Step, decide, undecided
from pipeline.events import Decided, Event, Hinted, PhaseChanged, Progressed
from pipeline.inputs import (
    Began,
    Cancelled,
    Disconnected,
    Failed,
    Input,
    Introduced,
    PaintedStep,
    Seen,
    TimePassed,
)
from pipeline.observation import Ask, Observation, Roi
from pipeline.policy import Policy
from pipeline.reasons import Hint, Phase, Purpose, Reason
from pipeline.session.challenge_run import Trial
from pipeline.session.schedule import Schedule
from pipeline.session.window import Window
from pipeline.template import Gallery

MOVES: dict[Phase, frozenset[Phase]] = {
    Phase.FRAMING: frozenset({Phase.GATHERING, Phase.REJECTED, Phase.EXPIRED}),
    Phase.GATHERING: frozenset({Phase.FRAMING, Phase.ACCEPTED, Phase.REJECTED, Phase.EXPIRED}),
    Phase.ACCEPTED: frozenset(),
    Phase.REJECTED: frozenset(),
    Phase.EXPIRED: frozenset(),
}
"""The allowed transitions; `_move` is the one function that moves."""

HINT_S = 0.4
"""A hint is sent once its cause has lasted this long, and withdrawn likewise: no flicker."""
QUIET_S = 0.8
"""No frame for this long: tell the person that the camera is slow."""
PROGRESS_STEP, PROGRESS_MOST = 0.05, 0.99
"""Smaller changes of the progress are not told, and there is no more before the verdict."""
LOOK_S = 0.25
"""Before a window can be decided, its rows are looked at this often: for what to measure next, and
whether the picture stands still."""


class SessionPipeline:
    """One attempt of one person. Times are the server's monotonic seconds."""

    def __init__(
        self,
        *,
        purpose: Purpose,
        policy: Policy,
        gallery: Gallery,
        model_id: str,
        started_s: float,
        challenge: bool = False,
        seed: bytes | None = None,
    ) -> None:
        """`gallery`: the claimed subject's row (login), the client's rows (identify), or empty
        (enroll). `model_id`: the embedder that observations come from. `challenge`: every window
        must answer one. `seed`: secret random bytes that challenges are drawn from; without it
        there is none, whatever the policy says."""
        self._purpose, self._policy = purpose, policy
        self._gallery, self._model_id = gallery, model_id
        enrolling = purpose is Purpose.ENROLL
        self._settle_s = policy.enroll_settle_s if enrolling else policy.settle_s
        self._window_s = policy.enroll_window_s if enrolling else policy.window_s
        self._limit_s = started_s + policy.time_limit_s
        self._phase = Phase.FRAMING
        self._continuity = Continuity()
        self._window: Window | None = None
        self._trial = Trial(wanted=challenge, seed=seed)
        self._claim: Claim | None = None
        self._camera = CameraCheck(None)
        self._cover = framing.Cover()
        self._undecided = 0
        self._judged_by = policy
        """The policy, and what the open window's challenge asks beside it."""
        self._left: list[Evidence] = []
        """The table of the window before."""
        self._weighed: list[Evidence] = []
        """As they were when they were last looked at, as the next."""
        self._answers: list[Evidence] = []
        self._frozen = False
        self._looked_s = float("-inf")
        self._schedule = Schedule()
        self._periods_s = {
            "detect": policy.detect_period_s,
            "embed": policy.embed_period_s,
            "spoof": policy.spoof_period_s,
            "edges": policy.edges_period_s,
            "eyes": policy.eyes_period_s,
            "motion": policy.motion_period_s,
        }
        self._asked = Ask()
        self._roi: Roi | None = None
        self._missed = True
        self._crowded = False
        self._over = False
        self._heard_s = started_s
        self._hint: Hint | None = None
        self._cause: tuple[Hint | None, float] = (None, started_s)
        self._progress = 0.0

    # What the shell reads

    @property
    def phase(self) -> Phase:
        """Where the session stands."""
        return self._phase

    @property
    def over(self) -> bool:
        """True once a terminal phase is reached."""
        return self._over

    def evidence(self) -> list[Evidence]:
        """The newest table of rows; after the verdict, the one that decided."""
        if self._window is None:
            return list(self._left)
        return self._window.rows(self._policy, self._heard_s) + self._answers

    def deadline_s(self) -> float:
        """When it must be told the time at the latest, if no frame comes before."""
        quiet_s = self._heard_s + QUIET_S
        waiting = self._hint is not Hint.CAMERA_SLOW and not self.over
        return min(self._limit_s, quiet_s) if waiting else self._limit_s

    def ask(self) -> Ask:
        """What to measure in the next frame: the detector now and then, everything else on its
        schedule and only while evidence is being gathered that it could change."""
        policy, now_s, window = self._policy, self._heard_s, self._window
        due = self._schedule.due(self._periods_s)
        detect = self._missed or "detect" in due
        if window is None:
            self._asked = Ask(detect=detect, roi=self._roi)
            return self._asked
        embed = "embed" in due or self._continuity.doubts
        motion, border = "motion" in due, "edges" in due
        # Where everything else is clear a blink cannot matter, and the iris net is dear.
        eyes = "eyes" in due and (self._undecided > 0 or window.doubtful(policy, self._weighed))
        self._asked = Ask(
            detect=detect,
            roi=self._roi,
            embed_above=policy.min_quality if embed else None,
            spoof="spoof" in due,
            edges=border,
            glow=border,
            mouth=border,
            eyes=eyes,
            tint=self._trial.running and self._trial.tint(policy, now_s),
            motion=motion,
            tracks=window.tracks(policy, now_s) if motion else None,
        )
        return self._asked

    # What the shell tells

    def receive(self, told: Input) -> list[Event]:
        """The one way in. Returns what the session says to it, in order."""
        if self._over:
            return []
        match told:
            case Seen(obs):
                return self._step(obs)
            case TimePassed(now_s):
                return self._tick(now_s)
            case Began():
                return [PhaseChanged(self._phase)]
            case Introduced(still, claim):
                self._introduce(still, claim)
            case PaintedStep(n, step, ms, now_s):
                self._trial.painted(n, step, ms, now_s)
            case Cancelled():
                return self._end(Phase.EXPIRED, Reason.CANCELLED)
            case Disconnected():
                return self._end(Phase.EXPIRED, Reason.DISCONNECTED)
            case Failed():
                return self._end(Phase.REJECTED, Reason.INTERNAL)
            case _:
                assert_never(told)
        return []

    # Inside

    def _introduce(self, still: bool, claim: Claim | None) -> None:
        self._trial.introduce(still=still)
        if self._claim is None:
            self._claim = claim

    def _step(self, obs: Observation) -> list[Event]:
        now_s, policy, face = obs.arrival_s, self._policy, obs.face
        events = self._tick(now_s)
        if self._over:
            return events
        self._heard_s = now_s
        self._note_schedule(obs)
        if self._continuity.broken(obs, policy) is not None:
            events += self._start_over(now_s)
        self._missed = face is None
        if face is not None:
            self._roi = face.roi
        hint = Hint.ONE_FACE_ONLY if self._crowded else framing.wrong(obs, policy)
        if self._window is None and hint is None and self._trial.ready(now_s):
            self._window = Window(self._purpose, self._gallery, self._model_id, now_s)
            self._weighed, self._answers, self._frozen = [], [], False
            self._camera = CameraCheck(self._claim)
            self._cover = framing.Cover()
            self._judged_by = self._trial.judge(policy)
            events += [*self._move(Phase.GATHERING), *self._trial.begin(now_s)]
        if self._window is not None:
            if self._trial.running:
                self._trial.add(obs, policy)
            if self._claim is not None:
                self._camera.add(obs)
            if hint is None:
                self._cover.add(obs)
            # A head that turns as it was asked to is not badly placed: those frames are no evidence
            # of anything else, and none against the picture either.
            if hint is None or self._trial.hint(hint) is hint:
                self._window.add(obs, policy, usable=hint is None)
            events += self._judge(self._window, now_s)
        if not self._over:
            events += self._guide(self._trial.hint(hint or self._advice()), now_s)
        return events

    def _tick(self, now_s: float) -> list[Event]:
        if now_s >= self._limit_s:
            return self._end(Phase.EXPIRED, Reason.TIMEOUT)
        if now_s >= self._heard_s + QUIET_S and self._hint is not Hint.CAMERA_SLOW:
            self._hint = Hint.CAMERA_SLOW
            self._cause = (Hint.CAMERA_SLOW, now_s)
            return [Hinted(Hint.CAMERA_SLOW)]
        return []

    def _note_schedule(self, obs: Observation) -> None:
        """Remember what was measured when. What was asked for on a face counts as made, even where
        nothing came of it: else it would be tried again on every frame."""
        at_s, asked, face = obs.arrival_s, self._asked, obs.face
        self._schedule.heard(at_s)
        if obs.faces is not None:
            # Only a detection sees other faces: what it saw holds until the next one.
            self._schedule.made("detect", at_s)
            self._crowded = obs.rival >= self._policy.max_rival
        if face is None:
            return
        if face.embedding is not None:
            # By result: a frame too poor for it is followed by the next.
            self._schedule.made("embed", at_s)
        if asked.spoof:
            self._schedule.made("spoof", at_s)
        if asked.edges:
            self._schedule.made("edges", at_s)
        if asked.eyes:
            self._schedule.made("eyes", at_s)
        if asked.motion:
            self._schedule.made("motion", at_s)

    def _judge(self, window: Window, now_s: float) -> list[Event]:
        policy = self._policy
        elapsed_s = now_s - window.since_s
        early = elapsed_s < self._settle_s
        if early and now_s - self._looked_s < LOOK_S:
            return self._go_on(window, elapsed_s)
        self._look(window, now_s)
        window_s = self._window_s
        if elapsed_s >= window_s:
            window_s = self._trial.end_s(policy, self._end_s(window), elapsed_s)
        late = elapsed_s >= window_s
        if early or (not late and undecided(self._weighed, policy)):
            return self._go_on(window, elapsed_s)
        decision = decide(
            self.evidence(),
            self._judged_by,
            elapsed_s=elapsed_s,
            settle_s=self._settle_s,
            window_s=window_s,
        )
        match decision.step:
            case Step.ACCEPT:
                return self._accept(window)
            case Step.REJECT:
                return self._end(Phase.REJECTED, *decision.reasons)
            case Step.GO_ON:
                return self._go_on(window, elapsed_s)
            case Step.TRY_AGAIN:
                self._undecided += 1
                if self._undecided >= policy.windows:
                    return self._end(Phase.REJECTED, *decision.reasons)
                if policy.challenge != "none":
                    self._trial.want()
                self._missed = True
                return self._start_over(now_s)

    def _look(self, window: Window, now_s: float) -> None:
        """At the rows that carry a ratio, and for a picture that stands still."""
        policy = self._policy
        self._answers = self._trial.rows(policy, now_s) if self._trial.running else []
        if self._claim is not None:
            self._answers.append(self._camera.row(policy))
        self._weighed = window.weighed(policy) + self._answers
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._frozen = window.freshness.row(policy).reason == "frozen"

    def _go_on(self, window: Window, elapsed_s: float) -> list[Event]:
        most = min(elapsed_s / self._settle_s, PROGRESS_MOST)
        if most < self._progress + 0.9 * PROGRESS_STEP:
            return []  # in a window it only rises
        share = self._trial.share(self._policy) if self._trial.running else 1.0
        return self._report(min(most, window.share(self._policy), share))

    def _end_s(self, window: Window) -> float:
        """How long this window may last: longer where a slow camera still owes frames."""
        if window.enough_frames(self._policy):
            return self._window_s
        return max(self._window_s, self._policy.slow_window_s)

    def _accept(self, window: Window) -> list[Event]:
        subject = template = None
        if window.enrolment is not None:
            template = window.enrolment.template(self._policy)
        else:
            match = window.identity.match()
            assert match is not None, "identity was FOR without a match"
            subject = match.subject
        return [
            *self._report(1.0),
            *self._move(Phase.ACCEPTED),
            Decided(
                Phase.ACCEPTED,
                subject=subject,
                template=template,
                acr=self._trial.name,
            ),
        ]

    def _start_over(self, now_s: float) -> list[Event]:
        """Throw the evidence away. The face that is there now is a new one."""
        self._trial.stop(now_s)
        self._continuity = Continuity()
        self._roi = None
        if self._window is None:
            return []
        self._left, self._window = self.evidence(), None
        return [*self._move(Phase.FRAMING), *self._report(0.0)]

    def _end(self, phase: Phase, *reasons: Reason) -> list[Event]:
        return [*self._move(phase), Decided(phase, reasons)]

    def _move(self, phase: Phase) -> list[Event]:
        assert phase in MOVES[self._phase], f"{self._phase} -> {phase}"
        self._phase, self._over = phase, not MOVES[phase]
        return [PhaseChanged(phase)]

    def _report(self, fraction: float) -> list[Event]:
        fraction = round(fraction, 2)
        small = 0.0 < fraction < 1.0 and abs(fraction - self._progress) < PROGRESS_STEP
        if fraction == self._progress or small:
            return []
        self._progress = fraction
        return [Progressed(fraction)]

    def _advice(self) -> Hint | None:
        """What would help although the frame itself is fine."""
        if self._window is None:
            return None
        if self._frozen:
            return Hint.CAMERA_FROZEN
        if self._cover.seen:
            return Hint.UNCOVER_FACE
        enrolment = self._window.enrolment
        steady = enrolment is not None and enrolment.steady(self._policy)
        return Hint.TURN_SLOWLY if steady else None

    def _guide(self, hint: Hint | None, now_s: float) -> list[Event]:
        if hint is not self._cause[0]:
            self._cause = (hint, now_s)
        if hint is self._hint or now_s - self._cause[1] < HINT_S:
            return []
        self._hint = hint
        return [Hinted(hint)]
