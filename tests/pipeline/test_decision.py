from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.decision import (
    Bounds,
    Decision,
    Evidence,
    Species,
    Stand,
    Step,
    Topic,
    bounds,
    decide,
    leaning,
    leans_against,
    liveness_sum,
    sums,
    undecided,
)
from pipeline.policy import POLICIES, Policy
from pipeline.reasons import Reason

POLICY = POLICIES["standard"]
FULL = (
    Evidence("face", Topic.QUALITY, Stand.FOR, "usable"),
    Evidence("spoof", Topic.LIVENESS, Stand.FOR, "live", 2.0),
    Evidence("freshness", Topic.LIVENESS, Stand.FOR, "fresh"),
    Evidence("identity", Topic.IDENTITY, Stand.FOR, "match"),
    Evidence("attention", Topic.QUALITY, Stand.FOR, "attentive"),
)


def judged(rows, elapsed_s=2.0, policy=POLICY) -> Decision:
    return decide(rows, policy, elapsed_s=elapsed_s, settle_s=1.5, window_s=3.0)


def changed(cue: str, **changes: object) -> list[Evidence]:
    return [replace(row, **changes) if row.cue == cue else row for row in FULL]  # type: ignore[arg-type]


def test_all_rows_for_accepts_after_settling_only():
    assert judged(FULL, 1.4).step is Step.GO_ON
    assert judged(FULL, 1.5) == Decision(Step.ACCEPT)


def early(rows, elapsed_s: float) -> Decision:
    """Of a window that is decided as soon as the policy allows."""
    return decide(rows, POLICY, elapsed_s=elapsed_s, settle_s=POLICY.settle_s, window_s=3.0)


def test_what_is_enough_falls_with_time():
    p, ends = POLICY, {"settle_s": POLICY.settle_s, "window_s": POLICY.window_s}
    assert p.settle_s < p.clear_s < p.window_s
    assert bounds(p, elapsed_s=p.settle_s, **ends) == Bounds(p.early_accept_llr, p.early_reject_llr)
    assert bounds(p, elapsed_s=p.clear_s, **ends) == Bounds(p.accept_llr, p.reject_llr)
    assert bounds(p, elapsed_s=p.window_s, **ends) == Bounds(p.accept_late_llr, p.reject_llr)
    way = [bounds(p, elapsed_s=k / 100, **ends) for k in range(90, 320)]
    for one, later in pairwise(way):
        assert later.accept_llr <= one.accept_llr
        assert later.reject_llr >= one.reject_llr
        assert one.accept_llr - later.accept_llr < 0.1, "no leap, for which one could wait"
    # Who settles later, as an enrolment does, needs what is clear until the end.
    ends["settle_s"] = p.clear_s
    for elapsed_s in (p.clear_s, 2.0, 2.99):
        assert bounds(p, elapsed_s=elapsed_s, **ends) == Bounds(p.accept_llr, p.reject_llr)
    assert bounds(p, elapsed_s=3.0, **ends) == Bounds(p.accept_late_llr, p.reject_llr)


def test_only_what_is_very_clear_is_decided_early():
    soon = POLICY.settle_s
    for llr, now, later in (
        (POLICY.early_accept_llr, Step.ACCEPT, Step.ACCEPT),
        (POLICY.early_accept_llr - 0.1, Step.GO_ON, Step.ACCEPT),
        (POLICY.early_reject_llr + 0.1, Step.GO_ON, Step.REJECT),
        (POLICY.early_reject_llr, Step.REJECT, Step.REJECT),
    ):
        rows = changed("spoof", llr=llr)
        assert early(rows, soon - 0.01).step is Step.GO_ON
        assert early(rows, soon).step is now
        assert early(rows, POLICY.clear_s).step is later


