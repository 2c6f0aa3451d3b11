"""Fixtures: portraits of two people in registry photographs. Import them where they are used."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from models.clips import ClipMissing, clip
from pipeline.nets import Image, Run
from pipeline.synth.portrait import Portrait, portrait


@pytest.fixture(scope="session")
def photo() -> Callable[[str], Image]:
    """A registry photograph, uint8 HxWx3 BGR; skips where it cannot be had."""

    def read(name: str) -> Image:
        try:
            path = clip(name)
        except ClipMissing as error:
            pytest.skip(f"a photograph from a registry package is needed: {error}")
        return np.asarray(cv2.imread(str(path)), np.uint8)

    return read


@pytest.fixture(scope="session")
def anna(nets: Run, photo: Callable[[str], Image]) -> Portrait:
    """One person."""
    return portrait(photo("one"), nets)


@pytest.fixture(scope="session")
def berta(nets: Run, photo: Callable[[str], Image]) -> Portrait:
    """Another one."""
    return portrait(photo("many"), nets)
