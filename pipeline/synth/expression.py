"""Lids, eyes and lips: the photo's own pixels moved, at the size of the scene.

Here: what a blink, a glance and a word change in the picture. Not here: when
(motion.py). Lids are painted with the skin above them, so that no colour has to be guessed.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.synth import Floats, Image, floats

UPPER = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133),
    (362, 398, 384, 385, 386, 387, 388, 466, 263),
)
LOWER = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (362, 382, 381, 380, 374, 373, 390, 249, 263))
"""Edges of the lids from corner to corner, image left to right: left eye, right eye."""
LIPS = (13, 14)
"""Inner lips, upper and lower."""
EYES = (33, 263)
LASHES = 0.17
"""How far above the mesh's upper lid its lashes reach, in eye widths: they close with it."""
LID = 0.94
"""Brightness of a closed lid against the skin above it."""
LASH = 0.45
"""Brightness of the lash line against the skin."""


def expressed(
    image: Image, points: Floats, lids: float, mouth: float, gaze: tuple[float, float] = (0, 0)
) -> Image:
    """The picture with lids closed by 0..1, the mouth opened by that many eye distances, and eyes
    that look to the right and down by that many eye widths."""
    out = image
    if abs(mouth) > 1e-3:
        out = _mouth(out, points, mouth)
    if out is image and (lids > 1e-3 or any(gaze)):
        out = image.copy()
    if any(gaze):
        for upper, lower in zip(UPPER, LOWER, strict=True):
            _glance(out, points[[*upper, *lower], :2], gaze)
    if lids > 1e-3:
        for upper, lower in zip(UPPER, LOWER, strict=True):
            _lid(out, points[list(upper), :2], points[list(lower), :2], lids)
    return out


def _lid(image: Image, upper: Floats, lower: Floats, closed: float) -> None:
    """Pull the skin above an eye over it."""
    order = np.argsort(upper[:, 0], kind="stable")
    upper, lower = upper[order], lower[np.argsort(lower[:, 0], kind="stable")]
    width = float(np.ptp(upper[:, 0]))
    grow = LASHES * width
    low = np.minimum(upper.min(0), lower.min(0))
    high = np.maximum(upper.max(0), lower.max(0))
    left, right = max(0, int(low[0])), min(image.shape[1], int(high[0]) + 2)
    top, bottom = max(0, int(low[1] - 0.6 * width)), min(image.shape[0], int(high[1] + 3 + grow))
    if right - left < 3 or bottom - top < 3:
        return
    x = np.arange(left, right, dtype=np.float32)
    above = np.interp(x, upper[:, 0], upper[:, 1]) - grow
    below = np.interp(x, lower[:, 0], lower[:, 1]) + 0.3 * grow
    lid = above + (below - above) * closed
    y = np.arange(top, bottom, dtype=np.float32)[:, None]
    part = image[top:bottom, left:right]
    # From the lid's edge upwards: the skin between it and the brow, stretched
    source = above - 0.5 * grow - (lid - y) * 0.35
    stretched = cv2.remap(
        part,
        np.broadcast_to(x - left, source.shape).astype(np.float32),
        (source - top).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    soft = max(0.7, 0.03 * width)
    inside = np.clip((y - above) / soft + 0.5, 0, 1) * np.clip((lid - y) / soft + 0.5, 0, 1)
    skin = inside[:, :, None]
    dark = np.exp(-(((y - lid) / (0.9 * soft)) ** 2))[:, :, None] * (1 - LASH) * min(1, 2 * closed)
    # The lashes thin out towards the corners
    edge = np.minimum(x - upper[0, 0], upper[-1, 0] - x)
    dark *= np.clip(edge / (0.15 * width), 0, 1)[None, :, None]
    shaded = stretched.astype(np.float32) * np.float32(LID)
    mixed = (part + (shaded - part) * skin) * (1 - dark)
    image[top:bottom, left:right] = np.rint(mixed).astype(np.uint8)


def _glance(image: Image, eye: Floats, gaze: tuple[float, float]) -> None:
    """Move what is between the lids; they give way a little, as they do."""
    (x0, y0), (x1, y1) = eye.min(0).tolist(), eye.max(0).tolist()
    width, middle_x, middle_y = x1 - x0, (x0 + x1) / 2, (y0 + y1) / 2
    left, right = max(0, int(x0 - 2)), min(image.shape[1], int(x1 + 3))
    top = max(0, int(middle_y - 0.5 * width))
    bottom = min(image.shape[0], int(middle_y + 0.5 * width) + 1)
    if right - left < 3 or bottom - top < 3:
        return
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    weight = np.exp(
        -(((x - middle_x) / (0.3 * width)) ** 2 + ((y - middle_y) / (0.2 * width)) ** 2)
    )
    image[top:bottom, left:right] = cv2.remap(
        image,
        floats(x - gaze[0] * width * weight),
        floats(y - gaze[1] * width * weight),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _mouth(image: Image, points: Floats, mouth: float) -> Image:
    """Lower lip, chin and cheeks move down, the upper lip a little up."""
    middle_x, middle_y = points[list(LIPS), :2].mean(0).tolist()
    eyes = float(np.hypot(*(points[EYES[1], :2] - points[EYES[0], :2])))
    left, right = (
        max(0, int(middle_x - 1.1 * eyes)),
        min(image.shape[1], int(middle_x + 1.1 * eyes)),
    )
    top, bottom = max(0, int(middle_y - eyes)), min(image.shape[0], int(middle_y + 1.2 * eyes))
    if right - left < 3 or bottom - top < 3:
        return image
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    across, down = (x - middle_x) / (0.45 * eyes), (y - middle_y) / eyes
    lower = np.exp(-((np.maximum(down - 0.06, 0) / 0.45) ** 2)) * np.clip(down / 0.06, 0, 1)
    upper = np.exp(-((down / 0.22) ** 2)) * np.clip(-down / 0.06, 0, 1)
    shift = mouth * eyes * np.exp(-(across**2)) * (lower - 0.2 * upper)
    # The lower lip never shows the upper one: what opens between them is the dark line there
    source = np.maximum(y - shift, np.where(down > 0, middle_y, -np.inf))
    out = image.copy()
    out[top:bottom, left:right] = cv2.remap(
        image,
        x,
        source.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return out
