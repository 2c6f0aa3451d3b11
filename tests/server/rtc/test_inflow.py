"""How much of a peer is taken: a camera's all, a flood's a megabyte a second, in few pieces."""

from __future__ import annotations

import itertools

from server.rtc.inflow import BURST_S, BYTES_PER_S, REOPEN, Inflow

PACKET = 1200


def taken(bytes_per_s: float, seconds: float) -> tuple[list[bool], Inflow]:
    inflow = Inflow(0.0)
    count = int(bytes_per_s * seconds / PACKET)
    return [inflow.takes(PACKET, n * PACKET / bytes_per_s) for n in range(count)], inflow


def test_what_cameras_send_is_taken_whole() -> None:
    took, inflow = taken(0.9 * BYTES_PER_S, 30)
    assert all(took)
    assert inflow.dropped == 0


def test_a_second_that_stood_still_is_taken_at_once() -> None:
    inflow = Inflow(0.0)
    most = int(BYTES_PER_S * BURST_S / PACKET)
    assert all(inflow.takes(PACKET, 9.0) for _ in range(most))
    assert not inflow.takes(PACKET, 9.0)


def test_of_a_flood_a_megabyte_a_second_is_taken_in_few_pieces() -> None:
    seconds = 10
    took, inflow = taken(8 * BYTES_PER_S, seconds)
    assert inflow.dropped == took.count(False)
    assert took.count(True) * PACKET <= BYTES_PER_S * (BURST_S + seconds)
    assert took.count(True) * PACKET >= BYTES_PER_S * (seconds - 1)
    gaps = sum(before and not after for before, after in itertools.pairwise(took))
    assert gaps <= 1 + seconds / REOPEN
