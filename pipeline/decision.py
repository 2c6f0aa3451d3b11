"""From rows of evidence to accept, reject, go on or try again. Pure; default deny.

A row says what one cue found; the decision is the table of rows against a policy. Absence of
evidence never accepts: every required and every weighed cue must be FOR, none may be AGAINST, and
the clipped log-likelihood ratios of liveness must add up for each species of attack, because what
speaks against a print says nothing of a screen. The least sum counts. Sequential in the sense of
Wald (1945): it stops at the first moment the evidence is enough, either way, and what is enough
falls with time; a window that ends between the two sums has proved nothing, and fresh evidence is
gathered. The rule and its errors: docs/liveness.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter

from pipeline.policy import Policy
from pipeline.reasons import Reason


class Stand(StrEnum):
    """Which way a row points."""

    FOR = "for"
    """Measured, and what a live owner shows. Only this satisfies a required cue."""
    OPEN = "open"
    """Measured, and no stand of its own: a weak sign, whose ratio counts in the sum and no more."""
    AGAINST = "against"
    """Measured, and a veto: whatever the sum, nobody is accepted beside it."""
    UNKNOWN = "unknown"
    """Not measured. Never a number: its ratio is 0."""


class Topic(StrEnum):
    """What question a row answers."""

    LIVENESS = "liveness"
    IDENTITY = "identity"
    QUALITY = "quality"


class Species(StrEnum):
    """Kinds of presentation attack instrument (ISO/IEC 30107-3:2023, 3.1.2) with a sum each."""

    PRINT = "print"
    """A still picture: paper, or anything else on which nothing moves."""
    SCREEN = "screen"
    """A recording played."""


# By names of their own: an enumeration looks its members up, and there are a hundred to a decision.
LIVENESS = Topic.LIVENESS
FOR, AGAINST, UNKNOWN = Stand.FOR, Stand.AGAINST, Stand.UNKNOWN
EVERY = tuple(Species)
"""What tells a living face from all of them."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One cue's row."""

    cue: str
    """Name of the cue, stable."""
    topic: Topic
    """Which question it answers."""
    stand: Stand
    """Which way it points."""
    reason: str
    """Why, a stable code of the cue's own."""
    llr: float = 0.0
    """Clipped natural log-likelihood ratio, positive for live; 0 unless measured for liveness."""
    certain: bool = False
    """AGAINST so clearly that more frames of this window cannot change it."""
    numbers: dict[str, float] = field(default_factory=dict)
    """The measurements behind it, never an embedding."""
    species: tuple[Species, ...] = EVERY
    """Attacks that its ratio knows something of: it counts in their sums, and in no other."""

    def to_json(self) -> dict[str, object]:
        """A row for the session record."""
        return {
            "cue": self.cue,
            "topic": self.topic.value,
            "stand": self.stand.value,
            "reason": self.reason,
            "llr": round(self.llr, 3),
            "certain": self.certain,
            "numbers": {name: round(value, 4) for name, value in self.numbers.items()},
            "species": [one.value for one in self.species],
        }


def leaning(
    cue: str,
    llr: float,
    live: str,
    doubt: str,
    numbers: dict[str, float],
    *,
    strong: bool = False,
    species: tuple[Species, ...] = EVERY,
) -> Evidence:
    """A measured liveness row by the sign of its ratio: FOR (reason `live`) above zero, else OPEN
    (reason `doubt`), or AGAINST and certain where the caller says that the sign is `strong`."""
    if strong:
        return Evidence(cue, LIVENESS, AGAINST, doubt, llr, True, numbers, species)
    if llr > 0.0:
        return Evidence(cue, LIVENESS, FOR, live, llr, False, numbers, species)
    return Evidence(cue, LIVENESS, Stand.OPEN, doubt, llr, False, numbers, species)


