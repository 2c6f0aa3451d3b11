"""Which frames are decoded: for each rule, literal times that pass and that must not."""

from __future__ import annotations

import itertools

from server.rtc.intake import (
    BURST_S,
    KEYS_PER_S,
    MAX_TOO_LARGE,
    MAX_WAITING,
    Intake,
    Skipped,
)
from tests.pipeline.streams import BOMB, START, h264, sps, vp8

KEY, DELTA = vp8(640, 480), b"\x11" + bytes(50)


def decoded(frames: int, fps: float, key: bytes, delta: bytes) -> tuple[list[int], set[Skipped]]:
    """Of so many frames, the first a key frame: those that are decoded, and why not the others."""
    intake = Intake(0.0)
    skipped = [intake.skip("VP8", delta if n else key, 0, n / fps) for n in range(frames)]
    return [n for n, why in enumerate(skipped) if why is None], {why for why in skipped if why}


def test_frames_at_the_pace_of_a_camera_are_all_decoded() -> None:
    assert decoded(25 * 60, 60, KEY + bytes(60_000), DELTA + bytes(10_000)) == (
        list(range(25 * 60)),
        set(),
    )


def test_what_stood_still_in_the_network_comes_at_once_and_is_decoded() -> None:
    intake = Intake(0.0)
    most = int(KEYS_PER_S * BURST_S)
    assert [intake.skip("VP8", KEY, 0, 5.0) for _ in range(most)] == [None] * most
    assert intake.skip("VP8", KEY, 0, 5.0) is Skipped.RATE


def test_key_frames_that_come_too_fast_are_thinned_out_evenly() -> None:
    came, whys = decoded(1200, 120, KEY, KEY)
    most = KEYS_PER_S * (BURST_S + 10)
    assert most - 2 <= len(came) <= most
    assert whys == {Skipped.RATE}
    later = [n for n in came if n > 240]
    gaps = {after - before for before, after in itertools.pairwise(later)}
    assert gaps <= {3, 4, 5}, "the newest at its time, none is kept back"


def test_other_frames_that_come_too_fast_end_at_the_next_key_frame() -> None:
    came, whys = decoded(1200, 120, KEY, DELTA)
    assert came == list(range(len(came)))
    assert 115 <= len(came) <= 121
    assert whys == {Skipped.RATE, Skipped.GAP}


def test_nothing_is_decoded_that_refers_to_what_was_skipped() -> None:
    intake = Intake(0.0)
    assert intake.skip("VP8", KEY, 0, 0.0) is None
    assert intake.skip("VP8", DELTA, MAX_WAITING, 0.1) is Skipped.BEHIND
    assert intake.skip("VP8", DELTA, 0, 0.2) is Skipped.GAP
    assert intake.skip("VP8", DELTA, 0, 9.0) is Skipped.GAP
    assert intake.skip("VP8", KEY, 0, 9.1) is None
    assert intake.skip("VP8", DELTA, MAX_WAITING - 1, 9.2) is None


def test_what_is_too_large_is_given_up_after_a_few() -> None:
    intake = Intake(0.0)
    cropped = h264(sps((1000, 1000), crop=(0, 7990, 0, 7990)))
    frames = [("VP8", BOMB), ("VP8", KEY), ("H264", cropped)]
    whys = [intake.skip(codec, data, 0, 0.0) for codec, data in frames]
    assert whys == [Skipped.TOO_LARGE, None, Skipped.TOO_LARGE]
    for _ in range(MAX_TOO_LARGE - 3):
        intake.skip("VP8", BOMB, 0, 0.0)
    assert not intake.given_up
    intake.skip("VP8", BOMB, 0, 0.0)
    assert intake.given_up


def test_what_lost_packets_leave_is_skipped_and_never_given_up() -> None:
    intake = Intake(0.0)
    for codec, data in [("VP8", KEY[:9]), ("H264", START + b"\x67")] * 20:
        assert intake.skip(codec, data, 0, 0.0) is Skipped.MALFORMED
    assert intake.skip("VP8", DELTA, 0, 0.0) is Skipped.GAP
    assert intake.skip("VP8", KEY, 0, 0.0) is None
    assert not intake.given_up
