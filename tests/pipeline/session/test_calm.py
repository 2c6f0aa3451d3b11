"""Who sits calmly is asked to turn the head; no picture gets anything by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.challenge import TURNS, Draws, draw_turns
from pipeline.decision import Evidence, Stand, Topic
from pipeline.events import Challenged, Decided, Hinted
from pipeline.policy import Policy
from pipeline.reasons import Hint, Phase, Purpose, Reason
from pipeline.session.calm import HARDLY, calm
from pipeline.session.challenge_run import WAYS
from tests.pipeline.session.test_challenge_run import TURN_DEG, Person, person

CALM = {"wobble": 0.0036}
"""As a calm man and as a panned picture have it (docs/freshness.md)."""
REFUSED = Decided(Phase.REJECTED, (Reason.LIVENESS,))


def sitting(
    *,
    obeys: bool = True,
    contrary: bool = False,
    purpose: Purpose = Purpose.LOGIN,
    policy: Policy | None = None,
    seed: bytes | None = b"what is asked of who sits calmly",
    wanted: bool = False,
    still: bool | None = False,
    plays: tuple[Hint, ...] = (),
    until_s: float = 40.0,
    **camera: object,
) -> Person:
    """A login of somebody who moves too little, to its end; `camera`: changes to what stands
    before it."""
    one = person(
        wanted=wanted,
        still=still,
        policy=policy or Policy(),
        purpose=purpose,
        seed=seed,
        obeys=obeys,
        contrary=contrary,
        plays=plays,
    )
    one.camera = replace(one.camera, **(CALM | camera))
    one.look(until_s)
    return one


def asked(one: Person) -> list[float]:
    """When each turn was asked for, seconds."""
    return [
        at_s - 100.0
        for at_s, event in one.events
        if isinstance(event, Hinted) and event.hint in TURN_DEG
    ]


def test_a_calm_person_is_asked_to_turn_after_three_windows_and_accepted() -> None:
    one = sitting()
    assert one.verdict == Decided(Phase.ACCEPTED, subject="person-1", acr="turn")
    assert len(asked(one)) == TURNS
    assert 9.0 < asked(one)[0] < 10.5
    rows = {row.cue: row.reason for row in one.session.evidence()}
    assert (rows["turn"], rows["freshness"]) == ("turned", "fresh")


@pytest.mark.parametrize("windows", [1, 2])
def test_it_is_asked_in_place_of_the_refusal(windows: int) -> None:
    one = sitting(policy=replace(Policy(), windows=windows))
    assert one.verdict.phase is Phase.ACCEPTED
    assert 3.0 * windows < asked(one)[0] < 3.0 * windows + 1.5


def test_who_moves_is_not_asked() -> None:
    one = sitting(wobble=0.02)
    assert (one.verdict.phase, one.verdict.acr) == (Phase.ACCEPTED, None)
    assert asked(one) == []


def test_who_does_not_obey_is_refused_as_before() -> None:
    one = sitting(obeys=False)
    assert asked(one)
    assert one.verdict == REFUSED
    assert one.camera.now_s - 100.0 < 19.0
    before = sitting(obeys=False, seed=None)
    assert (before.verdict, asked(before)) == (REFUSED, [])


def test_who_is_asked_and_goes_away_had_been_refused_otherwise() -> None:
    one = sitting(obeys=False, until_s=9.0)
    assert (asked(one), one.session.doubted) == ([], False)
    one.look(1.5)
    assert (len(asked(one)), one.session.over, one.session.doubted) == (1, False, True)


def test_who_turns_elsewhere_is_refused_at_once() -> None:
    one = sitting(contrary=True)
    assert len(asked(one)) == 1
    assert one.verdict == REFUSED
    assert one.camera.now_s - 100.0 - asked(one)[0] < 1.0


def test_a_film_of_somebody_who_turns_passes_where_it_was_drawn_so_or_mirrored() -> None:
    """Two orders of 108: one in 54, as docs/challenge.md has it."""
    seeds = [bytes([n]) * 32 for n in range(256)]
    drawn = {seed: draw_turns(Draws(seed)) for seed in seeds}
    film = next(order for order in drawn.values() if len(set(order)) == TURNS)
    mirrored = tuple(way.mirrored for way in film)
    fits = [seed for seed in seeds if drawn[seed] in (film, mirrored)]
    assert {drawn[seed] for seed in fits} == {film, mirrored}
    others = [seed for seed in seeds if seed not in fits]
    accepted = []
    for seed in [*fits, *others[:16]]:
        one = sitting(seed=seed, plays=tuple(WAYS[way] for way in film))
        if one.verdict.phase is Phase.ACCEPTED:
            accepted.append(seed)
        else:
            assert one.verdict == REFUSED
    assert accepted == fits


def test_a_picture_that_is_tilted_as_asked_is_refused() -> None:
    """The mesh sees it turn."""
    one = sitting(flat=True)
    assert len(asked(one)) == TURNS
    assert one.verdict == REFUSED
    rows = {row.cue: row.reason for row in one.session.evidence()}
    assert rows["turn"] == "flat"


@pytest.mark.parametrize(
    "attack",
    [
        {"motion": 0.0},
        {"motion": 0.02},
        {"motion": 0.0, "noise": 5.0},
        {"motion": 0.1, "noise": 5.0, "wobble": 0.0},
        {"loop": 8},
        {"loop": 4},
    ],
    ids=str,
)
@pytest.mark.parametrize("obeys", [False, True])
def test_what_is_frozen_noisy_or_loops_is_not_asked_or_asked_in_vain(
    attack: dict[str, object], obeys: bool
) -> None:
    """A picture may be tilted as the page says."""
    one = sitting(obeys=obeys, flat=True, **attack)
    assert one.verdict.phase is not Phase.ACCEPTED


def test_nobody_is_asked_who_is_doubted_otherwise() -> None:
    one = sitting(margin=-1.2)
    assert asked(one) == []
    assert one.verdict == REFUSED
    one = sitting(lids=0.1)  # shut eyes
    assert asked(one) == []
    assert one.verdict.reasons == (Reason.QUALITY,)


def test_a_stranger_is_asked_as_the_owner_is() -> None:
    one = sitting(person=2)
    assert len(asked(one)) == TURNS
    assert one.verdict == Decided(Phase.REJECTED, (Reason.NO_MATCH,))


def test_an_enrolment_asks_as_well() -> None:
    one = sitting(purpose=Purpose.ENROLL, policy=replace(Policy(), time_limit_s=60.0))
    assert (one.verdict.phase, one.verdict.acr) == (Phase.ACCEPTED, "turn")


@pytest.mark.parametrize("still", [None, True, False])
def test_what_the_page_said_of_motion_changes_nothing(still: bool | None) -> None:
    one = sitting(still=still)
    assert (one.verdict.phase, one.verdict.acr) == (Phase.ACCEPTED, "turn")


def test_who_has_to_answer_light_is_not_asked_for_less() -> None:
    one = sitting(wanted=True)
    assert len(one.all_of(Challenged)) == 3
    assert asked(one) == []
    assert one.verdict == REFUSED


def test_it_is_asked_once() -> None:
    one = sitting(obeys=False)
    first, *others = asked(one)
    assert all(at_s - first < 6.0 for at_s in others)


# What is asked of a table


def table(**stands: tuple[Stand, str]) -> list[Evidence]:
    """All that is needed, but for what is given."""
    topics = {"face": Topic.QUALITY, "attention": Topic.QUALITY, "identity": Topic.IDENTITY}
    found = {
        "face": (Stand.FOR, "seen"),
        "spoof": (Stand.FOR, "live"),
        "freshness": (Stand.OPEN, HARDLY),
        "attention": (Stand.FOR, "attentive"),
        "identity": (Stand.FOR, "match"),
    } | stands
    return [
        Evidence(cue, topics.get(cue, Topic.LIVENESS), stand, reason, 2.0 * (cue == "spoof"))
        for cue, (stand, reason) in found.items()
    ]


@pytest.mark.parametrize(
    ("stands", "answer"),
    [
        ({}, True),
        ({"identity": (Stand.AGAINST, "no_match")}, True),
        ({"identity": (Stand.UNKNOWN, "too_few_embeddings")}, True),
        ({"freshness": (Stand.FOR, "fresh")}, False),
        ({"freshness": (Stand.OPEN, "shakes")}, False),
        ({"freshness": (Stand.OPEN, "repeats")}, False),
        ({"freshness": (Stand.OPEN, "only_noise")}, False),
        ({"freshness": (Stand.AGAINST, "looping")}, False),
        ({"freshness": (Stand.UNKNOWN, "too_few_frames")}, False),
        ({"spoof": (Stand.OPEN, "weak")}, False),
        ({"spoof": (Stand.UNKNOWN, "too_few_votes")}, False),
        ({"attention": (Stand.UNKNOWN, "shut")}, False),
        ({"face": (Stand.UNKNOWN, "too_few_frames")}, False),
        ({"plane": (Stand.AGAINST, "flat")}, False),
    ],
    ids=str,
)
def test_only_motion_may_be_missing(stands: dict[str, tuple[Stand, str]], answer: bool) -> None:
    assert calm(table(**stands), Policy()) is answer


def test_the_sum_must_be_there() -> None:
    rows = table()
    low = [*rows, Evidence("bezel", Topic.LIVENESS, Stand.OPEN, "edges", -2.1)]
    assert calm(rows, Policy())
    assert not calm(low, Policy())


def test_a_hint_of_turning_slowly_is_not_in_the_way() -> None:
    one = sitting()
    said = [event.hint for event in one.all_of(Hinted) if isinstance(event, Hinted)]
    assert Hint.TURN_SLOWLY not in said
