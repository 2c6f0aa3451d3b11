"""Token buckets, with literal times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.limits import Bucket, Buckets, Once


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    bucket = Bucket(2.0, 3.0, 10.0)
    assert [bucket.take(10.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(10.0) == pytest.approx(0.5)
    assert bucket.take(10.4) == pytest.approx(0.1)
    assert bucket.take(10.5) == 0.0
    assert bucket.take(10.5) == pytest.approx(0.5)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_a_bucket_never_gives_more_than_burst_plus_rate(times: list[float]) -> None:
    bucket = Bucket(1.5, 4.0, 0.0)
    given_out = sum(bucket.take(at) == 0.0 for at in times)
    assert given_out <= 4.0 + 1.5 * max(times) + 1e-9


def test_keys_do_not_share_and_memory_is_bounded() -> None:
    buckets = Buckets(1.0, 1.0, most=2)
    assert buckets.take("a", 0.0) == 0.0
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 0.0) > 0.0
    assert buckets.take("c", 0.0) == 0.0  # forgets b, unused for longest
    assert buckets.take("a", 0.0) > 0.0
    assert buckets.take("b", 0.0) == 0.0
    assert len(buckets._buckets) == 2


def test_what_was_told_is_not_told_again_and_strangers_fill_nothing() -> None:
    told = Once(most=2)
    assert [told.first(what) for what in ("a", "a", "b", "c", "a")] == [
        True,
        False,
        True,
        False,
        False,
    ]