def sums(rows: Sequence[Evidence]) -> dict[Species, float]:
    """Of each species the liveness ratios that know something of it, added up. Rows that were not
    measured count nothing. This is naive Bayes; the cues are not independent, so each ratio is
    clipped (docs/liveness.md).
    """
    totals = dict.fromkeys(EVERY, 0.0)
    for row in rows:
        if row.topic is LIVENESS and row.stand is not UNKNOWN and row.llr:
            for one in row.species:
                totals[one] += row.llr
    return totals


def liveness_sum(rows: Sequence[Evidence]) -> float:
    """S: the least of the sums. Who is no print may be a screen."""
    return min(sums(rows).values())


def leans_against(rows: Sequence[Evidence]) -> bool:
    """Whether the evidence as it stands leans against the face. Not before a sign was measured that
    tells it from every species: the vote, or a border. The others alone are below 0 for most people
    in the first second."""
    told = any(
        row.topic is LIVENESS and row.stand is not UNKNOWN and row.llr and row.species == EVERY
        for row in rows
    )
    return told and liveness_sum(rows) < 0.0


def speaks_against(rows: Sequence[Evidence]) -> bool:
    """Whether a row of the face or of its owner stands against it, or all together lean so."""
    against = any(row.stand is AGAINST and row.topic in (Topic.IDENTITY, LIVENESS) for row in rows)
    return against or leans_against(rows)


class Step(StrEnum):
    """What a decision tells the session to do."""

    ACCEPT = "accept"
    REJECT = "reject"
    GO_ON = "go_on"
    TRY_AGAIN = "try_again"
    """The window is over and proved nothing: gather afresh."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from the rows."""

    step: Step
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """When a table was decided: with it, the rows and a policy, the same can be decided again."""

    elapsed_s: float
    settle_s: float
    window_s: float
    """As `decide` was told them."""
    asked: str | None = None
    """The challenge whose row was required beside the policy's."""

    def times(self) -> dict[str, float]:
        """For `decide` and `bounds`."""
        return {
            "elapsed_s": self.elapsed_s,
            "settle_s": self.settle_s,
            "window_s": self.window_s,
        }

    def bounds(self, policy: Policy) -> Bounds:
        """The sums between which the window went on then."""
        return bounds(policy, **self.times())


@dataclass(frozen=True, slots=True)
class Bounds:
    """Sums between which a window goes on."""

    accept_llr: float
    """From here up it may accept."""
    reject_llr: float
    """From here down it refuses."""


def bounds(policy: Policy, *, elapsed_s: float, settle_s: float, window_s: float) -> Bounds:
    """Those of a window as old as `elapsed_s`, decided from `settle_s` on and at `window_s` at the
    latest. They converge (Anderson 1960): from the early ones at `settle_s` to what is clear at
    `clear_s`, and that for acceptance on to `accept_late_llr`. A window that is not decided before
    `clear_s`, as an enrolment's, asks for what is clear until its end.
    """
    clear_s = policy.clear_s
    if elapsed_s >= window_s:
        return Bounds(policy.accept_late_llr, policy.reject_llr)
    if settle_s >= clear_s:
        return Bounds(policy.accept_llr, policy.reject_llr)
    if elapsed_s < clear_s:
        share = (elapsed_s - settle_s) / (clear_s - settle_s)
        return Bounds(
            _between(policy.early_accept_llr, policy.accept_llr, share),
            _between(policy.early_reject_llr, policy.reject_llr, share),
        )
    share = (elapsed_s - clear_s) / max(policy.window_s - clear_s, 1e-9)
    return Bounds(_between(policy.accept_llr, policy.accept_late_llr, share), policy.reject_llr)


def _between(one: float, other: float, share: float) -> float:
    return one + (other - one) * min(1.0, max(0.0, share))


