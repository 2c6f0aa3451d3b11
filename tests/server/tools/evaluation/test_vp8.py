"""The evaluation's codec: the same film gives the same pictures, however busy the machine is."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType

from server.frames.convert import to_bgr
from server.tools.clips import read_clip
from server.tools.evaluation import vp8
from server.tools.film import write
from tests.server.pictures import number, paint

STOPPED_S, GOING_S = 0.045, 0.005
"""A process that gets a tenth of a processor."""
CODE = "from tests.server.tools.evaluation import test_vp8; test_vp8.say()"


def _drifting(count: int) -> Iterator[tuple[float, av.VideoFrame]]:
    """Something to search for: a coarse and a fine pattern that move by different ways."""
    random = np.random.default_rng(1)
    coarse = np.kron(random.integers(0, 160, (90, 90, 3)), np.ones((16, 16, 1), int))
    fine = random.integers(0, 90, (1440, 1440, 3))
    for n in range(count):
        left, top = 3 * n, 5 * n % 37
        image = coarse[left : left + 480, top : top + 640] + fine[top:, left:][:480, :640]
        yield n / 15, av.VideoFrame.from_ndarray(image.astype(np.uint8), format="bgr24")


def say() -> None:
    """In a process of its own: a line when it begins, and a hash of every decoded picture."""
    pictures = list(_drifting(60))
    print("begins", flush=True)
    for _, picture in vp8.through(pictures):
        print(hashlib.sha256(to_bgr(picture).tobytes()).hexdigest(), flush=True)


def _hashes(*, stopped: bool) -> list[str]:
    with subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begins\n"
        while stopped and child.poll() is None:
            child.send_signal(signal.SIGSTOP)
            time.sleep(STOPPED_S)
            child.send_signal(signal.SIGCONT)
            time.sleep(GOING_S)
        said = child.stdout.read().split()
    assert child.returncode == 0
    return said


def test_a_process_that_is_stopped_and_continued_gives_the_same_pictures() -> None:
    free, throttled = _hashes(stopped=False), _hashes(stopped=True)
    assert len(free) == len(set(free)) == 60
    assert throttled == free


def test_vp8_keeps_the_pictures_their_times_and_their_look(tmp_path: Path) -> None:
    file = tmp_path / "film.mp4"
    write(file, ((n / 15, paint(n)) for n in range(40)), 15.0)

    def pictures() -> Iterator[tuple[float, av.VideoFrame]]:
        return read_clip(file)

    before = [(at_s, to_bgr(p)) for at_s, p in pictures()]
    after = [(at_s, to_bgr(p)) for at_s, p in vp8.through(pictures())]
    assert [at_s for at_s, _ in after] == [at_s for at_s, _ in before]
    assert [number(image) for _, image in after] == list(range(40))
    apart = [
        np.abs(a.astype(int) - b.astype(int)).mean()
        for (_, a), (_, b) in zip(before, after, strict=True)
    ]
    assert 0.3 < float(np.mean(apart)) < 12.0, "coded, and not beyond recognition"


def test_vp8_codes_a_key_frame_of_the_file_as_any_other_picture() -> None:
    def coded(key: bool) -> list[np.ndarray[Any, Any]]:
        pictures = [av.VideoFrame.from_ndarray(paint(n), format="bgr24") for n in range(12)]
        if key:
            pictures[6].pict_type = PictureType.I
        return [to_bgr(p) for _, p in vp8.through((n / 15, p) for n, p in enumerate(pictures))]

    for plain, marked in zip(coded(False), coded(True), strict=True):
        np.testing.assert_array_equal(plain, marked)


def test_vp8_makes_large_pictures_as_small_as_a_webcam(tmp_path: Path) -> None:
    large = av.VideoFrame.from_ndarray(paint(3, 1280, 720), format="bgr24")
    small = av.VideoFrame.from_ndarray(paint(3, 320, 240), format="bgr24")
    found = list(vp8.through([(0.0, large), (0.1, small)]))
    assert [(p.width, p.height) for _, p in found] == [(640, 360), (320, 240)]
