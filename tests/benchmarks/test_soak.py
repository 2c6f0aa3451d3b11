"""What the soak run calls growth, and an error."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.soak import VISITS, Look, counted, errors, grown, slope, unfinished
from server.store.opening import DEFAULT_URL, open_store
from tests.server.conformance.records import NOW, TICKET, a_client, a_session

MINUTE_S = 60.0


def _looks(count: int, mb: Callable[[float], float]) -> list[Look]:
    """One a minute; `mb` of the hours since the first."""
    return [Look(n * MINUTE_S, mb(n / 60), 12, 6, 6) for n in range(count)]


def _noisy(count: int, mb_per_h: float, by_mb: float = 1.5) -> list[Look]:
    rng = random.Random(4)
    return _looks(count, lambda hours: 240 + hours * mb_per_h + rng.uniform(-by_mb, by_mb))


def test_a_server_that_stays_as_it_is_passes() -> None:
    assert grown(_noisy(480, 0.0)) == []
    assert grown(_noisy(5, 0.0)) == []
    assert grown(_noisy(480, 0.9)) == []


def test_memory_that_grows_is_seen() -> None:
    assert [text[:14] for text in grown(_noisy(480, 1.5))] == ["memory grew by"]
    assert grown(_looks(5, lambda hours: 240 + 300 * hours))
    # Two minutes: six looks 13 s apart, 22 visits from one to the next, of which each leaves 50 kB.
    short = [replace(look, at_s=13.0 * n) for n, look in enumerate(_noisy(6, 0.0))]
    assert grown(short) == []
    assert grown(
        [replace(look, rss_mb=look.rss_mb + 22 * 0.05 * n) for n, look in enumerate(short)]
    )
    assert slope(_looks(9, lambda hours: 240 + 7 * hours)) == pytest.approx(7)


def test_one_look_in_between_is_no_slope() -> None:
    looks = _looks(9, lambda hours: 240.0)
    looks[8] = replace(looks[8], rss_mb=400.0)
    assert (slope(looks), grown(looks)) == (0.0, [])


@pytest.mark.parametrize("name", ["descriptors", "threads", "tasks"])
def test_what_is_left_behind_is_seen(name: str) -> None:
    def some(values: Sequence[int]) -> list[Look]:
        flat = _looks(len(values), lambda hours: 240.0)
        return [replace(look, **{name: n}) for look, n in zip(flat, values, strict=True)]

    assert [text.split()[0] for text in grown(some(range(12, 24)))] == [name]
    assert grown(some([12, 13, 12, 14, 13, 12])) == []
    assert grown(some([12, 12, 12, 12, 12, 40])) == []  # about to end


def test_too_few_looks_say_nothing_and_are_no_success() -> None:
    assert grown(_looks(2, lambda hours: 240.0)) == ["too few looks to say anything"]


def test_the_warm_up_does_not_count() -> None:
    looks = _looks(100, lambda hours: 240.0)
    assert counted(looks, 6000.0)[0].at_s == 300.0
    assert counted(looks, 360.0)[0].at_s == 120.0


def test_only_the_servers_mistakes_are_errors() -> None:
    rows = [
        {"level": "info", "message": "session over"}, {"level": "warning", "message": "slow"},
        {"level": "error", "message": "bug in a session"},
        {"level": "error", "message": "bug in a session"},
    ]  # fmt: skip
    log = "\n".join([*map(json.dumps, rows), "Traceback (most recent call last):"])
    assert errors(log) == {
        "bug in a session": 2, "no JSON: Traceback (most recent call last):": 1
    }  # fmt: skip


async def test_a_session_without_an_end_is_found(tmp_path: Path) -> None:
    store = open_store(DEFAULT_URL, tmp_path)
    await store.open()
    await store.clients.add(a_client())
    for name in ("a", "b"):
        await store.sessions.add(a_session(name))
    assert unfinished(tmp_path) == 0
    await store.sessions.claim("a", TICKET, NOW)
    assert unfinished(tmp_path) == 1
    await store.close()


def test_shares_are_of_everybody() -> None:
    assert sum(share for _, share in VISITS) == pytest.approx(1.0)