def test_a_certain_row_refuses_nobody_before_it_is_clear_and_nobody_comes_in_beside_it():
    border = Evidence("bezel", Topic.LIVENESS, Stand.AGAINST, "border", -2.0, certain=True)
    rows = [*changed("spoof", llr=4.0), border]
    assert early(rows, POLICY.clear_s - 0.01).step is Step.GO_ON
    assert early(rows, POLICY.clear_s) == Decision(Step.REJECT, (Reason.LIVENESS,))
    at_its_end = decide(rows, POLICY, elapsed_s=1.0, settle_s=0.5, window_s=1.0)
    assert at_its_end.step is Step.REJECT


def test_a_sum_between_is_accepted_between_clear_and_the_windows_end():
    some = changed("spoof", llr=POLICY.accept_llr / 2)
    assert early(some, POLICY.clear_s + 0.7).step is Step.GO_ON
    assert early(some, POLICY.clear_s + 0.8).step is Step.ACCEPT


def test_between_the_sums_it_goes_on_and_then_starts_afresh():
    for llr in (POLICY.accept_late_llr - 0.1, POLICY.reject_llr + 0.1):
        weak = changed("spoof", llr=llr)
        assert judged(weak, 2.9).step is Step.GO_ON
        assert judged(weak, 3.0) == Decision(Step.TRY_AGAIN, (Reason.LIVENESS,))


def test_at_the_windows_end_less_is_enough():
    for llr in (POLICY.accept_llr - 0.1, POLICY.accept_late_llr):
        some = changed("spoof", llr=llr)
        assert judged(some, 2.9).step is Step.GO_ON
        assert judged(some, 3.0) == Decision(Step.ACCEPT)
        # Only beside every required row, and no veto.
        assert judged(
            [replace(r, stand=Stand.OPEN) if r.cue == "spoof" else r for r in some], 3.0
        ) == (Decision(Step.TRY_AGAIN, (Reason.LIVENESS,)))


def test_the_sum_decides_from_settling_on():
    assert judged(changed("spoof", llr=POLICY.accept_llr), 1.5).step is Step.ACCEPT
    low = changed("spoof", stand=Stand.OPEN, llr=POLICY.reject_llr)
    assert judged(low, 1.4).step is Step.GO_ON
    assert judged(low, 1.5) == Decision(Step.REJECT, (Reason.LIVENESS,))


def test_a_weak_sign_counts_in_the_sum_and_forbids_nothing():
    glow = Evidence("glow", Topic.LIVENESS, Stand.OPEN, "glow", -0.4)
    assert judged([*FULL, glow]).step is Step.ACCEPT
    assert judged([*FULL, replace(glow, llr=-0.6)]).step is Step.GO_ON
    assert judged([*FULL, replace(glow, stand=Stand.AGAINST)]).step is Step.GO_ON
    assert judged([*FULL, replace(glow, stand=Stand.AGAINST)], 3.0).step is Step.REJECT
    # Not measured is never a number, whatever it says.
    assert judged([*FULL, replace(glow, stand=Stand.UNKNOWN, llr=-9.0)]).step is Step.ACCEPT
    assert judged(
        [*changed("spoof", llr=0.0), replace(glow, stand=Stand.UNKNOWN, llr=9.0)]
    ).step is (Step.GO_ON)


def test_what_speaks_against_one_attack_makes_up_for_no_other():
    eyes = Evidence("micro", Topic.LIVENESS, Stand.FOR, "eyes_live", 9.0, species=(Species.PRINT,))
    stays = replace(eyes, cue="background", species=(Species.SCREEN,))
    weak = changed("spoof", llr=POLICY.accept_llr - 0.1)
    assert judged([*weak, eyes]).step is Step.GO_ON
    assert judged([*weak, stays]).step is Step.GO_ON
    assert judged([*weak, eyes, stays]).step is Step.ACCEPT
    for doubt in (eyes, stays):
        assert judged([*FULL, replace(doubt, llr=-4.0)]).step is Step.REJECT


def test_the_sums_are_of_the_rows_that_know_the_species():
    every = Evidence("spoof", Topic.LIVENESS, Stand.FOR, "live", 2.0)
    still = replace(every, cue="micro", llr=-0.5, species=(Species.PRINT,))
    glow = replace(every, cue="glow", llr=-0.75, species=(Species.SCREEN,))
    assert sums([every, still, glow]) == {Species.PRINT: 1.5, Species.SCREEN: 1.25}
    assert liveness_sum([every, still, glow]) == 1.25
    assert sums([]) == {Species.PRINT: 0.0, Species.SCREEN: 0.0}


