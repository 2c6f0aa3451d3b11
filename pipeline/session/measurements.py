"""The one list of what is measured in a frame: how often, how it is asked for, which cues read it.

Here: the table, and what follows from it: the next ask, how much it may carry, the note of what was
made, the cues of a window. Not here: how it is measured (see.py), the lengths of the periods
(policy.py), when they are over and what is the most overdue (schedule.py), what the cues say
(cues/). How to add a cue: docs/adding-a-cue.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pipeline.cue import Cue
from pipeline.cues.attention import LEAST as LOOKS
from pipeline.cues.attention import Attention
from pipeline.cues.background import Background
from pipeline.cues.bezel import Bezel
from pipeline.cues.blink import Blink
from pipeline.cues.detail import Detail
from pipeline.cues.glow import Glow
from pipeline.cues.micro import Micro
from pipeline.cues.plane import Plane
from pipeline.cues.spoof import SpoofVote
from pipeline.decision import Evidence
from pipeline.observation import Ask, Bars, Observation, Roi, Tracks
from pipeline.policy import Policy
from pipeline.template import Floats, Template


class Owner(Protocol):
    """The role of whoever the face is: found in the gallery (cues/identity.py), or about to become
    a template (cues/enrolment.py). It reads the embeddings, and its row is `identity`."""

    def add(self, obs: Observation, policy: Policy) -> None:
        """Take one observation's embedding, if it has one."""

    def probe(self, obs: Observation, policy: Policy) -> Floats | None:
        """What it will look for once it has this one's embedding, too; None for nothing."""

    def share(self, policy: Policy) -> float:
        """How much of the evidence needed is in, 0..1."""

    def steady(self, policy: Policy) -> bool:
        """Whether the person should turn the head a little."""

    def row(self, policy: Policy, now_s: float) -> Evidence:
        """Its row of the table."""

    def subject(self) -> str | None:
        """What an acceptance takes from it: whom the face was accepted as. Only after FOR."""

    def pool(self) -> Floats | None:
        """What an acceptance takes from it: the pooled face that was compared. Only after FOR."""

    def template(self, policy: Policy) -> Template | None:
        """What an acceptance takes from it: what is to be stored. Only after FOR."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides about the next frame, beside the time."""

    policy: Policy
    roi: Roi | None = None
    """Where the face was."""
    missed: bool = False
    """The newest frame showed no face."""
    gathering: bool = False
    """A window is open. Else nothing but a face is looked for."""
    doubts: bool = False
    """There is cause to ask at once whose face it is."""
    undecided: bool = False
    """The clear signs are in and do not suffice, or a window ended undecided."""
    clear: bool = False
    """The votes are in and no sum is in doubt, whatever else the window waits for."""
    ripe: bool = False
    """All that the window needs was measured, so an embedding of now may decide it."""
    lit: bool = False
    """The next picture's colours belong to the answer to a challenge."""
    glanced: bool = False
    """The newest frame carried nothing, so the next may carry more."""
    quick: bool = False
    """Frames follow each other quickly enough for a blink, and for a glance between two looks."""
    answering: bool = False
    """The answer to a challenge is awaited."""
    tracks: Tracks | None = None
    """What motion goes on from."""
    bars: Bars | None = None
    """Borders of the frame that belong to the camera."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A line of the table."""

    name: str
    """Of the schedule."""
    period_s: Callable[[Policy], float]
    """How long after it was made it is due again."""
    need: Callable[[Policy], int]
    """How many a window needs before it can be decided: these go before all others."""
    wanted: Callable[[Situation], bool]
    """Whether to ask for it once it is due."""
    ask: Callable[[Ask, Situation], Ask]
    """What is asked of `see`: the ask so far, and this."""
    made: Callable[[Ask, Observation], bool]
    """Whether an observation counts as having made it, by what was asked or by what came of it."""
    cues: tuple[type[Cue], ...] = ()
    """The cues that read it."""
    at_once: Callable[[bool, Situation], bool] = lambda due, now: False
    """Whether to ask for it before all others, due or not."""
    thins: bool = False
    """Made less often (`sparse`) once the window has enough of it and the signs are clear."""
    weight: int = 1
    """How much of a frame's room it takes (`asks_needed`, `asks_more`): what it costs, roughly, in
    runs of the anti-spoof net; 0 for what always finds room."""


def _gathering(now: Situation) -> bool:
    return now.gathering


def _on_a_face(asked: Callable[[Ask], bool]) -> Callable[[Ask, Observation], bool]:
    """It counts as made where it was asked for on a face, even where nothing came of it: else it
    would be tried again on every frame."""
    return lambda ask, obs: asked(ask) and obs.face is not None


