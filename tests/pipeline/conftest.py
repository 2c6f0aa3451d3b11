"""What the pipeline's tests share: the converted nets, real recordings, and a short tape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest

from models.clips import ClipMissing, clip
from models.manifest import default_dir
from pipeline.frame import Frame
from tests.tapes.make import make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A short tape in a folder of its own."""
    return make(tmp_path, "cancel")


@pytest.fixture(scope="session")
def nets():
    """The converted nets, warm; skips where they are absent."""
    from pipeline.nets.ort import Nets, NetUnusable

    try:
        loaded = Nets(default_dir())
    except NetUnusable as error:
        pytest.skip(f"the converted nets are needed (make models): {error}")
    loaded.warm_up()
    return loaded


@pytest.fixture(scope="session")
def frames() -> Callable[[str, int, int], list[Frame]]:
    """frames(name, count, step): every step-th frame of a registry recording, from its start."""

    def read(name: str, count: int, step: int = 1) -> list[Frame]:
        try:
            path = clip(name)
        except ClipMissing as error:
            pytest.skip(f"a recording is needed: {error}")
        return list(_decoded(str(path), count, step))

    return read


def _decoded(path: str, count: int, step: int) -> Iterator[Frame]:
    capture = cv2.VideoCapture(path)
    rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
    for n in range(count * step):
        ok, image = capture.read()
        if not ok:
            return
        if n % step == 0:
            yield Frame(image, n, n / rate, n / rate)
