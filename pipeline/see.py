"""see(frame, ask, run) -> Observation: the only place where pixels meet nets.

Here: what is looked at, in which order, and how the face appears. Not here: measurements around the
face (sight/), what any of it means (cues/), when to ask for it (session.py), threads. Source:
docs/see.md.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from pipeline import quality
from pipeline.frame import Frame
from pipeline.nets import Floats, Image, Run, embed, iris, mesh
from pipeline.nets.detect import Detection, detect
from pipeline.nets.spoof import spoof
from pipeline.nets.votes import votes
from pipeline.observation import (
    NO_BARS,
    Ask,
    Bars,
    Face,
    Motion,
    Observation,
    Roi,
    eye_distance,
)
from pipeline.sight import bars, motion, patch
from pipeline.sight.detail import detail
from pipeline.sight.edges import edges
from pipeline.sight.glow import glow
from pipeline.sight.mouth import mouth
from pipeline.sight.tint import tint

cv2.setNumThreads(1)  # frames of different sessions run side by side; crops are too small to split

THUMB_PX = (64, 48)
"""Width and height of the luma thumbnail, whatever the frame's shape."""
SKETCH = 64
"""Numbers in a sketch: distances come out within about 1 / sqrt(2 * 64) = 9 %."""
FACE_ROWS = FACE_COLUMNS = slice(28, 92)
"""The middle of the aligned 112x112 crop: skin, without hair and background."""
CRUSHED, BURNT = 8, 247


def _signs() -> Floats:
    """float32 (64, 3072), +-1 / sqrt(64 * 3072): Achlioptas (PODS 2001), from SHAKE-256 and not a
    generator of some library, so that sketches of all versions can be compared."""
    bits = hashlib.shake_256(b"lookgate sketch 1").digest(SKETCH * THUMB_PX[0] * THUMB_PX[1] // 8)
    signs = np.unpackbits(np.frombuffer(bits, np.uint8)).reshape(SKETCH, -1)
    return signs.astype(np.float32) * 2 - 1


_SIGNS = _signs()
_SCALE = np.float32(1 / math.sqrt(_SIGNS.size))


def see(frame: Frame, ask: Ask, run: Run, added: Sequence[str] = ()) -> Observation:
    """Measure what is asked of one frame. `added`: names of the anti-spoof nets of nets/votes.py
    that `run` has.

    Never raises on what a picture shows, whatever its size; whatever `run` raises goes through.
    Deterministic: the same frame, ask and nets give the same bits. Callable from several threads.
    """
    height, width = frame.image.shape[:2]
    bars_seen = _bars(frame.image, ask)
    taken_off = ask.bars if ask.bars is not None else bars_seen or NO_BARS
    frame = _inside_bars(frame, taken_off)
    image = frame.image
    thumb = _thumbnail(image)
    found = detect(image, run) if ask.detect else None
    chosen, same = _choose(found or [], ask.roi)
    seen = _landmarks(image, ask.roi, chosen, same, run)
    face = None if seen is None else _face(frame, ask, seen, chosen, same, run, added)
    return Observation(
        seq=frame.seq,
        arrival_s=frame.arrival_s,
        media_s=frame.media_s,
        width_px=width,
        height_px=height,
        luma=cv2.mean(thumb)[0],
        sketch=_sketch(thumb),
        faces=None if found is None else len(found),
        rival=_rival(found or [], chosen, face),
        face=face,
        bars=taken_off,
        bars_seen=bars_seen,
        looked=ask.detect or ask.roi is not None,
    )


def _bars(image: Image, ask: Ask) -> Bars | None:
    """Borders of the frame, where they are to be looked for."""
    known = ask.bars
    if known is None:
        return bars.find(image)
    if not ask.detect:
        return None
    return known if known != NO_BARS and bars.stay(image, known) else bars.find(image)


def _inside_bars(frame: Frame, taken_off: Bars) -> Frame:
    """The frame and its reference without borders: no cue may see them."""
    if taken_off == NO_BARS:
        return frame
    then = frame.reference
    return replace(
        frame,
        image=bars.without(frame.image, taken_off),
        reference=None if then is None else bars.without(then, taken_off),
    )


def _thumbnail(image: Image) -> Image:
    """uint8 (48, 64) luma."""
    # 16 pixels a cell: AREA over a whole 1920x1080 frame alone costs as much as two meshes
    double = cv2.resize(image, (2 * THUMB_PX[0], 2 * THUMB_PX[1]))
    small = cv2.resize(double, THUMB_PX, interpolation=cv2.INTER_AREA)
    luma: Image = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)  # type: ignore[assignment]
    return luma


def _sketch(thumb: Image) -> Floats:
    # Sums of whole numbers below 2^24 are exact in float32: no order of adding changes a bit.
    # Row by row, not @: BLAS would wake its own threads for this.
    sums = np.vecdot(_SIGNS, thumb.reshape(-1).astype(np.float32))
    sketch: Floats = sums * _SCALE
    return sketch


def _choose(found: list[Detection], roi: Roi | None) -> tuple[Detection | None, bool]:
    """Which detection to follow, and whether it continues the face at `roi`."""
    if roi is not None:
        near = [(d, _distance(d, roi)) for d in found if _continues(d, roi)]
        if near:
            return min(near, key=lambda pair: pair[1])[0], True
    if found:
        return found[0], False
    return None, roi is not None


def _distance(detection: Detection, roi: Roi) -> float:
    x, y, w, h = detection.box_px
    return math.hypot(x + w / 2 - roi.x_px, y + h / 2 - roi.y_px)


