"""Points followed from a reference frame: does the background come along, is the face a plane,
does anything in it move by itself.

Here: choosing points, finding them again, and what their motion says. Not here: which frame is the
reference (frame.Reference). Points are searched from the reference, not from frame to frame: errors
do not add up. Source: Lucas and Kanade, IJCAI 1981; Shi and Tomasi, CVPR 1994; docs/see.md.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.nets import Floats, Image
from pipeline.observation import Motion, Tracks, eye_distance
from pipeline.sight.patch import (
    EYE_IMAGE_LEFT,
    EYE_IMAGE_RIGHT,
    LIPS,
    OVAL,
    RING_OUTER,
    Patch,
    around,
    cut,
    fill,
    whole_factor,
)

FACE_PX = 140.0
"""Least width of the face that points are followed at, where the frame has it; less than twice
that in all."""
MIN_EYES_PX = 14.0
"""Outer eye distance below which a pixel of noise is a large motion."""
FACE_POINTS, RING_POINTS = 70, 45
MIN_FACE_POINTS, MIN_RING_POINTS = 14, 8
"""Fewer say nothing: a homography takes four, and half may be wrong."""
CONFIDENCE = 0.95
"""That the plane is found although 45 in 100 points are wrong: 31 samples of four."""
GUIDE = 3
"""Every so many vertices of the mesh say where to search: a third is dense enough, and cheap."""
SEARCH_PX = 13
LEVELS = 2
RETURN_PX = 0.6
"""A point must come back this near to where it was when it is followed backwards."""
FAR = 0.3
"""Residuals are cut here, in eye distances: one lost point must not decide a root mean square."""
SLACK, SLACK_PX = 0.2, 0.4
"""How far a background point may be off and still stay or follow: a share of the face's motion,
plus the noise of the search."""
CROP_PX = 96
"""Longer side of the stabilised face."""

MIN_PIXELS = 20
"""Of the crop, in a region: fewer are chance."""

Place = tuple[Floats, Floats, int]
"""Corners in the frame, and frame pixels a patch pixel."""
Mask = NDArray[np.bool_]
Matrix = NDArray[Any]
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.03)


def start(image: Image, mesh_px: Floats) -> Motion | None:
    """Choose points in this frame, the reference from now on. None if the face is too small."""
    place = _place(mesh_px, mesh_px)
    patch = None if place is None else _luma(image, place)
    if patch is None:
        return None
    mesh = patch.here(mesh_px)
    eyes = eye_distance(mesh)
    face = _corners(patch.image, patch.mask(mesh[OVAL], 0.95), FACE_POINTS, 0.06 * eyes)
    ring = _corners(patch.image, patch.ring(mesh), RING_POINTS, 0.08 * eyes)
    points = patch.back(np.concatenate([face, ring]))
    on_face = np.arange(len(points)) < len(face)
    flat: Floats = mesh_px[:, :2].astype(np.float32)
    tracks = Tracks(points, points, on_face, np.ones(len(points), np.bool_), flat)
    return Motion(tracks, 0.0, *[math.nan] * 8)


def follow(image: Image, mesh_px: Floats, reference: Image, tracks: Tracks) -> Motion | None:
    """Find the points of `tracks` in this frame. None if `reference` is not of the same size."""
    if reference.shape != image.shape:
        return None
    place = _place(tracks.mesh_px, mesh_px)
    now = None if place is None else _luma(image, place)
    then = None if place is None else _luma(reference, place)
    if now is None or then is None:
        return None
    start_at, mesh = then.here(tracks.reference_px), then.here(tracks.mesh_px)
    guess = now.here(tracks.now_px)
    face = tracks.on_face
    guess[face] = _carried(start_at[face], mesh, now.here(mesh_px))
    found, alive = _search(then.image, _relit(now.image, then.image), start_at, guess)
    moved = _measure(then, now, mesh, start_at, found, alive, face)
    newest = np.where(alive[:, None], now.back(found), tracks.now_px).astype(np.float32)
    after = Tracks(tracks.reference_px, newest, tracks.on_face, alive, tracks.mesh_px)
    return Motion(after, *moved)


def _place(mesh_px: Floats, other_px: Floats) -> Place | None:
    """What is around two places of the face, at the scale of the first."""
    here, there = around(mesh_px, RING_OUTER), around(other_px, RING_OUTER)
    if here is None or there is None or eye_distance(mesh_px) < MIN_EYES_PX:
        return None
    low, high = np.minimum(here[0], there[0]), np.maximum(here[1], there[1])
    return low, high, whole_factor(mesh_px, FACE_PX)


def _luma(image: Image, place: Place) -> Patch | None:
    patch = cut(image, *place)
    if patch is None:
        return None
    luma = cv2.cvtColor(patch.image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
    return Patch(luma, patch.left_px, patch.top_px, patch.factor)


def _corners(luma: Image, mask: Image, count: int, apart: float) -> Floats:
    """The best points to follow under a mask, at least `apart` pixels from each other."""
    x, y, wide, tall = cv2.boundingRect(mask)
    if not wide:
        return np.zeros((0, 2), np.float32)
    view = slice(y, y + tall), slice(x, x + wide)
    found = cv2.goodFeaturesToTrack(luma[view], count, 0.01, max(3.0, apart), mask=mask[view])
    if found is None:
        return np.zeros((0, 2), np.float32)
    return found.reshape(-1, 2).astype(np.float32) + np.array((x, y), np.float32)


def _carried(points: Floats, mesh: Floats, mesh_now: Floats) -> Floats:
    """Where the mesh says that points of the face are now: moved as its nearest vertex. Only a
    place to begin the search at."""
    some, some_now = mesh[::GUIDE], mesh_now[::GUIDE]
    # |p - v|^2 without |p|^2, which is the same for every vertex v
    away = np.einsum("ij,ij->i", some, some) - 2 * np.einsum("ik,jk->ij", points, some)
    nearest = away.argmin(1)
    carried: Floats = points + some_now[nearest] - some[nearest]
    return carried


def _relit(luma: Image, as_in: Image) -> Image:
    """With the mean and contrast of another picture: the search takes a change of light, a camera's
    exposure say, for a motion of half a pixel."""
    (mean, spread), (wanted, wanted_spread) = (cv2.meanStdDev(one) for one in (luma, as_in))
    gain = float(np.clip((wanted_spread[0, 0] + 1) / (spread[0, 0] + 1), 0.5, 2.0))
    lift = float(wanted[0, 0] - gain * mean[0, 0])
    return cv2.addWeighted(luma, gain, luma, 0.0, lift).astype(np.uint8, copy=False)


def _search(then: Image, now: Image, start_at: Floats, guess: Floats) -> tuple[Floats, Mask]:
    """Where the points are now, and which of them came back when followed backwards."""
    if not len(start_at):
        return start_at, np.zeros(0, np.bool_)
    there, seen = _flow(then, now, start_at, guess)
    # Backwards from as far away as the way there began: a start at the answer would prove nothing
    home, seen_again = _flow(now, then, there, there - (guess - start_at))
    near = np.abs(home - start_at).max(1) < RETURN_PX
    height, width = now.shape[:2]
    inside = (there >= 0).all(1) & (there <= (width - 1, height - 1)).all(1)
    return there, seen & seen_again & near & inside


def _flow(one: Image, other: Image, points: Floats, guess: Floats) -> tuple[Floats, Mask]:
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        one,
        other,
        points[:, None],
        guess[:, None].copy(),
        winSize=(SEARCH_PX, SEARCH_PX),
        maxLevel=LEVELS,
        criteria=_STOP,
        # The least eigenvalue is there anyway; the other measure of error is work for nobody
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW | cv2.OPTFLOW_LK_GET_MIN_EIGENVALS,
    )
    return found.reshape(-1, 2).astype(np.float32), status.reshape(-1) > 0


Measured = tuple[float, float, float, float, float, float, float, float, float]
"""Motion's numbers, in its order."""