def test_evidence_leans_by_its_sign_once_something_tells_of_every_attack():
    glow = Evidence("glow", Topic.LIVENESS, Stand.OPEN, "glow", -0.5, species=(Species.SCREEN,))
    vote = Evidence("spoof", Topic.LIVENESS, Stand.OPEN, "spoof", -0.1)
    assert not leans_against([])
    assert not leans_against([glow])
    assert not leans_against([glow, replace(vote, stand=Stand.UNKNOWN)])
    assert leans_against([vote])
    for llr, leans in ((0.4, True), (0.5, False), (0.6, False)):
        assert leans_against([glow, replace(vote, llr=llr)]) is leans


def test_no_sum_refuses_before_the_vote_was_measured():
    border = Evidence("bezel", Topic.LIVENESS, Stand.OPEN, "border", -9.0)
    unmeasured = changed("spoof", stand=Stand.UNKNOWN, llr=0.0)
    absent = [row for row in FULL if row.cue != "spoof"]
    for rows in (unmeasured, absent):
        assert judged([*rows, border], 2.9).step is Step.GO_ON
        assert judged([*rows, border], 3.0).step is Step.TRY_AGAIN
        # A veto needs no vote.
        certain = replace(border, stand=Stand.AGAINST, certain=True)
        assert judged([*rows, certain], 1.5).step is Step.REJECT
    assert judged([*FULL, border], 1.5).step is Step.REJECT


def test_no_sum_makes_up_for_a_required_row():
    glow = Evidence("glow", Topic.LIVENESS, Stand.FOR, "no_glow", 99.0)
    for stand in (Stand.OPEN, Stand.UNKNOWN, Stand.AGAINST):
        for cue in POLICY.required:
            rows = [*changed(cue, stand=stand), glow]
            assert judged(rows, 3.0).step is not Step.ACCEPT
    assert judged([row for row in FULL if row.cue != "spoof"] + [glow], 3.0).step is Step.TRY_AGAIN


def test_a_veto_of_any_topic_and_any_cue_beats_any_sum():
    for topic, reason in (
        (Topic.LIVENESS, Reason.LIVENESS),
        (Topic.IDENTITY, Reason.NO_MATCH),
        (Topic.QUALITY, Reason.QUALITY),
    ):
        veto = Evidence("one_more", topic, Stand.AGAINST, "veto")
        assert judged([*FULL, replace(veto, stand=Stand.OPEN)]).step is Step.ACCEPT
        assert judged([*FULL, veto]).step is Step.GO_ON
        assert judged([*FULL, veto], 3.0) == Decision(Step.REJECT, (reason,))


def test_a_doubtful_vote_is_outvoted_by_nothing():
    others = Evidence("detail", Topic.LIVENESS, Stand.FOR, "detailed", 9.0)
    doubtful = changed("spoof", stand=Stand.OPEN, llr=-0.4)
    assert judged([*doubtful, others], 2.9).step is Step.GO_ON
    assert judged([*doubtful, others], 3.0) == Decision(Step.TRY_AGAIN, (Reason.LIVENESS,))
    for stand in (Stand.UNKNOWN, Stand.AGAINST):
        rows = [*changed("spoof", stand=stand, llr=-0.4), replace(others, llr=9.0)]
        assert judged(rows, 3.0).step is not Step.ACCEPT
    unmeasured = [row for row in FULL if row.cue != "spoof"]
    assert judged([*unmeasured, replace(others, llr=9.0)], 3.0).step is Step.TRY_AGAIN


