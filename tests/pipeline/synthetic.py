"""Whole sessions over synthetic films: real nets for everything but the anti-spoof vote.

The anti-spoof net was trained on photographs of people and prints; of a rendered head it knows
nothing, so its answer is a test's to choose. Everything else measures what is in the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from pipeline.decision import Evidence
from pipeline.events import Decided, Event, Hinted
from pipeline.frame import Frame
from pipeline.inputs import Began, Introduced, Seen, TimePassed
from pipeline.nets import Floats, Image, Run
from pipeline.observation import Observation
from pipeline.policy import Policy
from pipeline.reasons import Hint, Phase, Purpose, Reason
from pipeline.see import see
from pipeline.session import SessionPipeline
from pipeline.template import Gallery

MODEL = "sface"
Film = Iterator[tuple[float, Image]]


@dataclass
class Voted:
    """The real nets, but the anti-spoof margin is this; None asks the net itself."""

    nets: Run
    margin: float | None = 3.0

    def __call__(self, net: str, feed: Floats) -> tuple[Floats, ...]:
        if net != "spoof" or self.margin is None:
            return self.nets(net, feed)
        logits = np.full((1, 3), -20.0, np.float32)
        logits[0, :2] = self.margin, 0.0  # live first, then the attacks: logsumexp is the second
        return (logits,)


@dataclass
class Ended:
    """What became of a session."""

    decided: Decided | None
    """None if the film ended first."""
    at_s: float
    hints: list[Hint]
    """Those that were shown, in order."""
    rows: dict[str, Evidence]
    seen: list[Observation] = field(default_factory=list)

    @property
    def phase(self) -> Phase | None:
        return None if self.decided is None else self.decided.phase

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return () if self.decided is None else self.decided.reasons


def attend(
    film: Film,
    run: Run,
    *,
    purpose: Purpose = Purpose.LOGIN,
    gallery: Gallery | None = None,
    policy: Policy | None = None,
    challenge: bool = False,
    page: Callable[[SessionPipeline, float, list[Event]], None] | None = None,
) -> Ended:
    """Give a film to a session, as the server would, until it is over or the film is.

    `page` hears after each frame what the session said, and may answer it.
    """
    session = SessionPipeline(
        purpose=purpose,
        policy=policy or Policy(),
        gallery=gallery or Gallery.of([]),
        model_id=MODEL,
        started_s=0.0,
        challenge=challenge,
        seed=bytes(range(32)) if challenge else None,
    )
    events: list[Event] = session.receive(Began())
    session.receive(Introduced(still=False))
    seen: list[Observation] = []
    reference: Image | None = None
    now_s = 0.0
    for seq, (now_s, image) in enumerate(film):
        while (due_s := session.deadline_s()) <= now_s and not session.over:
            events += session.receive(TimePassed(due_s))
        if session.over:
            break
        ask = session.ask()
        obs = see(Frame(image, seq, now_s, now_s, reference), ask, run)
        if ask.motion and ask.tracks is None:
            reference = image
        seen.append(obs)
        new = session.receive(Seen(obs))
        events += new
        if page is not None:
            page(session, now_s, new)
        if session.over:
            break
    decided = next((event for event in events if isinstance(event, Decided)), None)
    hints = [event.hint for event in events if isinstance(event, Hinted) and event.hint]
    return Ended(decided, now_s, hints, {row.cue: row for row in session.evidence()}, seen)