def _measure(
    then: Patch,
    now: Patch,
    mesh: Floats,
    start_at: Floats,
    found: Floats,
    alive: Mask,
    on_face: Mask,
) -> Measured:
    nan = math.nan
    face, ring = alive & on_face, alive & ~on_face
    if np.count_nonzero(face) < MIN_FACE_POINTS:
        return (nan,) * 9
    eyes = eye_distance(mesh)
    one, other = start_at[face], found[face]
    moved = float(np.median(np.linalg.norm(other - one, axis=1))) / eyes
    # LMedS draws its samples from a generator of its own, with a fixed seed: same bits every time
    turn, _ = cv2.estimateAffinePartial2D(one, other, method=cv2.LMEDS)
    plane, _ = cv2.findHomography(one, other, cv2.LMEDS, confidence=CONFIDENCE)
    similarity = homography = nan
    background, changes = (nan, nan, nan), (nan, nan, nan)
    if turn is not None and np.isfinite(turn).all():
        similarity = _rms(one @ turn[:, :2].T + turn[:, 2] - other, eyes)
        if np.count_nonzero(ring) >= MIN_RING_POINTS:
            background = _background(start_at[ring], found[ring], turn, eyes)
    if plane is not None and np.isfinite(plane).all():
        mapped = cv2.perspectiveTransform(one[:, None], plane)[:, 0]
        homography = _rms(mapped - other, eyes)
        changes = _changes(then.image, now.image, mesh, plane)
    return moved, similarity, homography, *background, *changes


