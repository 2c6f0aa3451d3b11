from __future__ import annotations

import numpy as np

from pipeline.frame import Frame, Reference
from pipeline.observation import Ask, Tracks


def frame(n: int) -> Frame:
    return Frame(np.full((8, 8, 3), n, np.uint8), n, n / 10, n / 15)


def tracks() -> Tracks:
    none = np.zeros((0, 2), np.float32)
    empty = np.zeros(0, np.bool_)
    return Tracks(none, none, empty, empty, np.zeros((468, 2), np.float32))


def test_there_is_none_at_first() -> None:
    first = frame(0)
    assert Reference().attach(first) is first


def test_the_newest_frame_that_motion_began_in_is_attached_to_those_after_it() -> None:
    reference = Reference()
    begin, go_on = Ask(motion=True), Ask(motion=True, tracks=tracks())
    seen = []
    asks = [Ask(), begin, go_on, Ask(), begin, go_on, Ask(tracks=tracks())]
    for n, ask in enumerate(asks):
        one = reference.attach(frame(n))
        seen.append(None if one.reference is None else int(one.reference[0, 0, 0]))
        assert (one.seq, one.arrival_s, one.media_s) == (n, n / 10, n / 15)
        reference.keep(one, ask)
    assert seen == [None, None, 1, 1, 1, 4, 4]


def test_only_one_picture_is_held() -> None:
    reference = Reference()
    for n in range(3):
        one = reference.attach(frame(n))
        reference.keep(one, Ask(motion=True))
    held = reference.attach(frame(9))
    assert held.reference is not None
    assert held.reference[0, 0, 0] == 2
    assert not hasattr(reference, "__dict__")