DETECT = Measurement(
    name="detect",
    period_s=lambda policy: policy.detect_period_s,
    # One beside that which found the face: a second person may come in after it.
    need=lambda policy: 1,
    wanted=lambda now: True,
    # Once a second it comes before all else, beside what a frame has room for: no other look finds
    # a second person.
    at_once=lambda due, now: due or now.missed,
    weight=0,
    ask=lambda ask, now: replace(ask, detect=True),
    # By result: the detector says how many faces it saw, none included.
    made=lambda ask, obs: obs.faces is not None,
)
EMBED = Measurement(
    name="embed",
    period_s=lambda policy: policy.embed_period_s,
    need=lambda policy: policy.embeddings,
    wanted=_gathering,
    at_once=lambda due, now: now.gathering and (now.doubts or (due and now.ripe)),
    ask=lambda ask, now: replace(ask, embed_above=now.policy.min_quality),
    weight=2,
    # By result: a frame too poor for it is followed by the next. The owner reads it.
    made=lambda ask, obs: obs.face is not None and obs.face.embedding is not None,
)
SPOOF = Measurement(
    name="spoof",
    period_s=lambda policy: policy.spoof_period_s,
    thins=True,
    need=lambda policy: policy.spoof_votes,
    wanted=_gathering,
    # Eyes at every frame would leave it no room, and the vote is what the doubt is about.
    at_once=lambda due, now: due and now.gathering and now.undecided,
    # The face's detail costs a tenth of a run of the net, and is wanted as often.
    ask=lambda ask, now: replace(ask, spoof=True, detail=True),
    weight=2,
    made=_on_a_face(lambda ask: ask.spoof),
    cues=(SpoofVote, Detail),
)
EDGES = Measurement(
    name="edges",
    period_s=lambda policy: policy.edges_period_s,
    thins=True,
    need=lambda policy: policy.border_samples,
    wanted=_gathering,
    # All of the face's surroundings; the mouth is for a hint, and no cue reads it.
    ask=lambda ask, now: replace(ask, edges=True, glow=True, mouth=True),
    made=_on_a_face(lambda ask: ask.edges),
    cues=(Bezel, Glow),
)
EYES = Measurement(
    name="eyes",
    period_s=lambda policy: policy.eyes_period_s,
    need=lambda policy: 0,
    # At every frame for a blink, which cannot matter where everything else is clear: the iris net
    # is dear. ATTENTION asks the same, now and then.
    wanted=lambda now: now.gathering and now.undecided,
    at_once=lambda due, now: due and now.gathering and now.undecided and now.quick,
    ask=lambda ask, now: replace(ask, eyes=True),
    made=_on_a_face(lambda ask: ask.eyes),
    cues=(Blink,),
)
ATTENTION = Measurement(
    name="attention",
    period_s=lambda policy: policy.attention_period_s,
    need=lambda policy: max(LOOKS, policy.attentive_looks),
    wanted=_gathering,
    ask=lambda ask, now: replace(ask, eyes=True),
    made=_on_a_face(lambda ask: ask.eyes),
    cues=(Attention,),
)
TINT = Measurement(
    name="tint",
    period_s=lambda policy: 0.0,
    need=lambda policy: 0,
    # On every frame while it can be an answer. The challenge reads it (cues/light.py).
    wanted=lambda now: now.gathering and now.lit,
    ask=lambda ask, now: replace(ask, tint=True),
    made=_on_a_face(lambda ask: ask.tint),
    weight=0,
)
MOTION = Measurement(
    name="motion",
    period_s=lambda policy: policy.motion_period_s,
    thins=True,
    need=lambda policy: 1 + policy.motion_samples,  # the first is what the others start from
    wanted=_gathering,
    ask=lambda ask, now: replace(ask, motion=True, tracks=now.tracks),
    made=_on_a_face(lambda ask: ask.motion),
    cues=(Background, Micro, Plane),
)

MEASUREMENTS = (DETECT, SPOOF, EMBED, MOTION, EDGES, EYES, ATTENTION, TINT)
"""All of them; of what a window has too few of, the first goes first."""

BY_NAME = {one.name: one for one in MEASUREMENTS}

ORDER: tuple[type[Cue], ...] = (
    SpoofVote, Bezel, Background, Glow, Micro, Plane, Blink, Attention, Detail,
)  # fmt: skip
"""How the cues' rows stand in the table: the anti-spoof net first, a new cue last. Ratios are added
in this order, so an old tape's sums are rounded as they were."""


def periods_s(policy: Policy) -> dict[str, float]:
    """For the schedule."""
    return {one.name: one.period_s(policy) for one in MEASUREMENTS}


def sparse_s(policy: Policy) -> dict[str, float]:
    """The same, of a window whose signs are clear and that waits for something else."""
    return {
        one.name: one.period_s(policy) * (policy.sparse if one.thins else 1.0)
        for one in MEASUREMENTS
    }


def needs(policy: Policy) -> dict[str, int]:
    """For the schedule."""
    return {one.name: one.need(policy) for one in MEASUREMENTS}


def next_ask(lacking: Sequence[str], rest: Sequence[str], now: Situation) -> Ask:
    """What to measure in the next frame: names, the most urgent first, as the schedule says.

    A frame has little room, and only what the window lacks may take all of it; what finds none
    waits for the next. So where frames are few, a session asks for less, not for more in each. Of
    every second frame of a quick camera only the sketch is wanted, once the window has all that it
    needs and where there is no doubt.
    """
    if _glance_will_do(now):
        return Ask(bars=now.bars)
    ask = Ask(roi=now.roi, bars=now.bars)
    room = now.policy.asks_needed
    kept = 0 if now.glanced else room - now.policy.asks_more
    first = [one for one in MEASUREMENTS if one.at_once(one.name in (*lacking, *rest), now)]
    for one, least in (
        *((one, 0) for one in first),
        *((BY_NAME[name], 0) for name in lacking),
        *((BY_NAME[name], kept) for name in rest),
    ):
        if one not in first and not one.wanted(now):
            continue
        more = one.ask(ask, now)
        if more != ask and room - one.weight >= least:
            ask, room = more, room - one.weight
    return ask


def _glance_will_do(now: Situation) -> bool:
    busy = now.missed or now.doubts or now.undecided or now.answering or not now.ripe
    return now.gathering and now.quick and not now.glanced and not busy


def made(ask: Ask, obs: Observation) -> list[str]:
    """Names of what an observation made of an ask."""
    return [one.name for one in MEASUREMENTS if one.made(ask, obs)]


def cues() -> list[Cue]:
    """Of one window, in the table's order."""
    found = [cue for one in MEASUREMENTS for cue in one.cues]
    return [cue() for cue in sorted(found, key=ORDER.index)]
