"""A small run of benchmarks/lockout.py: what it promises of strangers and owners."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lockout import simulated
from server.store.tries import IN_ALL

STRATEGIES = 12


async def test_strangers_get_so_far_and_no_owner_is_refused_on_a_known_device(
    tmp_path: Path,
) -> None:
    found = await simulated(STRATEGIES, 3, tmp_path)
    assert found.strategies == STRATEGIES
    assert max(found.judged) == IN_ALL  # some get there, and none beyond
    assert found.used_up == found.new_device["face_disabled"] > 0
    assert found.used_up_and_let_in == 0
    assert (found.owner_logins > 3 * STRATEGIES, found.owner_refused) == (True, 0)
    assert sum(found.identified) > 0
