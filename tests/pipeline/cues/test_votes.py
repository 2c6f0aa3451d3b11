"""The anti-spoof cue where nets were added beside the pack's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipeline.cues.spoof import SpoofVote
from pipeline.decision import Evidence, Stand, Step, Topic, decide
from pipeline.observation import Ask, Margin
from pipeline.policy import Policy
from tests.pipeline.observations import ROI, Camera, margins

POLICY = Policy()
ALL = Ask(detect=True, roi=ROI, embed_above=0.0, spoof=True)


def row(
    own: float | None,
    second: float | None,
    third: float | None,
    *,
    frames: int = 5,
    others: Sequence[int] | None = None,
    reach: float = 2.7,
) -> Evidence:
    """Of a window in which each net gave this margin in all frames, the added ones in `others`."""
    cue = SpoofVote()
    for n in range(frames):
        told = () if own is None else margins(own, reach=reach)
        if others is None or n in others:
            if second is not None:
                told += (Margin("spoof2", 2.7, reach, second),)
            if third is not None:
                told += (Margin("spoof3", 1.5, 1.5, third),)
        cue.add(Camera(look={"spoof": told}).shot(ALL))
    return cue.row(POLICY)


def alone(net: str, margin: float) -> float:
    gain = {"spoof": 0.69, "spoof2": 1.4, "spoof3": 0.54}[net]
    offset = {"spoof": 0.9, "spoof2": -0.5, "spoof3": 0.0}[net]
    return max(-4.0, min(4.0, gain * margin + offset))


def test_the_vote_is_the_mean_of_the_nets_that_are_there() -> None:
    one, two, three = alone("spoof", 2.0), alone("spoof2", -1.0), alone("spoof3", 4.0)
    assert row(2.0, None, None).llr == pytest.approx(one)
    assert row(2.0, -1.0, None).llr == pytest.approx((one + two) / 2)
    assert row(2.0, -1.0, 4.0).llr == pytest.approx((one + two + three) / 3)
    found = row(2.0, -1.0, 4.0)
    assert found.numbers == {
        "votes": 5.0, "margin": 2.0, "wide": 2.0, "spoof2": -1.0, "spoof3": 4.0
    }  # fmt: skip


def test_without_the_second_the_third_does_not_vote() -> None:
    assert row(2.0, None, -8.0) == row(2.0, None, None)


def test_without_the_packs_own_net_nothing_is_known_and_nothing_accepts() -> None:
    for second, third in ((8.0, 8.0), (8.0, None), (-8.0, -8.0)):
        found = row(None, second, third, frames=20)
        assert (found.stand, found.llr, found.certain) == (Stand.UNKNOWN, 0.0, False)
        rest = [
            Evidence(cue, topic, Stand.FOR, "test", llr=4.0)
            for cue, topic in (
                ("face", Topic.QUALITY),
                ("freshness", Topic.LIVENESS),
                ("identity", Topic.IDENTITY),
                ("attention", Topic.LIVENESS),
            )
        ]
        decision = decide([*rest, found], POLICY, elapsed_s=99.0, settle_s=1.5, window_s=3.0)
        assert decision.step is not Step.ACCEPT


def test_a_net_that_voted_too_seldom_is_not_there() -> None:
    assert row(2.0, -8.0, None, frames=9, others=range(4)).llr == row(2.0, None, None).llr
    assert row(2.0, -8.0, None, frames=9, others=range(5)).llr < row(2.0, None, None).llr


def test_of_frames_whose_crop_is_too_tight_no_net_votes() -> None:
    tight = POLICY.spoof_crop - 0.05
    assert row(8.0, 8.0, 8.0, reach=tight, frames=9).stand is Stand.UNKNOWN


@pytest.mark.parametrize(
    ("own", "second", "third", "stand"),
    [
        (-6.0, None, None, Stand.AGAINST),
        (-6.0, -1.0, None, Stand.OPEN),
        (-6.0, 4.0, None, Stand.OPEN),
        (8.0, -6.0, None, Stand.OPEN),
        (-6.0, -6.0, None, Stand.AGAINST),
        (-6.0, 8.0, 8.0, Stand.FOR),
        (-6.0, 8.0, -6.0, Stand.AGAINST),
        (8.0, -6.0, -6.0, Stand.AGAINST),
        (8.0, 8.0, -8.0, Stand.FOR),
    ],
)
def test_a_veto_needs_two_nets_where_two_voted(
    own: float, second: float | None, third: float | None, stand: Stand
) -> None:
    found = row(own, second, third)
    assert found.stand is stand
    assert found.certain is (stand is Stand.AGAINST)


def test_one_net_cannot_outvote_the_others_by_a_margin_beyond_the_clip() -> None:
    assert row(2.0, -50.0, None).llr == row(2.0, -8.0, None).llr
    assert math.isclose(row(2.0, 50.0, None).llr, (alone("spoof", 2.0) + 4.0) / 2)


def test_a_net_that_nobody_knows_has_no_vote() -> None:
    cue, told = SpoofVote(), (*margins(2.0), Margin("spoof9", 2.7, 2.7, -8.0))
    for _ in range(5):
        cue.add(Camera(look={"spoof": told}).shot(ALL))
    assert replace(cue.row(POLICY)) == row(2.0, None, None)
