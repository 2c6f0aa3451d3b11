"""Films made of one picture of a person, as somebody makes them who has no film.

Here: still, noise, pan, zoom, shake, sway, tilt, loop; each is a function of a seed. Not here: the
codec (server/tools/evaluation/vp8.py), who looks at them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from server.tools.clips import Timed
from server.tools.evaluation import vp8

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]

KINDS = (
    "still", "noise", "pan", "zoom", "shake", "sway", "sway with noise", "tilt", "loop",
)  # fmt: skip
NOISE = 5.0
"""Standard deviation of the noise, grey levels; new in every picture."""
SHAKE_PX = 1.5
LOOP = 8
"""Frames."""
SMOOTH = 9
"""Frames over which a hand's sway is smooth."""
SWAY_PX, SWAY_RAD, SWAY_SCALE, SWAY_TILT = 12.0, 0.024, 0.018, 6e-5
"""How far a hand goes that holds a picture: shift, roll, distance, and tilt as a homography has it;
standard deviations before they are smoothed."""


def made(kind: str, images: Sequence[Image], seconds: float, seed: int) -> Iterator[Timed]:
    """A film of `kind`, not coded yet, of the first of the pictures, uint8 HxWx3 BGR; a loop takes
    LOOP of them. Raises ValueError for another kind."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    count = round(seconds * vp8.FPS)
    rng = np.random.default_rng(seed)
    ways = list(_ways(kind, images[0], count, rng))
    for n in range(count):
        image = images[n % min(LOOP, len(images))] if kind == "loop" else images[0]
        height, width = image.shape[:2]
        if ways:
            image = np.asarray(
                cv2.warpPerspective(image, ways[n], (width, height), borderMode=cv2.BORDER_REFLECT),
                np.uint8,
            )
        if "noise" in kind:
            noisy = image + rng.normal(0, NOISE, image.shape)
            image = np.clip(noisy, 0, 255).astype(np.uint8)
        yield n / vp8.FPS, av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")


def _ways(kind: str, image: Image, count: int, rng: np.random.Generator) -> Iterator[Matrix]:
    """How each picture lies in the frame; nothing where it lies still."""
    height, width = image.shape[:2]
    if kind == "shake":
        for x, y in rng.normal(0, SHAKE_PX, (count, 2)):
            yield _lying(x, y)
    elif kind == "pan":
        for n in range(count):
            yield _lying(1.5 * (n - count / 2), 0)
    elif kind == "zoom":
        for n in range(count):
            yield _about(_lying(scale=1 + 0.004 * n), width, height)
    elif kind in ("sway", "sway with noise", "tilt"):
        x, y, roll, scale, across, along = (
            _smooth(rng, count, size)
            for size in (SWAY_PX, SWAY_PX, SWAY_RAD, SWAY_SCALE, SWAY_TILT, SWAY_TILT)
        )
        for n in range(count):
            way = _lying(x[n], y[n], roll[n], 1 + scale[n])
            if kind == "tilt":
                way[2, :2] = across[n], along[n]
            yield _about(way, width, height)


def _smooth(rng: np.random.Generator, count: int, size: float) -> Matrix:
    kernel = np.hanning(SMOOTH + 2)[1:-1]
    return np.convolve(rng.normal(0, size, count + SMOOTH - 1), kernel / kernel.sum(), "valid")


def _lying(x_px: float = 0, y_px: float = 0, roll: float = 0, scale: float = 1) -> Matrix:
    cos, sin = scale * math.cos(roll), scale * math.sin(roll)
    return np.array([[cos, -sin, x_px], [sin, cos, y_px], [0, 0, 1.0]])


def _about(way: Matrix, width: int, height: int) -> Matrix:
    """The same about the middle of the picture."""
    to, back = _lying(-width / 2, -height / 2), _lying(width / 2, height / 2)
    return np.asarray(back @ way @ to)


def turned(image: Image, yaw_deg: float, pitch_deg: float, middle: tuple[float, float]) -> Image:
    """A flat picture that is turned in space about `middle`, px, seen from 1.2 of its width."""
    height, width = image.shape[:2]
    away = 1.2 * width
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    across = np.array([
        [math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)],
    ])  # fmt: skip
    along = np.array([
        [1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)],
    ])  # fmt: skip
    plane = np.hstack([(along @ across)[:, :2], [[0], [0], [away]]])
    lens = np.diag([away, away, 1.0])
    x, y = middle
    way = _lying(x, y) @ lens @ plane @ _lying(-x, -y)
    return np.asarray(
        cv2.warpPerspective(image, way, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8
    )
