"""A picture made of integers: the same pixels on every machine, with something like a face in it.

Here: the input of every stored reference output. Not here: running nets, comparing. Source:
SplitMix64 (Steele, Lea and Flood 2014) for the grain, because numpy does not promise that its own
streams stay the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.manifest import Input

_ELLIPSES = (
    # centre x, y, half width, half height in thousandths of the side; B, G, R
    (500, 520, 260, 350, (120, 160, 205)),  # face
    (500, 200, 270, 110, (35, 40, 50)),  # hair
    (400, 450, 60, 26, (235, 235, 235)),  # eyes
    (600, 450, 60, 26, (235, 235, 235)),
    (400, 450, 24, 25, (30, 40, 55)),  # irises
    (600, 450, 24, 25, (30, 40, 55)),
    (400, 395, 75, 14, (40, 50, 70)),  # brows
    (600, 395, 75, 14, (40, 50, 70)),
    (500, 585, 38, 60, (95, 130, 180)),  # nose
    (500, 710, 95, 28, (70, 70, 160)),  # mouth
)


def picture(side: int, seed: int) -> npt.NDArray[np.uint8]:
    """A synthetic face with grain: uint8 side x side x 3, BGR."""
    y, x = np.mgrid[0:side, 0:side].astype(np.int64) * 1000 // side
    image = np.stack([90 + x // 16, 110 + y // 20, 100 + (x + y) // 40], axis=-1)
    for cx, cy, half_w, half_h, colour in _ELLIPSES:
        inside = (x - cx) ** 2 * half_h**2 + (y - cy) ** 2 * half_w**2 <= (half_w * half_h) ** 2
        image[inside] = colour
    grain = (_splitmix64(seed, image.size) >> np.uint64(59)).astype(np.int64) - 16
    return np.clip(image + grain.reshape(image.shape), 0, 255).astype(np.uint8)


def tensor(given: Input, seed: int) -> npt.NDArray[np.float32]:
    """The picture as a net's input: colour order, layout and range of its contract."""
    height, width = given.size_px
    if height != width or given.shape[0] != 1:
        raise AssertionError("reference pictures are square and alone")
    pixels = picture(height, seed)
    if given.colour == "RGB":
        pixels = pixels[:, :, ::-1]
    if given.layout == "NCHW":
        pixels = pixels.transpose(2, 0, 1)
    scaled = pixels[None].astype(np.float32) * np.float32(given.scale)
    return np.ascontiguousarray(scaled, dtype=np.float32)


def _splitmix64(seed: int, count: int) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += np.uint64(seed)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
