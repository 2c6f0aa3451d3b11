"""One clip through `see` and a session, as the server runs it; one still by its picture cues.

Two sessions look at the same pictures: one decides, one only measures every window to its end, for
curves and cues. Anybody's face counts as the owner's: identity is not evaluated here. Player and
the policies also serve the liveness benchmark. Not here: rates (liveness.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.cues.bezel import Bezel
from pipeline.cues.glow import Glow
from pipeline.cues.spoof import SpoofVote
from pipeline.decision import Evidence, Stand, Topic, liveness_sum
from pipeline.events import Decided, Event, Hinted, PhaseChanged
from pipeline.frame import Reference
from pipeline.inputs import Seen
from pipeline.observation import Ask, Observation
from pipeline.policy import Policy
from pipeline.reasons import Phase, Purpose, Reason
from pipeline.session import SessionPipeline
from pipeline.template import Gallery, Template
from server.frames.convert import to_frame
from server.tools.clips import MediaError, read_clip, resize
from server.tools.evaluation import closeup, vp8
from server.tools.evaluation.acquire import See
from server.tools.evaluation.cache import Value
from server.tools.evaluation.folder import Item

STILL_ASK = Ask(detect=True, spoof=True, edges=True, glow=True)


def deciding(policy: Policy) -> Policy:
    """The policy without the owner: no face is another's, and none is required to be his."""
    required = tuple(cue for cue in policy.required if cue != "identity")
    return replace(policy, required=required, match_score=-1.0, mismatch_score=-1.0)


