"""One attempt, as a pure state machine: observations in, events and the next ask out.

Rules, in the order in which they win:
  1. A terminal phase is terminal: every later input is answered with nothing.
  2. The time limit, a cancel, a lost peer and our own failures end the session without acceptance.
  3. A break in continuity (face lost, another or a second face, a cut) throws all evidence away and
     returns to FRAMING. Another face, or a cut, that comes as often as the policy says ends the
     session as `liveness`, whatever was gathered before or since.
  4. Evidence gathers only in GATHERING and is judged only by `decision.decide`; match and liveness
     by one window, on the same frames.
  5. A window that ends undecided is followed by a fresh one, `policy.windows` in a session at most,
     and one more with a turn of the head where only motion was missing.
  6. A challenge belongs to one window: each window draws its own, and must answer it.
The shell (server/session/peer.py) owns sockets, clocks and nets. It asks `ask()` before each frame,
tells `receive()` what was seen in it and whatever else happens, and the time at `deadline_s()`.
Not here: the evidence of one try (window.py), the run of a challenge (challenge_run.py), the breaks
and their count (breaks.py), what the next frame is asked for (asks.py), who is too calm
(calm.py), when a hint is said (guidance.py).
"""

from __future__ import annotations

from typing import assert_never

from pipeline.cues import framing
from pipeline.cues.camera import CameraCheck, Claim
from pipeline.cues.continuity import Break
from pipeline.decision import Bounds, Evidence, Moment, Step, decide, speaks_against, undecided
from pipeline.events import Decided, Event, PhaseChanged
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
from pipeline.observation import Ask, Observation
from pipeline.policy import Policy
from pipeline.reasons import Hint, Phase, Purpose, Reason
from pipeline.session.asks import Asks
from pipeline.session.breaks import Breaks
from pipeline.session.calm import calm
from pipeline.session.challenge_run import ChallengeRun
from pipeline.session.guidance import PROGRESS_MOST, Guidance, advice
from pipeline.session.lateness import Lateness
from pipeline.session.measurements import Situation
from pipeline.session.repeats import OF_BREAKS, Repeats, of_window
from pipeline.session.window import Window
from pipeline.template import Floats, Gallery

