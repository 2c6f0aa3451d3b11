"""One attempt, as a pure state machine: observations in, events and the next ask out.

Rules, in the order in which they win:
  1. A terminal phase is terminal: every later input is answered with nothing.
  2. The time limit, a cancel, a lost peer and our own failures end the session without acceptance.
  3. A break in continuity (face lost, another face, a second face) throws all evidence away and
     returns to FRAMING.
  4. Evidence gathers only in GATHERING and is judged only by `decision.decide`.
The shell (server/peer.py) owns sockets, clocks and nets; it asks `ask()` before each frame, gives
`step()` what was seen, and calls `tick()` at `deadline_s()`.
"""

from __future__ import annotations

from pipeline.cues import framing
from pipeline.cues.continuity import Continuity
from pipeline.cues.enrolment import Enrolment
from pipeline.cues.face import FaceSeen
from pipeline.cues.freshness import Freshness
from pipeline.cues.identity import Identity
from pipeline.cues.spoof import SpoofVote
from pipeline.decision import Evidence, Step, decide
from pipeline.events import Decided, Event, Hinted, PhaseChanged, Progressed
from pipeline.observation import Ask, Observation, Roi
from pipeline.policy import Policy
from pipeline.reasons import Hint, Phase, Purpose, Reason
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
EARLY_S = 0.02
"""Half a frame's grace, so that a period of 0.24 s at 15 frames/s means every fourth frame."""


