"""What is behind the person: a wall with things in front of it, and the person's own shoulders.

Here: backgrounds drawn from a generator. Not here: anything that moves by itself.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.synth import Floats, Image, floats, pixels
from pipeline.synth.light import Glow, tinted
from pipeline.synth.motion import Pose
from pipeline.synth.portrait import Portrait

THINGS = 70
"""Small things per picture: enough corners for points to be followed, none longer than a face."""


def room(rng: np.random.Generator, size: tuple[int, int]) -> Image:
    """uint8 HxWx3: a wall lit unevenly, with small things, a little out of focus."""
    width, height = size
    unit = min(size) / 480
    wall = rng.uniform(120, 190) + rng.uniform(-12, 12, 3)
    blotches = rng.normal(0, 14, (4, 6, 1)) + rng.normal(0, 4, (4, 6, 3))
    image = cv2.resize(blotches.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    image += wall.astype(np.float32)
    for _ in range(THINGS):
        at = rng.integers(0, [width, height])
        colour = tuple(float(c) for c in rng.integers(30, 225, 3))
        reach = max(2, int(rng.uniform(8, 26) * unit))
        to = at + rng.integers(-reach, reach + 1, 2)
        kind = rng.integers(3)
        a, b = (int(at[0]), int(at[1])), (int(to[0]), int(to[1]))
        if kind == 0:
            cv2.circle(image, a, max(1, reach // 3), colour, -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(image, a, b, colour, -1)
        else:
            cv2.line(image, a, b, colour, max(1, int(3 * unit)), cv2.LINE_AA)
    return pixels(cv2.GaussianBlur(image, (0, 0), max(0.5, 1.1 * unit)))


CHIN = 152
"""The mesh's lowest point."""
NECK = ((-0.3, -0.5), (0.3, -0.5), (0.32, 0.2), (0.6, 0.5), (-0.6, 0.5), (-0.32, 0.2))
BODY = (
    *((-0.38, 0.2), (0, 0.42), (0.38, 0.2), (1.0, 0.42), (1.35, 0.8)),
    *((1.5, 3.2), (-1.5, 3.2), (-1.35, 0.8), (-1.0, 0.42)),
)
"""Outlines in face widths from below the chin, right and down."""
ABOVE = 0.6
"""How much room the cut-out has above the chin, in face widths."""


class Shoulders:
    """Neck and a shirt: without them a head would hang in the air."""

    def __init__(self, rng: np.random.Generator, person: Portrait) -> None:
        self._face = face = person.width_px
        self._drop = float(person.mesh_px[CHIN, 1]) - person.middle_px[1]
        width, height = round(4.2 * face), round(3.2 * face)
        weave = rng.normal(0, 9, (48, 64)).astype(np.float32)
        cloth = floats(cv2.resize(weave, (width, height), interpolation=cv2.INTER_LINEAR))
        shirt = floats(rng.integers(25, 200, 3)) + cloth[:, :, None]
        shade = np.linspace(0.62, 0.9, height, dtype=np.float32)[:, None, None]
        neck, body = (_shape(outline, face, width, height) for outline in (NECK, BODY))
        colour = skin_bgr(person) * shade
        colour = colour + (shirt - colour) * body[:, :, None]
        self._colour, self._cover = pixels(floats(colour)), np.maximum(neck, body)

    def draw(self, picture: Image, pose: Pose, breath: float, glow: Glow | None) -> None:
        """Below a head at that pose, pixels of the picture."""
        width = self._cover.shape[1]
        rise = 1 + 0.006 * breath
        x = pose.x_px - width / 2
        y = pose.y_px + self._drop - ABOVE * self._face
        top = min(max(0, int(y)), picture.shape[0] - 1)
        behind = picture[top:]
        to = np.array([[1, 0, x], [0, rise, y - top]], np.float32)
        size = (behind.shape[1], behind.shape[0])
        colour = self._colour if glow is None else tinted(self._colour, glow, 0.6)
        seen = cv2.warpAffine(
            colour, to, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        cover = cv2.warpAffine(self._cover, to, size, flags=cv2.INTER_LINEAR)[:, :, None]
        behind[:] = np.rint(behind + (seen.astype(np.float32) - behind) * cover)


def _shape(
    outline: tuple[tuple[float, float], ...], face: float, width: int, height: int
) -> Floats:
    """float32 HxW: its inside, with a soft edge."""
    mask = np.zeros((height, width), np.float32)
    at = (np.array(outline) * face + [width / 2, ABOVE * face]) * 16
    cv2.fillPoly(mask, [np.round(at).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return floats(cv2.GaussianBlur(mask, (0, 0), max(0.6, 0.03 * face)))


def skin_bgr(person: Portrait) -> Floats:
    """float32 (3,): the cheeks' median colour."""
    at = np.round(person.mesh_px[[50, 205, 280, 425], :2]).astype(int)
    height, width = person.photo.shape[:2]
    reach = max(1, int(0.05 * person.width_px))
    patches = [
        person.photo[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        for x, y in at.tolist()
        if 0 <= x < width and 0 <= y < height
    ]
    return floats(np.median(np.concatenate([p.reshape(-1, 3) for p in patches]), axis=0))