def _continues(detection: Detection, roi: Roi) -> bool:
    """Centre within half a side of the square's, size within a factor of two of it."""
    side = mesh.DETECTION_REACH * max(detection.box_px[2:])
    near = _distance(detection, roi) <= roi.side_px / 2
    return near and roi.side_px / 2 <= side <= 2 * roi.side_px


def _landmarks(
    image: Image, roi: Roi | None, chosen: Detection | None, same: bool, run: Run
) -> mesh.Landmarks | None:
    """The first convincing mesh: where the face was, then where the detector sees it."""
    for place in _places(roi, chosen, same):
        seen = mesh.landmarks(image, place, run)
        if seen is not None and seen.score >= mesh.MIN_SCORE:
            return seen
    return None


def _places(roi: Roi | None, chosen: Detection | None, same: bool) -> Iterator[Roi]:
    if roi is not None and same:
        yield roi
    if chosen is not None:
        yield mesh.roi_from_detection(chosen.box_px, chosen.points_px)


def _face(
    frame: Frame,
    ask: Ask,
    seen: mesh.Landmarks,
    chosen: Detection | None,
    same: bool,
    run: Run,
    added: Sequence[str],
) -> Face | None:
    image, points = frame.image, mesh.five_points(seen.points_px)
    aligned = embed.align(image, points)
    if aligned is None:
        return None
    # The detector cuts its box at the frame: what is outside only the mesh knows.
    whole = mesh.box(seen.points_px)
    box = whole if chosen is None else chosen.box_px
    yaw, pitch, roll = mesh.pose_deg(seen.points_px)
    sharpness, luma, clipped = _surface(aligned)
    appearance = quality.Appearance(
        eyes_px=eye_distance(seen.points_px),
        yaw_deg=yaw,
        pitch_deg=pitch,
        roll_deg=roll,
        sharpness=sharpness,
        luma=luma,
        clipped=clipped,
        inside=_inside(whole, image.shape[1], image.shape[0]),
        score=seen.score,
        detection=None if chosen is None else chosen.score,
        agreement=math.nan if chosen is None else _agreement(chosen.points_px, points),
    )
    grade = quality.grade(appearance)
    wanted = ask.embed_above is not None and grade >= ask.embed_above
    near = patch.near(image, seen.points_px) if ask.glow or ask.tint else None
    return Face(
        box_px=box,
        score=appearance.score,
        detection=appearance.detection,
        same=same,
        shape_px=mesh.shape(seen.points_px),
        rigid_px=mesh.rigid(seen.points_px),
        roi=mesh.roi_from_mesh(seen.points_px),
        yaw_deg=appearance.yaw_deg,
        pitch_deg=appearance.pitch_deg,
        roll_deg=appearance.roll_deg,
        sharpness=appearance.sharpness,
        luma=appearance.luma,
        clipped=appearance.clipped,
        chroma=_chroma(aligned),
        inside=appearance.inside,
        agreement=appearance.agreement,
        quality=grade,
        embedding=embed.embed(aligned, run) if wanted else None,
        spoof=spoof(image, box, run) + votes(image, box, run, added) if ask.spoof else None,
        detail=detail(image, seen.points_px) if ask.detail else None,
        edges=edges(image, seen.points_px) if ask.edges else None,
        glow=glow(near, seen.points_px) if ask.glow and near is not None else None,
        eyes=iris.openness(image, seen.points_px, run) if ask.eyes else None,
        tint=tint(near, seen.points_px) if ask.tint and near is not None else None,
        motion=_motion(frame, ask, seen.points_px) if ask.motion else None,
        mouth=mouth(image, seen.points_px) if ask.mouth else None,
    )


def _motion(frame: Frame, ask: Ask, mesh_px: Floats) -> Motion | None:
    if ask.tracks is None:
        return motion.start(frame.image, mesh_px)
    if frame.reference is None:
        return None
    return motion.follow(frame.image, mesh_px, frame.reference, ask.tracks)


def _surface(aligned: Image) -> tuple[float, float, float]:
    """Of the aligned crop: `sharpness`, `luma` and `clipped` as in `Face`."""
    luma = cv2.cvtColor(aligned, cv2.COLOR_BGR2GRAY)
    _, spread = cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S))
    middle = luma[FACE_ROWS, FACE_COLUMNS]
    kept = cv2.countNonZero(cv2.inRange(middle, (CRUSHED,), (BURNT,)))
    return float(spread[0, 0]) ** 2, cv2.mean(middle)[0], (middle.size - kept) / middle.size


def _chroma(aligned: Image) -> float:
    """Of the aligned crop, as in `Face`."""
    blue, green, red = cv2.split(aligned[FACE_ROWS, FACE_COLUMNS])
    most, least = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
    return float(cv2.mean(cv2.subtract(most, least))[0])


def _agreement(detector: Floats, ours: Floats) -> float:
    eyes = float(np.hypot(*(detector[1] - detector[0])))
    gap = np.sqrt(((detector - ours) ** 2).sum(1)).mean()
    return float(gap) / max(eyes, 1.0)


def _inside(box: tuple[float, float, float, float], width: int, height: int) -> float:
    x, y, w, h = box
    wide = max(0.0, min(x + w, width) - max(x, 0.0))
    high = max(0.0, min(y + h, height) - max(y, 0.0))
    return wide * high / max(w * h, 1.0)


def _rival(found: list[Detection], chosen: Detection | None, face: Face | None) -> float:
    if face is None:
        return 0.0
    others = [d.box_px[2] for d in found if d is not chosen]
    return max(others, default=0.0) / face.box_px[2]
