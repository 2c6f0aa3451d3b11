"""The challenge of one session: whether there is one, which, and what the window answers.

Here: when a sequence is drawn and what it adds to the table, the ask, the guidance and the token.
A policy, a client, or a person who sits too calmly (calm.py) brings one.
Not here: the sequences (challenge.py), whether they were answered (cues/light.py, cues/turn.py).
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.challenge import Direction, Draws, draw_light, draw_turns
from pipeline.cues.light import LightAnswer
from pipeline.cues.turn import TurnAnswer
from pipeline.decision import Evidence, Stand
from pipeline.events import Challenged
from pipeline.observation import Observation
from pipeline.policy import Policy
from pipeline.reasons import Hint

PAUSE_S = 1.0
"""Between two challenges: the screen going on and off is at most one flash a second (WCAG 2.3.1
allows three), and there is time to read what to do better."""
END_S = 1.0
"""What a window may take after its challenge is over: for a match on a fresh picture."""

WAYS: dict[Direction, Hint] = {
    Direction.LEFT: Hint.TURN_LEFT,
    Direction.RIGHT: Hint.TURN_RIGHT,
    Direction.UP: Hint.LOOK_UP,
    Direction.DOWN: Hint.LOOK_DOWN,
}


ADVICE: dict[str, Hint] = {
    "no_answer": Hint.LESS_LIGHT,
    "too_weak": Hint.LESS_LIGHT,
    "skin_burnt": Hint.LESS_LIGHT,
    "skin_dark": Hint.MORE_LIGHT,
    "background_burnt": Hint.LESS_LIGHT,
    "background_dark": Hint.MORE_LIGHT,
}
"""What may help after a light that was not answered, by the row's reason."""


class ChallengeRun:
    """Knows nothing of phases: the session says when a window begins and ends."""

    def __init__(self, *, wanted: bool, seed: bytes | None) -> None:
        """`seed`: secret random bytes; None only where no challenge can come."""
        assert seed is not None or not wanted, "a challenge needs a seed"
        self._draws = None if seed is None else Draws(seed)
        self._wanted = wanted
        self._still: bool | None = None
        self._calm = False
        self._n = 0
        self._light: LightAnswer | None = None
        self._turn: TurnAnswer | None = None
        self._ended_s = float("-inf")
        self._advice: Hint | None = None

    @property
    def name(self) -> str | None:
        """The cue that is required and the token's level: light, turn, or None: no challenge."""
        if self._calm:
            return "turn"
        if not self._wanted or self._still is None:
            return None
        return "turn" if self._still else "light"

    @property
    def runs(self) -> bool:
        """Whether an answer is awaited."""
        return self._light is not None or self._turn is not None

    def introduce(self, *, still: bool) -> None:
        """The page said, once, whether its person wants a screen without motion."""
        if self._still is None:
            self._still = still

    def want(self) -> None:
        """From the next window on there is a challenge."""
        self._wanted = self._draws is not None

    def ask_to_turn(self) -> bool:
        """From the next window on the head must be turned, whatever the page said of motion. False,
        and nothing is asked, where there was a challenge before: nobody is asked twice, and a turn
        is no light."""
        if self._wanted or self._draws is None:
            return False
        self._wanted = self._calm = True
        return True

    def ready(self, now_s: float) -> bool:
        """Whether a window may begin."""
        if not self._wanted:
            return True
        return self.name is not None and now_s - self._ended_s >= PAUSE_S

    def begin(self, now_s: float) -> list[Challenged]:
        """A window begins; what to tell the page."""
        if self.name is None:
            return []
        assert self._draws is not None, "wanted without a seed"
        self._n += 1
        if self.name == "turn":
            self._turn = TurnAnswer(draw_turns(self._draws))
            return []  # the directions are said one by one, as hints
        self._light = LightAnswer(draw_light(self._draws, self._n), now_s)
        return [Challenged(self._light.light)]

    def stop(self, now_s: float) -> None:
        """The window is over: what was not answered never will be."""
        if self._light is not None or self._turn is not None:
            self._ended_s = now_s
        self._light = self._turn = None

    def add(self, obs: Observation, policy: Policy) -> None:
        """Take one observation, usable for other cues or not."""
        if self._light is not None:
            self._light.add(obs)
        if self._turn is not None:
            self._turn.add(obs, policy)

    def painted(self, n: int, step: int, ms: float, now_s: float) -> None:
        """The page's report; about an earlier challenge it says nothing."""
        if self._light is not None and n == self._light.light.n:
            self._light.painted(step, ms, now_s)

    def rows(self, policy: Policy, now_s: float) -> list[Evidence]:
        """The answer's row, if there is a challenge."""
        if self._light is not None:
            row = self._light.row(policy, now_s)
            self._advice = ADVICE.get(row.reason) if row.stand is Stand.UNKNOWN else None
            return [row]
        return [] if self._turn is None else [self._turn.row()]

    def judge(self, policy: Policy) -> Policy:
        """The policy, with the answer among what is required."""
        name = self.name
        return policy if name is None else replace(policy, required=(*policy.required, name))

    def end_s(self, policy: Policy, window_s: float, elapsed_s: float) -> float:
        """How long the window may last, of which `elapsed_s` are over."""
        if self._light is not None:
            return max(window_s, self._light.length_s(policy) + END_S)
        if self._turn is not None and not self._turn.over:
            return max(window_s, elapsed_s + END_S)
        return window_s if self._turn is None else max(window_s, self._turn.took_s + 2 * END_S)

    def share(self, policy: Policy) -> float:
        """How much of the answer is in, 0..1."""
        if self._light is not None:
            return self._light.share(policy)
        return 1.0 if self._turn is None else self._turn.share()

    def hint(self, hint: Hint | None) -> Hint | None:
        """Guidance in place of `hint`, where the challenge asks for what would else be wrong."""
        if self._turn is None and hint is None:
            missing = None if self._light is None else self._light.missing()
            return self._advice if missing is None else ADVICE[missing]
        if self._turn is None or self._turn.over:
            return hint
        if hint not in (None, Hint.LOOK_AT_CAMERA, Hint.HOLD_STILL):
            return hint
        way = self._turn.asks
        return Hint.LOOK_AT_CAMERA if way is None else WAYS[way]

    def tint(self, policy: Policy, now_s: float) -> bool:
        """Whether the next picture's colours belong to the answer."""
        return self._light is not None and self._light.wants(now_s, policy)
