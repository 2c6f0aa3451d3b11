"""What the person is told on the way: one hint at a time, and how far it is.

Here: when a hint is sent and withdrawn, and how fine progress is told. Not here: what is wrong with
a frame (cues/framing.py), what a challenge asks for (challenge_run.py), that a window began or
ended (session.py). Times are the server's monotonic seconds.
"""

from __future__ import annotations

from collections import Counter
from math import inf

from pipeline.events import Event, Hinted, Progressed
from pipeline.reasons import Hint

HINT_S = 0.4
"""A hint is sent once its cause has lasted this long, and withdrawn likewise: no flicker."""
QUIET_S = 0.8
"""No frame for this long: tell the person that the camera is slow."""
SLOW = (Hint.CAMERA_SLOW, Hint.CONNECTION_SLOW)
"""Why there may be no frame."""
OFTEN = 3
"""A cause that came so often, each time for less than that, is said at once: it flickers."""
PROGRESS_STEP, PROGRESS_MOST = 0.05, 0.99
"""Smaller changes of the progress are not told, and there is no more before the verdict."""


def advice(*, frozen: bool, covered: bool, absent: Hint | None, steady: bool) -> Hint | None:
    """What would help although the frame itself is fine. A frozen camera comes first, because
    nothing that the person does is seen then; `absent`: what is wanting in the attention."""
    if frozen:
        return Hint.CAMERA_FROZEN
    if covered:
        return Hint.UNCOVER_FACE
    if absent is not None:
        return absent
    return Hint.TURN_SLOWLY if steady else None


class Guidance:
    """Knows what was said last, and since when there is cause to say something else."""

    def __init__(self, started_s: float) -> None:
        self._hint: Hint | None = None
        self._cause: tuple[Hint | None, float] = (None, started_s)
        self._came: Counter[Hint | None] = Counter()
        """How often each cause came since it was said."""
        self._progress = 0.0

    def say(self, cause: Hint | None, now_s: float) -> list[Event]:
        """A frame gives cause for this hint, or for none."""
        if cause is not self._cause[0]:
            self._cause = (cause, now_s)
            self._came[cause] += cause is not None
        lasted = now_s - self._cause[1] >= HINT_S or self._came[cause] >= OFTEN
        if cause is self._hint or not lasted:
            return []
        return self._hinted(cause)

    def name(self, cause: Hint, now_s: float) -> list[Event]:
        """Say at once what keeps throwing evidence away; it stays until its cause is gone."""
        self._cause = (cause, now_s)
        return [] if cause is self._hint else self._hinted(cause)

    def _hinted(self, hint: Hint | None) -> list[Event]:
        self._hint = hint
        del self._came[hint]
        return [Hinted(hint)]

    def quiet_until_s(self, heard_s: float) -> float:
        """When a camera whose newest frame came at `heard_s` is slow; inf where that was said."""
        return inf if self._hint in SLOW else heard_s + QUIET_S

    def wait(self, heard_s: float, now_s: float, slow: Hint = Hint.CAMERA_SLOW) -> list[Event]:
        """The newest frame came at `heard_s`. That a camera (or what `slow` says) is slow is said
        at once, because it has been so for `QUIET_S`."""
        if now_s < self.quiet_until_s(heard_s):
            return []
        return self.name(slow, now_s)

    def reach(self, fraction: float) -> list[Event]:
        """The window has got so far, 0..1."""
        fraction = round(fraction, 2)
        small = 0.0 < fraction < 1.0 and abs(fraction - self._progress) < PROGRESS_STEP
        if fraction == self._progress or small:
            return []
        self._progress = fraction
        return [Progressed(fraction)]
