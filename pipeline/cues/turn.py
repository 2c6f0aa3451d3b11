"""Did the head turn where it was asked to, in that order, each within its time?

For people who ask for less motion on the screen: nothing flashes, they move instead. Angles count
from where the head was when it was asked, because a camera may stand below or beside; the first
turn to a side tells whether its picture is mirrored, and the rest must agree. Another direction
than the asked one refuses: a film of somebody who turns is right once in 54. The points that are
followed in the picture must have turned as no plane does, because the mesh takes a picture that is
tilted by 50 degrees for a head that is turned by 16. It says that the stream follows an order of
this moment, not that it shows a face of flesh. Not here: drawing (challenge.py), angles
(nets/mesh.py), what a plane explains (flatness.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np

from pipeline.challenge import Direction
from pipeline.decision import Evidence, Stand, Topic
from pipeline.flatness import Flatness
from pipeline.observation import Observation
from pipeline.policy import Policy

REST_FRAMES = 5
"""Pictures that say where the head is at rest; their median."""
SURE_FRAMES = 2
"""Pictures in a row that show a turn: one may be a slip of the landmarks."""


class TurnAnswer:
    """Follows one window's head through the drawn directions."""

    def __init__(self, turns: Sequence[Direction]) -> None:
        self._turns = tuple(turns)
        self._looks = Flatness()
        self._rest: list[tuple[float, float]] = []
        self._done = 0
        self._asked_s: float | None = None
        self._run: tuple[Direction | None, int] = (None, 0)
        self._row: Evidence | None = None
        self._most_deg = 0.0
        self._mirrored: bool | None = None
        self._began_s: float | None = None
        self._ended_s = 0.0

    @property
    def asks(self) -> Direction | None:
        """Where to turn now; None: to the camera, or nowhere any more."""
        waiting = self._asked_s is None or self._row is not None
        return None if waiting else self._turns[self._done]

    @property
    def over(self) -> bool:
        """Whether nothing can change any more."""
        return self._row is not None

    @property
    def took_s(self) -> float:
        """How long it went on, once it is over."""
        return self._ended_s - (self._ended_s if self._began_s is None else self._began_s)

    def add(self, obs: Observation, policy: Policy) -> None:
        """Take one observation."""
        face, now_s = obs.face, obs.arrival_s
        if self._row is None:
            self._looks.add(obs)
            self._began_s = now_s if self._began_s is None else self._began_s
            self._ended_s = now_s
        if face is None or self._row is not None:
            return
        if len(self._rest) < REST_FRAMES:
            self._rest.append((face.yaw_deg, face.pitch_deg))
            if len(self._rest) == REST_FRAMES:
                self._asked_s = now_s
            return
        yaw0, pitch0 = np.median(np.array(self._rest), axis=0)
        yaw, pitch = face.yaw_deg - float(yaw0), face.pitch_deg - float(pitch0)
        if self._asked_s is None:
            # Back to the camera between two turns: else one slow roll of the head would do.
            if max(abs(yaw), abs(pitch)) <= policy.turn_rest_deg:
                self._asked_s, self._run = now_s, (None, 0)
            return
        way = _way(yaw, pitch, policy)
        self._most_deg = max(self._most_deg, abs(yaw), abs(pitch))
        last, count = self._run
        self._run = (way, count + 1 if way is last else 1)
        if now_s - self._asked_s > policy.turn_limit_s:
            self._end(Stand.UNKNOWN, "too_slow")
        elif way is None or self._run[1] < SURE_FRAMES:
            return
        elif now_s - self._asked_s < policy.turn_reaction_s:
            self._end(Stand.AGAINST, "too_soon")
        elif not self._is_asked(way):
            self._end(Stand.AGAINST, "another_way")
        else:
            self._done += 1
            self._asked_s = None
            if self._done == len(self._turns):
                self._end(*self._solid(policy))

    def _solid(self, policy: Policy) -> tuple[Stand, str]:
        """Whether all that turned was more than a plane; not measured is no answer."""
        ratios = self._looks.turned(policy)
        if len(ratios) < policy.motion_samples:
            return Stand.UNKNOWN, "not_measured"
        return (
            (Stand.AGAINST, "flat")
            if median(ratios) < policy.plane_ratio
            else (Stand.FOR, "turned")
        )

    def _is_asked(self, way: Direction) -> bool:
        """Drivers and virtual cameras may mirror what they give, and nothing tells: what the first
        turn to a side says of that holds from then on."""
        asked = self._turns[self._done]
        if self._mirrored is None and way.mirrored is not way and asked in (way, way.mirrored):
            self._mirrored = way is not asked
        return (way.mirrored if self._mirrored else way) is asked

    def share(self) -> float:
        """How much is done, 0..1."""
        return self._done / len(self._turns)

    def row(self) -> Evidence:
        """UNKNOWN until it is over; then final."""
        return self._row or _say(Stand.UNKNOWN, "not_yet", self._numbers())

    def _numbers(self) -> dict[str, float]:
        found = {"done": float(self._done), "most_deg": self._most_deg}
        return found if self._mirrored is None else found | {"mirrored": float(self._mirrored)}

    def _end(self, stand: Stand, reason: str) -> None:
        self._row = _say(stand, reason, self._numbers())


def _way(yaw_deg: float, pitch_deg: float, policy: Policy) -> Direction | None:
    """The direction of a turn that is clearly one, in a picture that is not mirrored: a person's
    left is at image right, where yaw is positive."""
    across, along = yaw_deg / policy.turn_yaw_deg, pitch_deg / policy.turn_pitch_deg
    if max(abs(across), abs(along)) < 1.0:
        return None
    if abs(across) >= abs(along):
        return Direction.LEFT if across > 0 else Direction.RIGHT
    return Direction.UP if along > 0 else Direction.DOWN


def _say(stand: Stand, reason: str, numbers: dict[str, float]) -> Evidence:
    certain = stand is Stand.AGAINST
    return Evidence("turn", Topic.LIVENESS, stand, reason, certain=certain, numbers=numbers)