def _rms(gaps: Matrix, eyes: float) -> float:
    lengths = np.linalg.norm(gaps, axis=1) / eyes
    return float(np.sqrt(np.mean(np.minimum(lengths, FAR) ** 2)))


def _background(
    one: Floats, other: Floats, turn: Matrix, eyes: float
) -> tuple[float, float, float]:
    """Shares of points that stay and that follow the face, and how far they would have gone."""
    carried = one @ turn[:, :2].T + turn[:, 2]
    way = np.linalg.norm(carried - one, axis=1)
    allowed = SLACK * way + SLACK_PX
    stays = np.linalg.norm(other - one, axis=1) < allowed
    follows = np.linalg.norm(other - carried, axis=1) < allowed
    return float(stays.mean()), float(follows.mean()), float(np.median(way)) / eyes


def _changes(then: Image, now: Image, mesh: Floats, plane: Matrix) -> tuple[float, float, float]:
    """What changed in the eyes, in the mouth and elsewhere that a moving plane does not explain.

    Grey-level differences over the local gradient: the displacement, in pixels of the crop, that
    would explain them.
    """
    unknown = (math.nan,) * 3
    oval = mesh[OVAL]
    low, high = oval.min(0), oval.max(0)
    step = float((high - low).max()) / CROP_PX
    size = (int((high[0] - low[0]) / step), int((high[1] - low[1]) / step))
    crop = np.array([[step, 0, low[0]], [0, step, low[1]], [0, 0, 1]], np.float64)
    if min(size) < 32 or not (_shows(then, crop, size) and _shows(now, plane @ crop, size)):
        return unknown
    before, after = _stable(then, crop, size), _stable(now, plane @ crop, size)
    flat = Patch(before, 0, 0, 1)
    small = (mesh - low) / np.float32(step)
    eyes, mouth, rest = _regions(flat, small)
    if not rest.any():
        return unknown
    steep = np.hypot(
        cv2.Sobel(before, cv2.CV_32F, 1, 0, scale=0.125),
        cv2.Sobel(before, cv2.CV_32F, 0, 1, scale=0.125),
    )
    old, new = before.astype(np.float32), after.astype(np.float32)
    old_rest, new_rest = old[rest], new[rest]
    gain = (new_rest.std() + 2) / (old_rest.std() + 2)
    change = np.abs((new - new_rest.mean()) / gain - (old - old_rest.mean())) * steep
    eye, lips, other = (_share(change, steep, region) for region in (eyes, mouth, rest))
    return eye, lips, other


def _shows(image: Image, to: Matrix, size: tuple[int, int]) -> bool:
    """Whether all of the crop lies in the picture, but for a rim of a twentieth."""
    (wide, tall), (height, width) = size, image.shape[:2]
    corners = np.array([[[0, 0], [wide, 0], [wide, tall], [0, tall]]], np.float64)
    x, y = cv2.perspectiveTransform(corners, to)[0].T
    rim = 0.05 * max(float(np.ptp(x)), float(np.ptp(y)))
    return bool(
        x.min() >= -rim and x.max() <= width + rim and y.min() >= -rim and y.max() <= height + rim
    )


def _stable(image: Image, to: Matrix, size: tuple[int, int]) -> Image:
    flat = cv2.warpPerspective(
        image,
        to,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cv2.GaussianBlur(flat, (3, 3), 0)  # type: ignore[return-value]


def _regions(flat: Patch, mesh: Floats) -> tuple[Mask, Mask, Mask]:
    """Eyes, mouth, and the rest of the face clear of both."""
    left, right, lips = mesh[EYE_IMAGE_LEFT], mesh[EYE_IMAGE_RIGHT], mesh[LIPS]
    eyes, mouth, rest = flat.mask(left, 1.5), flat.mask(lips, 1.2), flat.mask(mesh[OVAL], 0.85)
    fill(eyes, right, 1.5)
    for points, grow in ((left, 2.2), (right, 2.2), (lips, 1.6)):
        fill(rest, points, grow, 0)
    return eyes > 0, mouth > 0, rest > 0


def _share(change: Floats, steep: Floats, region: Mask) -> float:
    count = int(np.count_nonzero(region))
    if count < MIN_PIXELS:
        return math.nan
    return float(change[region].sum() / ((steep[region] ** 2).sum() + 4 * count))