def watching(policy: Policy) -> Policy:
    """Decides nothing: every window is measured to its end, and no row is a veto."""
    return replace(
        deciding(policy),
        settle_s=policy.window_s,
        windows=10**6,
        time_limit_s=1e9,
        required=(),
        weighed=(),
        challenge="none",
        reject_llr=-1e9,
        accept_llr=1e9,
        accept_late_llr=1e9,
        spoof_strong=-1e9,
        bezel_strong=1e9,
        plane_ratio=-1.0,
        frozen_step=-1.0,
        frozen_s=1e9,
        frozen_wobble=-1.0,
        loop_ratio=-1.0,
        another_face_most=10**6,
        cut_most=10**6,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session about one clip went."""

    phase: Phase | None
    """None: the clip was over before the session was."""
    reasons: tuple[Reason, ...]
    took_s: float | None
    """From the first usable frame of the window that decided to the verdict."""
    since_first_s: float | None
    """From the first usable frame of the clip to the verdict."""
    gathered: bool
    """Whether any frame was usable."""
    hints: tuple[str, ...]
    """Each once, in the order of their first time."""
    rows: list[Evidence]
    """The table at the end."""
    windows: list[list[Evidence]]
    """The tables of whole windows that ended undecided."""


class Player:
    """A session and what it said. Whoever plays a clip looks at each frame under `session.ask()`
    and gives what was seen to `take`, until `session.over` or the clip is."""

    def __init__(self, policy: Policy, dimensions: int) -> None:
        """`dimensions`: of the embedder; a gallery of one, of nobody, is as good as any."""
        self._policy = policy
        anybody = Template("x", np.eye(dimensions, dtype=np.float32)[:1], 1.0)
        self.session = SessionPipeline(
            purpose=Purpose.LOGIN,
            policy=policy,
            gallery=Gallery.of([("x", anybody)]),
            model_id="x",
            started_s=0.0,
        )
        self.first_s: float | None = None
        self.window_s: float | None = None
        self.ended_s: float | None = None
        self.decided: Decided | None = None
        self.hints: dict[str, None] = {}
        self.windows: list[list[Evidence]] = []

    def take(self, observation: Observation) -> None:
        """One frame's observation, of the session's own ask."""
        before = self.session.evidence()
        self._hear(self.session.receive(Seen(observation)), observation.arrival_s, before)

    def _hear(self, events: list[Event], at_s: float, before: list[Evidence]) -> None:
        broken = any(isinstance(e, PhaseChanged) and e.phase is Phase.FRAMING for e in events)
        again = any(isinstance(e, PhaseChanged) and e.phase is Phase.GATHERING for e in events)
        # A break may begin a new window at once, whose table is nearly empty
        table = before if broken and again else self.session.evidence()
        for event in events:
            match event:
                case PhaseChanged(Phase.GATHERING):
                    self.window_s = at_s
                    self.first_s = at_s if self.first_s is None else self.first_s
                case PhaseChanged(Phase.FRAMING) if self.window_s is not None:
                    # Else a break in continuity, whose window was never whole
                    if at_s - self.window_s >= self._policy.window_s:
                        self.windows.append(table)
                    if self.decided is None:
                        self.window_s = None
                case Hinted(hint) if hint is not None:
                    self.hints[hint.value] = None
                case Decided():
                    self.decided, self.ended_s = event, at_s

    def outcome(self) -> Outcome:
        """What has come of it so far."""
        decided = self.decided
        return Outcome(
            phase=decided.phase if decided else None,
            reasons=decided.reasons if decided else (),
            took_s=_since(self.ended_s, self.window_s),
            since_first_s=_since(self.ended_s, self.first_s),
            gathered=self.first_s is not None,
            hints=tuple(self.hints),
            rows=self.session.evidence(),
            windows=self.windows,
        )


def play(item: Item, see: See, policy: Policy, dimensions: int) -> Value:
    """What a session made of a clip. Never raises on what a file holds."""
    judge = Player(deciding(policy), dimensions)
    watch = Player(watching(policy), dimensions)
    mine, its = Reference(), Reference()
    failure, count, at_s = "", 0, 0.0
    try:
        shown = closeup.film(item.path, see, begin_s=item.begin_s, framing=item.framing)
        for at_s, picture in shown:
            frame = to_frame(picture, count, at_s, at_s)
            count += 1
            asked = watch.session.ask()
            seen = see(its.attach(frame), asked)
            its.keep(frame, asked)
            if not judge.session.over:
                ask = judge.session.ask()
                # While both want the same they see the same: their tracks are one object then.
                own = seen if ask == asked else see(mine.attach(frame), ask)
                mine.keep(frame, ask)
                judge.take(own)
            watch.take(seen)
    except MediaError as problem:
        failure = problem.code  # what came before the damage was played
    except OSError:
        failure = "media_unreadable"
    ended, tables = judge.outcome(), watch.windows
    if not tables and watch.window_s is not None and at_s - watch.window_s >= policy.settle_s:
        tables = [watch.session.evidence()]  # shorter than a window, long enough for a verdict
    return {
        "failure": failure,
        "pictures": count,
        "seconds": at_s,
        "phase": None if ended.phase is None else ended.phase.value,
        "reasons": [reason.value for reason in ended.reasons],
        "took_s": ended.took_s,
        "since_first_s": ended.since_first_s,
        "gathered": ended.gathered,
        "hints": list(ended.hints),
        "rows": rows(ended.rows),
        "windows": [rows(table) for table in tables],
        "sums": [liveness_sum(table) for table in tables],
    }


def still(item: Item, see: See, policy: Policy) -> Value:
    """What the picture cues say of one still: no session accepts one, so this is the sum alone."""
    seen = None
    failure = ""
    try:
        for at_s, picture in read_clip(item.path):
            seen = see(to_frame(resize(picture, vp8.SIDE), 0, at_s, at_s), STILL_ASK)
            break
    except MediaError as problem:
        failure = problem.code
    except OSError:
        failure = "media_unreadable"
    if seen is None or seen.face is None:
        return {"failure": failure or "no_face", "rows": [], "sum": None, "veto": False}
    one = replace(policy, spoof_votes=1, border_samples=1)
    vote, bezel, glow = SpoofVote(), Bezel(), Glow()
    vote.add(seen)
    bezel.add(seen)
    glow.add(seen)
    table = [vote.row(one), bezel.row(one), glow.row(one)]
    if table[0].stand is Stand.UNKNOWN:
        return {"failure": table[0].reason, "rows": rows(table), "sum": None, "veto": False}
    veto = any(row.stand is Stand.AGAINST for row in table)
    return {"failure": "", "rows": rows(table), "sum": liveness_sum(table), "veto": veto}


def _since(end_s: float | None, begin_s: float | None) -> float | None:
    return None if end_s is None or begin_s is None else end_s - begin_s


def rows(table: Sequence[Evidence]) -> list[dict[str, Any]]:
    """A table as it is kept, without identity."""
    return [row.to_json() for row in table if row.topic is not Topic.IDENTITY]
