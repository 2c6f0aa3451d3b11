"""What keeps throwing evidence away, so that the person hears why: no loop without a word.

Here: how often each cause came, and the hint that names it. Not here: that evidence is thrown away
(session.py), when a hint about a frame is said (guidance.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipeline.cues.attention import HINTS
from pipeline.cues.continuity import Break
from pipeline.decision import Evidence, Stand
from pipeline.policy import Policy
from pipeline.reasons import Hint

OFTEN = 3
"""Times that the same cause may come before it is named: a person turns round or is jostled once or
twice, and evidence that begins afresh says nothing then."""
SAY_S = 3.0
"""How long the cause is named after it came: long enough to be read, whatever the frames between
look like."""
APART_S = 0.2
"""A cause that comes again sooner is the same event: a second face is there in every frame."""

OF_BREAKS: dict[Break, Hint] = {
    Break.LOST: Hint.FACE_LOST,
    Break.SLOW: Hint.CAMERA_SLOW,
    Break.JUMPED: Hint.HOLD_STILL,
    Break.RESIZED: Hint.PICTURE_JUMPS,
    Break.ANOTHER_FACE: Hint.FACE_CHANGES,
    Break.UNLIKE: Hint.FACE_CHANGES,
    Break.SECOND_FACE: Hint.ONE_FACE_ONLY,
    Break.CUT: Hint.PICTURE_JUMPS,
    Break.BORDERS: Hint.PICTURE_JUMPS,
}
"""A test holds every break against it. That it may be the connection: lateness.py."""
OF_ROWS: dict[str, Hint] = {
    "face": Hint.HOLD_STILL,
    "freshness": Hint.TURN_SLOWLY,
    "spoof": Hint.MORE_LIGHT,
    "identity": Hint.LOOK_AT_CAMERA,
    "turn": Hint.LOOK_AT_CAMERA,
    "light": Hint.LESS_LIGHT,
}
"""What may help where a window ended undecided for want of a row; the attention's row says more."""


def of_window(rows: Sequence[Evidence], policy: Policy) -> Hint:
    """What was wanting in a window that ended undecided."""
    found = {row.cue: row for row in rows}
    for cue in (*policy.required, *policy.weighed):
        row = found.get(cue)
        if row is None or row.stand is Stand.FOR:
            continue
        return HINTS.get(row.reason) or OF_ROWS.get(cue, Hint.LOOK_AT_CAMERA)
    return Hint.MORE_LIGHT  # every row that is needed is there, and their sum is too small


class Repeats:
    """Counts the causes of one session."""

    def __init__(self) -> None:
        self._times: Counter[Hint] = Counter()
        self._came_s: dict[Hint, float] = {}
        self._named: Hint | None = None

    def came(self, cause: Hint, now_s: float) -> None:
        """Evidence was thrown away for this."""
        again = now_s - self._came_s.get(cause, float("-inf")) < APART_S
        self._came_s[cause] = now_s
        self._times[cause] += not again
        if self._times[cause] >= OFTEN:
            self._named = cause

    def hint(self, now_s: float) -> Hint | None:
        """What to name now."""
        if self._named is None or now_s - self._came_s[self._named] > SAY_S:
            self._named = None
        return self._named