class _Window:
    """The evidence of one try: made afresh at every start, so that nothing can leak over."""

    def __init__(self, purpose: Purpose, gallery: Gallery, model_id: str, since_s: float) -> None:
        self.since_s = since_s
        self.face = FaceSeen()
        self.spoof = SpoofVote()
        self.freshness = Freshness()
        self.identity = Identity(gallery, search=purpose is Purpose.IDENTIFY)
        self.enrolment = Enrolment(model_id) if purpose is Purpose.ENROLL else None

    def add(self, obs: Observation, policy: Policy, *, usable: bool) -> None:
        self.freshness.add(obs)
        self.face.add(usable=usable)
        if not usable:
            return
        self.spoof.add(obs, policy)
        if self.enrolment is not None:
            self.enrolment.add(obs, policy)
        else:
            self.identity.add(obs)

    def rows(self, policy: Policy, now_s: float) -> list[Evidence]:
        if self.enrolment is not None:
            owner = self.enrolment.row(policy, now_s - self.since_s, now_s)
        else:
            owner = self.identity.row(policy, now_s)
        return [self.face.row(policy), self.spoof.row(policy), self.freshness.row(policy), owner]

    def share(self, policy: Policy) -> float:
        owner = self.identity if self.enrolment is None else self.enrolment
        return min(cue.share(policy) for cue in (self.spoof, self.freshness, owner))


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
    ) -> None:
        """`gallery`: the claimed subject's row (login), the client's rows (identify), or empty
        (enroll). `model_id`: the embedder that observations come from."""
        self._purpose, self._policy = purpose, policy
        self._gallery, self._model_id = gallery, model_id
        enrolling = purpose is Purpose.ENROLL
        self._settle_s = policy.enroll_settle_s if enrolling else policy.settle_s
        self._window_s = policy.enroll_window_s if enrolling else policy.window_s
        self._limit_s = started_s + policy.time_limit_s
        self._phase = Phase.FRAMING
        self._continuity = Continuity()
        self._window: _Window | None = None
        self._tries = 0
        self._rows: list[Evidence] = []
        self._roi: Roi | None = None
        self._missed = True
        self._crowded = False
        self._heard_s = started_s
        self._detect_s = self._spoof_s = self._embed_s = float("-inf")
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
        return not MOVES[self._phase]

    def evidence(self) -> list[Evidence]:
        """The newest table of rows; after the verdict, the one that decided."""
        return list(self._rows)

    def deadline_s(self) -> float:
        """When `tick` must be called at the latest, if no frame comes before."""
        quiet_s = self._heard_s + QUIET_S
        waiting = self._hint is not Hint.CAMERA_SLOW and not self.over
        return min(self._limit_s, quiet_s) if waiting else self._limit_s

    def ask(self) -> Ask:
        """What to measure in the next frame: the detector now and then, the dear nets on schedule,
        and only while evidence is being gathered."""
        policy, now_s = self._policy, self._heard_s + EARLY_S
        gathering = self._window is not None
        return Ask(
            detect=self._missed or now_s - self._detect_s >= policy.detect_period_s,
            roi=self._roi,
            spoof=gathering and now_s - self._spoof_s >= policy.spoof_period_s,
            embed_above=policy.min_quality
            if gathering and now_s - self._embed_s >= policy.embed_period_s
            else None,
        )

    # What the shell tells

    def begin(self) -> list[Event]:
        """The channel is open: say where things stand."""
        return [] if self.over else [PhaseChanged(self._phase)]

    def step(self, obs: Observation) -> list[Event]:
        """One observation, in order of arrival."""
        now_s = obs.arrival_s
        events = self.tick(now_s)
        if self.over:
            return events
        self._heard_s = now_s
        self._note_schedule(obs)
        if self._continuity.broken(obs, self._policy) is not None:
            events += self._start_over()
            self._tries = 0
        self._missed = obs.face is None
        if obs.face is not None:
            self._roi = obs.face.roi
        hint = Hint.ONE_FACE_ONLY if self._crowded else framing.wrong(obs, self._policy)
        if self._window is None and hint is None:
            self._window = _Window(self._purpose, self._gallery, self._model_id, now_s)
            self._tries += 1
            events += self._move(Phase.GATHERING)
        if self._window is not None:
            self._window.add(obs, self._policy, usable=hint is None)
            events += self._judge(self._window, now_s)
        if not self.over:
            events += self._guide(hint or self._advice(), now_s)
        return events

    def tick(self, now_s: float) -> list[Event]:
        """Time went by."""
        if self.over:
            return []
        if now_s >= self._limit_s:
            return self._end(Phase.EXPIRED, Reason.TIMEOUT)
        if now_s >= self._heard_s + QUIET_S and self._hint is not Hint.CAMERA_SLOW:
            self._hint = Hint.CAMERA_SLOW
            self._cause = (Hint.CAMERA_SLOW, now_s)
            return [Hinted(Hint.CAMERA_SLOW)]
        return []

    def cancel(self, now_s: float) -> list[Event]:
        """The person gave up."""
        return self._end(Phase.EXPIRED, Reason.CANCELLED)

    def disconnect(self, now_s: float) -> list[Event]:
        """The peer is gone."""
        return self._end(Phase.EXPIRED, Reason.DISCONNECTED)

    def fail(self, now_s: float) -> list[Event]:
        """Our own mistake: nobody is accepted by an exception."""
        return self._end(Phase.REJECTED, Reason.INTERNAL)

    # Inside

    def _note_schedule(self, obs: Observation) -> None:
        if obs.faces is not None:
            # Only a detection sees other faces: what it saw holds until the next one.
            self._detect_s = obs.arrival_s
            self._crowded = obs.rival >= self._policy.max_rival
        face = obs.face
        if face is not None and face.spoof_margin is not None:
            self._spoof_s = obs.arrival_s
        if face is not None and face.embedding is not None:
            self._embed_s = obs.arrival_s

    def _judge(self, window: _Window, now_s: float) -> list[Event]:
        policy = self._policy
        elapsed_s = now_s - window.since_s
        self._rows = window.rows(policy, now_s)
        decision = decide(
            self._rows,
            policy,
            elapsed_s=elapsed_s,
            settle_s=self._settle_s,
            window_s=self._window_s,
        )
        match decision.step:
            case Step.ACCEPT:
                return self._accept(window)
            case Step.REJECT:
                return self._end(Phase.REJECTED, *decision.reasons)
            case Step.TRY_AGAIN if self._tries >= policy.windows:
                return self._end(Phase.REJECTED, *decision.reasons)
            case Step.TRY_AGAIN:
                self._missed = True
                return self._start_over()
            case Step.GO_ON:
                return self._report(min(elapsed_s / self._settle_s, window.share(policy), 0.99))

    def _accept(self, window: _Window) -> list[Event]:
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
            Decided(Phase.ACCEPTED, subject=subject, template=template),
        ]

    def _start_over(self) -> list[Event]:
        """Throw the evidence away. The face that is there now is a new one."""
        self._continuity = Continuity()
        self._roi = None
        if self._window is None:
            return []
        self._window = None
        return [*self._move(Phase.FRAMING), *self._report(0.0)]

    def _end(self, phase: Phase, *reasons: Reason) -> list[Event]:
        if self.over:
            return []
        return [*self._move(phase), Decided(phase, reasons)]

    def _move(self, phase: Phase) -> list[Event]:
        assert phase in MOVES[self._phase], f"{self._phase} -> {phase}"
        self._phase = phase
        return [PhaseChanged(phase)]

    def _report(self, fraction: float) -> list[Event]:
        fraction = round(fraction, 2)
        small = 0.0 < fraction < 1.0 and abs(fraction - self._progress) < 0.05
        if fraction == self._progress or small:
            return []
        self._progress = fraction
        return [Progressed(fraction)]

    def _advice(self) -> Hint | None:
        """What would help although the frame itself is fine."""
        if self._window is None:
            return None
        if any(row.reason == "frozen" for row in self._rows):
            return Hint.CAMERA_FROZEN
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
