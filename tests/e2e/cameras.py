"""Fake cameras: recordings and drawings as pictures, and as files that Chromium plays as a camera.

Everything is 640x480 at 15 frames/s unless said otherwise, as the widget asks for. Real faces come
from models/clips.py only and are written to temporary folders only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.clips import clip

Image = NDArray[np.uint8]
FPS = 15
SIZE = (640, 480)


def fitted(image: Image, size: tuple[int, int] = SIZE) -> Image:
    """Scaled to fit, the rest filled by repeating the edge: no dark bars, no new edges."""
    width, height = size
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    small = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    return cv2.copyMakeBorder(
        small,
        top,
        height - inner[1] - top,
        left,
        width - inner[0] - left,
        cv2.BORDER_REPLICATE,
    )


def person(name: str, *, start_s: float = 0.0, seconds: float = 12.0) -> Iterator[Image]:
    """A recording of models/clips.py, resampled to 15 frames/s."""
    due_s, first_s = start_s, None
    with av.open(str(clip(name))) as container:
        for picture in container.decode(video=0):
            at_s = float(picture.time or 0.0)
            first_s = at_s if first_s is None else first_s
            at_s -= first_s
            if at_s >= start_s + seconds:
                return
            while due_s <= at_s + 1e-3:
                yield fitted(picture.to_ndarray(format="bgr24"))
                due_s += 1 / FPS


def photo(name: str, *, start_s: float = 0.0, seconds: float = 12.0) -> Iterator[Image]:
    """One picture of a recording, held still: a digital photo fed as a camera."""
    return itertools.repeat(next(person(name, start_s=start_s)), int(seconds * FPS))


def room(seconds: float = 12.0, seed: int = 5) -> Iterator[Image]:
    """A wall, a shelf and sensor noise; nobody there."""
    rng = np.random.default_rng(seed)
    wall = np.full((SIZE[1], SIZE[0], 3), (150, 160, 165), np.uint8)
    for k in range(5):
        cv2.rectangle(wall, (60 + 100 * k, 150), (120 + 100 * k, 330), (60, 40 * k, 120), -1)
    for _ in range(int(seconds * FPS)):
        noise = rng.normal(0, 3, wall.shape)
        yield np.clip(wall + noise, 0, 255).astype(np.uint8)


def black(seconds: float = 12.0) -> Iterator[Image]:
    """A covered lens."""
    return itertools.repeat(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), int(seconds * FPS))


def beside(left: Iterator[Image], right: Iterator[Image]) -> Iterator[Image]:
    """Two people in one picture, each in the middle of a half."""
    for one, other in zip(left, right, strict=False):
        half = slice(SIZE[0] // 4, SIZE[0] * 3 // 4)
        yield np.ascontiguousarray(np.hstack([one[:, half], other[:, half]]))


def then(*parts: tuple[Iterator[Image], float]) -> Iterator[Image]:
    """One after the other, each for so many seconds."""
    for images, seconds in parts:
        yield from itertools.islice(images, int(seconds * FPS))


def frozen(images: Iterator[Image], after_s: float, seconds: float = 12.0) -> Iterator[Image]:
    """A camera that stops delivering new pictures after a while."""
    last = None
    for last in itertools.islice(images, int(after_s * FPS)):
        yield last
    assert last is not None
    yield from itertools.repeat(last, int((seconds - after_s) * FPS))


def altered(images: Iterator[Image], change: Callable[[Image], Image]) -> Iterator[Image]:
    """Each picture changed."""
    return (np.ascontiguousarray(change(image)) for image in images)


def timed(images: Iterator[Image], fps: float = FPS) -> Iterator[tuple[float, av.VideoFrame]]:
    """As the headless client takes them: seconds and pictures."""
    for k, image in enumerate(images):
        yield k / fps, av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")


def mjpeg(images: Iterator[Image], path: Path, fps: int = FPS) -> Path:
    """A file for Chromium's --use-file-for-fake-video-capture, which loops it."""
    with av.open(str(path), "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuvj420p"
        stream.codec_context.qmin = stream.codec_context.qmax = 3
        for k, image in enumerate(images):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
            picture = picture.reformat(format="yuvj420p")
            picture.pts = k
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path