MOVES: dict[Phase, frozenset[Phase]] = {
    Phase.FRAMING: frozenset({Phase.GATHERING, Phase.REJECTED, Phase.EXPIRED}),
    Phase.GATHERING: frozenset({Phase.FRAMING, Phase.ACCEPTED, Phase.REJECTED, Phase.EXPIRED}),
    Phase.ACCEPTED: frozenset(),
    Phase.REJECTED: frozenset(),
    Phase.EXPIRED: frozenset(),
}
"""The allowed transitions; `_move` is the one function that moves."""

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
        self._breaks = Breaks()
        self._window: Window | None = None
        self._challenge = ChallengeRun(wanted=challenge, seed=seed)
        self._claim: Claim | None = None
        self._camera = CameraCheck(None)
        self._cover = framing.Cover()
        self._undecided = 0
        self.moment: Moment | None = None
        """When a table was last decided."""
        self.limits: Bounds | None = None
        """Sums between which the open window goes on; None before it may be decided."""
        self._unturned: tuple[Reason, ...] = ()
        """How it ends if the head is not turned by somebody who was asked to in place of that."""
        self._judged_by = policy
        """The policy, and what the open window's challenge asks beside it."""
        self._left: list[Evidence] = []
        """The table of the window before."""
        self._doubted = False
        self._weighed: list[Evidence] = []
        """As they were when they were last looked at, as the next."""
        self._answers: list[Evidence] = []
        self._frozen = False
        self._looked_s = float("-inf")
        self._asks = Asks(policy, enrolling=enrolling)
        self._crowded = False
        self._over = False
        self._heard_s = started_s
        self._guidance = Guidance(started_s)
        self._repeats = Repeats()
        self._lateness = Lateness()

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
        """The table of rows of the open window, or of the last one; after the verdict, the one that
        decided. Reading it changes nothing."""
        counted = self._breaks.rows(self._policy)
        if self._window is None:
            return self._left + counted
        return self._window.rows(self._policy, self._heard_s) + self._answers + counted

    @property
    def doubted(self) -> bool:
        """Whether what was gathered stood against the face when it was thrown away."""
        return self._doubted

    def deadline_s(self) -> float:
        """When it must be told the time at the latest, if no frame comes before."""
        if self.over:
            return self._limit_s
        return min(self._limit_s, self._guidance.quiet_until_s(self._heard_s))

    def ask(self) -> Ask:
        """What to measure in the next frame: the detector now and then, everything else on its
        schedule and only while evidence is being gathered that it could change."""
        policy, now_s, window = self._policy, self._heard_s, self._window
        bars = self._breaks.borders.known
        if window is None:
            return self._asks.next(Situation(policy, bars=bars))
        return self._asks.next(
            Situation(
                policy,
                gathering=True,
                doubts=self._breaks.doubts,
                undecided=self._undecided > 0 or window.doubtful(policy, self._weighed),
                clear=window.clear(policy, self._weighed),
                lit=self._challenge.tint(policy, now_s),
                answering=self._challenge.runs,
                tracks=window.tracks(policy, now_s),
                bars=bars,
            )
        )

    def probe(self, obs: Observation) -> Floats | None:
        """What the gallery will be asked for when the session is told of this; None for nothing.
        The shell may look for it beside. Reading it changes nothing."""
        return None if self._window is None else self._window.owner.probe(obs, self._policy)

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
                self._challenge.painted(n, step, ms, now_s)
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
        self._challenge.introduce(still=still)
        if self._claim is None:
            self._claim = claim

    def _step(self, obs: Observation) -> list[Event]:
        now_s, policy = obs.arrival_s, self._policy
        events = self._tick(now_s)
        if self._over:
            return events
        self._heard_s = now_s
        self._lateness.add(obs)
        self._note(obs)
        if not obs.looked:
            return events + self._glance(obs)
        broken = self._breaks.found(obs, policy)
        if self._breaks.too_often(policy):
            return events + self._end(Phase.REJECTED, Reason.LIVENESS)
        if broken is not None:
            slow = broken is Break.SLOW
            cause = self._lateness.cause() if slow else OF_BREAKS[broken]
            self._repeats.came(cause, now_s)
            events += self._start_over(now_s)
        if broken is Break.RESIZED:
            self._asks.missed = True  # what this frame says of a face is of the wrong place
            return events
        self._asks.follow(obs)
        hint = Hint.ONE_FACE_ONLY if self._crowded else framing.wrong(obs, policy)
        ready = self._breaks.borders.settled and self._challenge.ready(now_s)
        if self._window is None and hint is None and ready:
            events += self._open(now_s)
        if self._window is not None:
            self._gather(self._window, obs, hint)
            events += self._judge(self._window, now_s, usable=hint is None)
        if not self._over:
            again = self._repeats.hint(now_s)
            if again is not None:
                events += self._guidance.name(again, now_s)
            else:
                advised = self._challenge.hint(hint or self._advice())
                events += self._guidance.say(advised, now_s)
        return events

    def _glance(self, obs: Observation) -> list[Event]:
        """A frame whose face was not looked for proves no life, but a loop or a cut."""
        self._breaks.glance(obs)
        if self._window is None:
            return []
        self._window.glance(obs)
        if self._claim is not None:
            self._camera.add(obs)
        return self._go_on(self._window, obs.arrival_s - self._window.since_s)

    def _note(self, obs: Observation) -> None:
        self._asks.note(obs)
        if obs.faces is not None:
            # Only a detection sees other faces: what it saw holds until the next one.
            self._crowded = obs.rival >= self._policy.max_rival

    def _open(self, now_s: float) -> list[Event]:
        """A window begins."""
        self._window = Window(self._purpose, self._gallery, self._model_id, now_s)
        self.limits = None
        self._asks.begin()
        self._weighed, self._answers, self._frozen = [], [], False
        self._camera = CameraCheck(self._claim)
        self._cover = framing.Cover()
        self._judged_by = self._challenge.judge(self._policy)
        return [*self._move(Phase.GATHERING), *self._challenge.begin(now_s)]

    def _gather(self, window: Window, obs: Observation, hint: Hint | None) -> None:
        """Give one observation to everything that it is evidence of; `hint`: what is wrong."""
        self._challenge.add(obs, self._policy)
        if self._claim is not None:
            self._camera.add(obs)
        if hint is None:
            self._cover.add(obs)
        # A head that turns as it was asked to is not badly placed: those frames are no evidence
        # of anything else, and none against the picture either.
        if hint is None or self._challenge.hint(hint) is hint:
            window.add(obs, self._policy, usable=hint is None)

    def _tick(self, now_s: float) -> list[Event]:
        if now_s >= self._limit_s:
            return self._end(Phase.EXPIRED, Reason.TIMEOUT)
        return self._guidance.wait(self._heard_s, now_s, self._lateness.cause())

    def _judge(self, window: Window, now_s: float, *, usable: bool) -> list[Event]:
        policy = self._policy
        elapsed_s = now_s - window.since_s
        early = elapsed_s < self._settle_s
        if early and now_s - self._looked_s < LOOK_S:
            return self._go_on(window, elapsed_s)
        self._look(window, now_s)
        window_s = self._window_s
        if elapsed_s >= window_s:
            window_s = self._challenge.end_s(
                policy, window.end_s(policy, self._window_s), elapsed_s
            )
        late = elapsed_s >= window_s
        moment = Moment(elapsed_s, self._settle_s, window_s, self._challenge.name)
        self.limits = None if early else moment.bounds(self._judged_by)
        if self.limits is None or (not late and undecided(self._weighed, self.limits)):
            return self._go_on(window, elapsed_s)
        self.moment = moment
        decision = decide(self.evidence(), self._judged_by, **moment.times())
        match decision.step:
            case Step.ACCEPT if not late and (self._asks.lacking or not usable):
                return self._go_on(window, elapsed_s)  # few frames are no proof, nor a poor one
            case Step.ACCEPT:
                return self._accept(window)
            case Step.REJECT:
                return self._end(Phase.REJECTED, *decision.reasons)
            case Step.GO_ON:
                return self._go_on(window, elapsed_s)
            case Step.TRY_AGAIN:
                return self._try_again(decision.reasons, now_s)

    def _try_again(self, reasons: tuple[Reason, ...], now_s: float) -> list[Event]:
        """A window proved nothing: another one, a turn of the head, or the end."""
        policy, rows = self._policy, self.evidence()
        self._undecided += 1
        if self._undecided < policy.windows:
            self._repeats.came(of_window(rows, self._judged_by), now_s)
            if policy.challenge != "none":
                self._challenge.want()
        elif calm(rows, policy) and self._challenge.ask_to_turn():
            self._unturned, self._doubted = reasons, True
        else:
            return self._end(Phase.REJECTED, *(self._unturned or reasons))
        self._asks.missed = True
        return self._start_over(now_s)

    def _look(self, window: Window, now_s: float) -> None:
        """At the rows that carry a ratio, and for a picture that stands still."""
        policy = self._policy
        self._answers = self._challenge.rows(policy, now_s)
        if self._claim is not None:
            self._answers.append(self._camera.row(policy))
        self._weighed = window.weighed(policy) + self._answers
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._frozen = window.frozen(policy)

    def _go_on(self, window: Window, elapsed_s: float) -> list[Event]:
        policy, time = self._policy, min(elapsed_s / self._settle_s, PROGRESS_MOST)
        return self._guidance.reach(min(time, window.share(policy), self._challenge.share(policy)))

    def _accept(self, window: Window) -> list[Event]:
        return [
            *self._guidance.reach(1.0),
            *self._move(Phase.ACCEPTED),
            Decided(
                Phase.ACCEPTED,
                subject=window.owner.subject(),
                template=window.owner.template(self._policy),
                acr=self._challenge.name,
                probe=window.owner.pool(),
            ),
        ]

    def _start_over(self, now_s: float) -> list[Event]:
        """Throw the evidence away. The face that is there now is a new one."""
        self._challenge.stop(now_s)
        self._breaks.afresh()
        self._asks.forget()
        if self._window is None:
            return []
        self._left, self._window = self.evidence(), None
        self._doubted = self._doubted or speaks_against(self._left)
        return [*self._move(Phase.FRAMING), *self._guidance.reach(0.0)]

    def _end(self, phase: Phase, *reasons: Reason) -> list[Event]:
        return [*self._move(phase), Decided(phase, reasons)]

    def _move(self, phase: Phase) -> list[Event]:
        assert phase in MOVES[self._phase], f"{self._phase} -> {phase}"
        self._phase, self._over = phase, not MOVES[phase]
        return [PhaseChanged(phase)]

    def _advice(self) -> Hint | None:
        """What would help although the frame itself is fine."""
        if self._window is None:
            return None
        steady = self._window.owner.steady(self._policy)
        absent = self._window.absent(self._policy, self._weighed)
        return advice(frozen=self._frozen, covered=self._cover.seen, absent=absent, steady=steady)