def test_a_spoof_is_refused_at_the_end_or_at_once_when_certain():
    spoof = changed("spoof", stand=Stand.AGAINST, llr=-1.0)
    assert judged(spoof).step is Step.GO_ON
    assert judged(spoof, 3.0) == Decision(Step.REJECT, (Reason.LIVENESS,))
    certain = changed("spoof", stand=Stand.AGAINST, llr=-3.0, certain=True)
    assert judged(certain, 1.5) == Decision(Step.REJECT, (Reason.LIVENESS,))


def test_a_live_stranger_is_refused():
    stranger = changed("identity", stand=Stand.AGAINST)
    assert judged(stranger).step is Step.GO_ON
    assert judged(stranger, 3.0) == Decision(Step.REJECT, (Reason.NO_MATCH,))
    certain = changed("identity", stand=Stand.AGAINST, certain=True)
    assert judged(certain) == Decision(Step.REJECT, (Reason.NO_MATCH,))


def test_who_is_not_live_learns_nothing_of_the_match():
    for stand in (Stand.UNKNOWN, Stand.AGAINST):
        rows = changed("identity", stand=Stand.AGAINST, certain=True)
        rows = [replace(r, stand=stand, llr=0.0) if r.cue == "freshness" else r for r in rows]
        for elapsed_s in (1.5, 2.0, 3.0, 9.0):
            assert Reason.NO_MATCH not in judged(rows, elapsed_s).reasons
            unmeasured = [row for row in rows if row.cue != "freshness"]
            assert Reason.NO_MATCH not in judged(unmeasured, elapsed_s).reasons
            weak = [replace(row, llr=0.0) for row in unmeasured]
            assert Reason.NO_MATCH not in judged(weak, elapsed_s).reasons


def test_a_veto_of_liveness_that_is_not_certain_yet_says_nothing_of_the_match():
    glow = Evidence("glow", Topic.LIVENESS, Stand.AGAINST, "glow", -0.1)
    stranger = changed("identity", stand=Stand.AGAINST, certain=True)
    assert judged(stranger, 2.0) == Decision(Step.REJECT, (Reason.NO_MATCH,))
    assert judged([*stranger, glow], 2.0) == Decision(Step.GO_ON)
    assert judged([*stranger, glow], 3.0) == Decision(Step.REJECT, (Reason.LIVENESS,))


def test_the_sum_is_of_liveness_that_was_measured():
    for stand in Stand:
        for topic in Topic:
            counts = topic is Topic.LIVENESS and stand is not Stand.UNKNOWN
            row = Evidence("cue", topic, stand, "reason", 2.0)
            assert liveness_sum([row, row]) == (4.0 if counts else 0.0)


def test_a_sign_without_a_ratio_speaks_for_nobody():
    stands = [leaning("cue", llr, "live", "doubt", {}).stand for llr in (-0.1, 0.0, 0.1)]
    assert stands == [Stand.OPEN, Stand.OPEN, Stand.FOR]
    strong = leaning("cue", 0.1, "live", "doubt", {}, strong=True)
    assert (strong.stand, strong.certain, strong.reason) == (Stand.AGAINST, True, "doubt")


def test_between_the_sums_nothing_is_decided_unless_a_row_is_certain():
    low, high = POLICY.reject_llr, POLICY.accept_llr
    for llr, between in ((low, False), (low + 0.1, True), (high - 0.1, True), (high, False)):
        row = Evidence("spoof", Topic.LIVENESS, Stand.OPEN, "spoof", llr)
        assert undecided([row], Bounds(high, low)) is between
        assert not undecided([row, replace(row, llr=0.0, certain=True)], Bounds(high, low))


def test_missing_evidence_means_trying_again():
    assert judged(changed("freshness", stand=Stand.OPEN), 3.0) == Decision(
        Step.TRY_AGAIN, (Reason.LIVENESS,)
    )
    assert judged(changed("freshness", stand=Stand.UNKNOWN), 3.0) == Decision(
        Step.TRY_AGAIN, (Reason.QUALITY,)
    )
    for cue in ("face", "identity"):
        assert judged(changed(cue, stand=Stand.UNKNOWN), 3.0) == Decision(
            Step.TRY_AGAIN, (Reason.QUALITY,)
        )
    # Pictures that could not be judged are no doubtful face, whatever else is open.
    poor = [replace(r, stand=Stand.OPEN) if r.cue == "freshness" else r for r in FULL]
    poor = [replace(r, stand=Stand.UNKNOWN) if r.cue == "face" else r for r in poor]
    assert judged(poor, 3.0) == Decision(Step.TRY_AGAIN, (Reason.QUALITY,))