def decide(
    rows: Sequence[Evidence], policy: Policy, *, elapsed_s: float, settle_s: float, window_s: float
) -> Decision:
    """Judge one window of evidence.

    `elapsed_s` counts from the first usable frame. Before `settle_s` nothing is decided: a window
    shorter than that was never measured. Then all required and weighed rows FOR accept with a sum
    at the upper of the `bounds` or above. A sum at the lower one or below refuses once every
    weighed row was measured: without the vote the others are small signs of rooms and cameras.
    From `clear_s` on a certain row AGAINST refuses as well, and from `window_s` on any. What is
    still undecided then means gathering afresh. Identity refuses only what is live: else a photo
    would be an oracle for whose face it shows.
    """
    if elapsed_s < settle_s:
        return Decision(Step.GO_ON)
    late = elapsed_s >= window_s
    # Before the window's end a row that more frames could change refuses nobody.
    refused = {row.topic for row in rows if row.stand is AGAINST and (late or row.certain)}
    limits = bounds(policy, elapsed_s=elapsed_s, settle_s=settle_s, window_s=window_s)
    total = liveness_sum(rows)
    doubted = total <= limits.reject_llr and _measured(rows, policy)
    certain = LIVENESS in refused and (late or elapsed_s >= policy.clear_s)
    if doubted or certain:
        return Decision(Step.REJECT, (Reason.LIVENESS,))
    strong = total >= limits.accept_llr
    if not (strong or late):
        return Decision(Step.GO_ON)
    needed = policy.required + policy.weighed
    proven = _all_for(rows, needed)
    if not (proven or refused or late):
        return Decision(Step.GO_ON)
    live = strong and _live(rows, policy, needed)
    for topic, reason in ((Topic.IDENTITY, Reason.NO_MATCH), (Topic.QUALITY, Reason.QUALITY)):
        if live and topic in refused:
            return Decision(Step.REJECT, (reason,))
    if live and proven:
        return Decision(Step.ACCEPT)
    if not late:
        return Decision(Step.GO_ON)
    return Decision(Step.TRY_AGAIN, (_shortfall(rows, policy, live=live),))


def _all_for(rows: Sequence[Evidence], needed: Sequence[str]) -> bool:
    """Whether every row that is needed is there and FOR, and none at all AGAINST."""
    doubtful = {row.cue for row in rows if row.stand is not FOR}
    if not doubtful.isdisjoint(needed):
        return False
    proven = {row.cue for row in rows if row.stand is FOR}
    return proven.issuperset(needed) and not any(row.stand is AGAINST for row in rows)


def _measured(rows: Sequence[Evidence], policy: Policy) -> bool:
    """Whether every weighed row was measured."""
    measured = {row.cue for row in rows if row.stand is not UNKNOWN}
    return measured.issuperset(policy.weighed)


def _live(rows: Sequence[Evidence], policy: Policy, needed: Sequence[str]) -> bool:
    """Whether the liveness rows alone would do. Never without a required one: a policy that
    requires none accepts nobody."""
    liveness = [row for row in rows if row.topic is LIVENESS]
    return (
        any(row.cue in policy.required for row in liveness)
        and _measured(rows, policy)
        and not any(row.stand is not FOR and row.cue in needed for row in liveness)
        and not any(row.stand is AGAINST for row in liveness)
    )


def undecided(weighed: Sequence[Evidence], limits: Bounds) -> bool:
    """Whether a window that is not at its end must go on, by the liveness rows that carry a ratio
    or may be certain: `decide` says so then whatever the other rows are."""
    between = limits.reject_llr < liveness_sum(weighed) < limits.accept_llr
    return between and True not in map(_certain, weighed)


_certain = attrgetter("certain")


def _shortfall(rows: Sequence[Evidence], policy: Policy, *, live: bool) -> Reason:
    """Why a whole window was not enough: pictures that could not be judged, or a doubtful face."""
    judged = all(row.stand is FOR for row in rows if row.topic is Topic.QUALITY)
    stands = {row.cue: row.stand for row in rows if row.topic is LIVENESS}
    wanted = policy.required + policy.weighed
    seen = all(stands.get(cue) is not UNKNOWN for cue in wanted)
    return Reason.LIVENESS if judged and seen and not live else Reason.QUALITY
