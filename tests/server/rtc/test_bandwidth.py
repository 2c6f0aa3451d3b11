"""Reports to senders: few, but at once when the line gets worse; the rate is counted as before."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import aiortc.rate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rtc import bandwidth, stack

FRAME_MS = 1000 // 15
PACKETS = 6


def reports(add: Any, growth_ms: float, seconds: float = 8.0) -> list[tuple[int, int]]:
    """(ms, bit/s) of each report about a camera, whose line takes `growth_ms` more a frame from the
    fourth second on."""
    estimator, found, late_ms = aiortc.rate.RemoteBitrateEstimator(), [], 0.0
    for n in range(int(seconds * 1000) // FRAME_MS):
        sent_ms = n * FRAME_MS
        late_ms += growth_ms if sent_ms > 4000 else 0.0
        for k in range(PACKETS):
            told = add(
                estimator,
                arrival_time_ms=round(sent_ms + late_ms) + k,
                abs_send_time=((sent_ms + k) * (1 << 18) // 1000) & 0xFFFFFF,
                payload_size=1200,
                ssrc=1,
            )
            if told is not None:
                found.append((round(sent_ms + late_ms) + k, told[0]))
    return found


def test_a_line_that_gets_slower_is_reported_at_once_and_then_a_few_times_a_second() -> None:
    """May go when aiortc sends no more reports than this by itself: 1.16 sends one a packet."""
    every, few = (reports(add, 20.0) for add in (bandwidth._add_of_stack, bandwidth.add))
    assert len(every) > 3 * len(few) > 0
    lowest = min(bitrate for _, bitrate in every)
    assert min(bitrate for _, bitrate in few) <= lowest / bandwidth.FALLEN
    # Who was told something 3 % or more above the truth hears it with the same packet.
    last = few[0][1]
    said = dict(few)
    for at_ms, bitrate in every:
        if at_ms in said:
            last = said[at_ms]
        elif at_ms >= few[0][0]:
            assert bitrate >= bandwidth.FALLEN * last
    gaps = [b[0] - a[0] for a, b in pairwise(few) if b[1] >= 0.97 * a[1]]
    assert min(gaps) >= bandwidth.REMB_MS


def test_a_good_line_is_reported_as_often_as_before() -> None:
    every, few = (reports(add, 0.0) for add in (bandwidth._add_of_stack, bandwidth.add))
    assert few == every
    assert len(few) > 5, "it goes up step by step"


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 1500)), max_size=60))
def test_the_rate_is_counted_as_before(packets: list[tuple[int, int]]) -> None:
    ours, theirs = bandwidth.RateCounter(1000), RATE_COUNTER_OF_STACK(1000)
    now_ms = 5
    for gap_ms, size in packets:
        now_ms += gap_ms
        for counter in (ours, theirs):
            counter.add(size, now_ms)
        assert ours.rate(now_ms) == theirs.rate(now_ms)
        assert ours.rate(now_ms + gap_ms) == theirs.rate(now_ms + gap_ms)
        now_ms += gap_ms
        if size == 1500:
            ours.reset()
            theirs.reset()


RATE_COUNTER_OF_STACK = stack.rate_counter_of_stack


@pytest.mark.parametrize("name", ["add", "rate", "reset"])
def test_the_stack_counts_with_this(name: str) -> None:
    """An assignment to a name that nobody reads would fail silently."""
    stack.apply()
    estimator = aiortc.rate.RemoteBitrateEstimator()
    assert type(estimator.incoming_bitrate) is bandwidth.RateCounter
    assert aiortc.rate.RemoteBitrateEstimator.add is bandwidth.add
    assert callable(getattr(RATE_COUNTER_OF_STACK, name))
    public = {name for name in vars(RATE_COUNTER_OF_STACK) if not name.startswith("_")}
    assert public == {"add", "rate", "reset"}