def test_a_policy_that_requires_nothing_accepts_nobody():
    empty = Policy(required=())
    assert judged(FULL, 3.0, empty).step is not Step.ACCEPT
    assert judged([], 3.0, empty).step is not Step.ACCEPT


rows_of = st.lists(
    st.builds(
        Evidence,
        cue=st.sampled_from(["face", "spoof", "freshness", "identity", "other"]),
        topic=st.sampled_from(Topic),
        stand=st.sampled_from(Stand),
        reason=st.just("x"),
        llr=st.floats(-4, 4),
        certain=st.booleans(),
        species=st.sampled_from([(Species.PRINT,), (Species.SCREEN,), tuple(Species)]),
    ),
    max_size=8,
)


@given(rows_of, st.floats(0, 10))
def test_acceptance_needs_every_required_row_and_nothing_against(rows, elapsed_s):
    if judged(rows, elapsed_s).step is Step.ACCEPT:
        stands = {row.cue: row.stand for row in rows}
        assert all(stands[cue] is Stand.FOR for cue in POLICY.required)
        assert all(
            any(r.cue == cue and r.stand is not Stand.UNKNOWN for r in rows)
            for cue in POLICY.weighed
        )
        assert all(stands[cue] is Stand.FOR for cue in POLICY.weighed)
        if liveness_sum(rows) < POLICY.accept_llr:
            assert elapsed_s >= POLICY.window_s
        assert all(row.stand is not Stand.AGAINST for row in rows)
        assert elapsed_s >= 1.5


@given(rows_of, st.floats(0, 10))
def test_no_match_is_said_only_to_the_live(rows, elapsed_s):
    if Reason.NO_MATCH in judged(rows, elapsed_s).reasons:
        liveness = [row for row in rows if row.topic is Topic.LIVENESS]
        assert any(row.cue in POLICY.required for row in liveness)
        assert all(row.stand is Stand.FOR for row in liveness if row.cue in POLICY.required)
        assert all(row.stand is not Stand.AGAINST for row in liveness)
        late = elapsed_s >= POLICY.window_s
        assert liveness_sum(rows) >= (POLICY.accept_late_llr if late else POLICY.accept_llr)


@given(rows_of, st.floats(0, 10))
def test_unknown_never_accepts(rows, elapsed_s):
    unknown = [replace(row, stand=Stand.UNKNOWN) for row in rows]
    assert judged(unknown, elapsed_s).step is not Step.ACCEPT


@given(rows_of, st.floats(3.0, 10))
def test_the_end_of_the_window_always_decides(rows, elapsed_s):
    assert judged(rows, elapsed_s).step is not Step.GO_ON


def test_a_policy_names_itself_by_its_content():
    assert POLICY.fingerprint() == Policy().fingerprint()
    assert POLICY.fingerprint() != replace(POLICY, match_score=0.51).fingerprint()
    assert len(POLICY.fingerprint()) == 16


def test_another_match_score_moves_the_levels_that_hang_on_it_and_nothing_else():
    assert POLICY.matching_at(POLICY.match_score) == POLICY
    moved = POLICY.matching_at(0.4)
    assert (moved.match_score, moved.mismatch_score, moved.identify_score, moved.same_face) == (
        0.4,
        0.25,
        0.46,
        0.35,
    )
    back = replace(
        moved,
        match_score=POLICY.match_score,
        mismatch_score=POLICY.mismatch_score,
        identify_score=POLICY.identify_score,
        same_face=POLICY.same_face,
        unlike_face=POLICY.unlike_face,
    )
    assert back == POLICY
    assert moved.fingerprint() != POLICY.fingerprint()
