"""All that a session may know of a frame, and all that it may ask of the next one.

Small numbers, no pixels. Produced by `see`, consumed by `session` and `cues`; every field says its
shape and unit. A measurement that was not made is None, never a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import dist, hypot

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SAME_PICTURE = 0.05
"""Grey levels between two sketches below which it is the same picture again; the quietest camera
moves by .81 from frame to frame. What a camera of 10 frames/s shows may be sent at 15."""
EYE_LEFT, EYE_RIGHT = 33, 263
"""Outer eye corners in the MediaPipe mesh: the unit of length."""


@dataclass(frozen=True, slots=True)
class Roi:
    """Where the landmark net looks: an upright square after turning the picture by `roll_rad`."""

    x_px: float
    """Centre, from the left."""
    y_px: float
    """Centre, from the top."""
    side_px: float
    """Side of the square; 1.5 times the face's longer side (MediaPipe face_landmark card)."""
    roll_rad: float
    """Angle of the eye line, image left eye to image right eye; clockwise positive."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Borders of a frame that are no picture, in its pixels."""

    left_px: int = 0
    top_px: int = 0
    right_px: int = 0
    bottom_px: int = 0


NO_BARS = Bars()


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """Points followed from a reference frame, which the shell keeps (frame.Frame.reference)."""

    reference_px: Floats
    """float32 (n, 2): where they were chosen, in the reference frame's pixels."""
    now_px: Floats
    """float32 (n, 2): where they were last found; a first guess for the next search."""
    on_face: NDArray[np.bool_]
    """bool (n,): on the face, or in the background ring around it."""
    alive: NDArray[np.bool_]
    """bool (n,): found in this frame; a lost one is searched for again in the next."""
    mesh_px: Floats
    """float32 (468, 2): the face mesh in the reference frame."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What to measure in the next frame. The default asks for nothing but the sketch."""

    detect: bool = False
    """Run the detector, and look for borders. Without it, the face is followed by its landmarks
    from `roi`."""
    roi: Roi | None = None
    """Where the tracked face was. None: only a detection can find a face."""
    embed_above: float | None = None
    """Compute an embedding if the face's `quality` is at least this (0..1). None: no embedding."""
    spoof: bool = False
    """Run the single-frame anti-spoof net on the face, at each of its reaches."""
    detail: bool = False
    """Measure how much fine detail the face shows."""
    edges: bool = False
    """Look for straight edges around the face."""
    glow: bool = False
    """Compare the face's brightness with its surroundings."""
    mouth: bool = False
    """Look whether something covers the mouth."""
    eyes: bool = False
    """Run the iris net on both eyes."""
    tint: bool = False
    """Measure the colour of skin regions and of the background."""
    motion: bool = False
    """Follow points since the reference frame; without `tracks`, make this frame the reference."""
    tracks: Tracks | None = None
    """What `motion` goes on from."""
    bars: Bars | None = None
    """Borders to take off before anything is measured. None: look for them, and take off those that
    this frame has."""


@dataclass(frozen=True, slots=True)
class Margin:
    """What one anti-spoof net said of one crop round the face."""

    net: str
    """Name of the net."""
    asked: float
    """Reach that was asked for: side of the crop in face boxes."""
    reach: float
    """Reach that the crop got: as asked, unless the frame ends."""
    value: float
    """Live logit minus logsumexp of the others, natural log units, not clipped."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How face and background moved between the reference frame and this one.

    Lengths are in eye distances (IOD, outer corners, of the reference frame); nan where too few
    points were left to measure it.
    """

    tracks: Tracks
    """To go on from."""
    moved: float
    """Median displacement of the face's points."""
    similarity: float
    """RMS residual of the face's points after the best turn, scale and shift."""
    homography: float
    """The same after the best plane-to-plane mapping."""
    background_stays: float
    """Share of background points that stayed put while the face moved, 0..1."""
    background_follows: float
    """Share of background points that moved with the face, 0..1."""
    background_moved: float
    """Median displacement that the face's motion would give the background points."""
    eye_change: float
    """Non-rigid grey-level change inside the eye regions, after stabilising the face by the
    homography, as a displacement in pixels of a 96 px face crop."""
    mouth_change: float
    """The same inside the mouth region."""
    rest_change: float
    """The same elsewhere on the face: the noise floor."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """The one face that the session follows, in one frame."""

    box_px: tuple[float, float, float, float]
    """x, y, width, height: the detector's box or, between detections, one derived from the mesh."""
    score: float
    """0..1, the landmark net's belief that this is a face."""
    detection: float | None
    """0..1, the detector's score; None when it did not run or did not see this face."""
    same: bool
    """True if this face continues the one at `ask.roi`; False if it was newly found."""
    shape_px: Floats
    """float32 (118, 2): every fourth point of the MediaPipe face mesh, the outer eye corners first.
    No more of a face is kept than is needed."""
    rigid_px: Floats
    """float32 (28, 3): those of the mesh's points that no expression moves, the outer eye corners
    first; x, y, and z in pixels of the same scale, smaller is nearer."""
    roi: Roi
    """Where to look for this face in the next frame."""
    yaw_deg: float
    """Turn of the head, 0 frontal, positive towards image right."""
    pitch_deg: float
    """Nod of the head, 0 frontal, positive looking up."""
    roll_deg: float
    """Tilt of the eye line, 0 upright, positive clockwise."""
    sharpness: float
    """Variance of the Laplacian of the aligned 112x112 luma (grey levels squared)."""
    luma: float
    """Mean luma of the aligned 112x112 crop's middle, 0..255."""
    clipped: float
    """Fraction of that crop which is crushed (< 8) or burnt (> 247)."""
    chroma: float
    """Mean distance between the greatest and the least colour channel there, 0..255; 0 without any
    colour."""
    inside: float
    """Fraction of the box around the mesh that lies inside the frame, 0..1."""
    agreement: float
    """Mean distance between the detector's five points and the mesh's, over the eye distance;
    nan where the detector did not run. Large when something covers the face."""
    quality: float
    """0..1, how good this frame is for an embedding: `pipeline.quality.grade`."""
    embedding: Floats | None
    """float32 (d,), unit norm; None if not asked for or not good enough."""
    spoof: tuple[Margin, ...] | None
    """Of each net and each reach, the widest first; None if not asked for. What gave nothing usable
    is not there."""
    edges: tuple[float, float, float, float] | None = None
    """Longest straight edge left of, right of, above and below the face, in face heights."""
    glow: float | None = None
    """ln((face luma + 5) / (luma of the surroundings, face included, + 5)); None if not asked."""
    detail: float | None = None
    """ln of the power of fine over coarse detail, at one size of the face; None if not asked, or
    the face is too small for it."""
    eyes: tuple[float, float] | None = None
    """Eye aspect ratios from the iris net (image left eye, image right eye): lid gap over width."""
    tint: Floats | None = None
    """float32 (4, 3): mean BGR of forehead, image left cheek, image right cheek, background ring,
    0..255; nan rows where a region is too small. None if not asked."""
    motion: Motion | None = None
    """None if not asked; a first one has no displacement yet."""
    mouth: float | None = None
    """How much of a mouth is seen where the mesh has it: below 1 something covers it; None if not
    asked or too small."""

    @property
    def eyes_px(self) -> float:
        """Distance of the outer eye corners."""
        return eye_distance(self.rigid_px, 0, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One frame, measured."""

    seq: int
    """As in the frame."""
    arrival_s: float
    """As in the frame."""
    media_s: float
    """As in the frame."""
    width_px: int
    """Width of the frame, borders included."""
    height_px: int
    """Height of the frame, borders included."""
    luma: float
    """Mean luma of the frame, 0..255."""
    sketch: Floats
    """float32 (64,): a fixed random projection of the 64x48 luma thumbnail, scaled so that the
    distance between two sketches estimates the RMS difference of the thumbnails in grey levels
    (Johnson-Lindenstrauss); the picture cannot be had back from it."""
    faces: int | None
    """How many faces the detector saw; None if it did not run."""
    rival: float
    """Widest other face over the followed one, by width; 0 if none or not looked for."""
    face: Face | None
    """The followed face, None if there is none or none was looked for. Its places are in pixels
    from the top left corner of the picture inside the borders."""
    bars: Bars = NO_BARS
    """Borders that were taken off."""
    bars_seen: Bars | None = None
    """Borders that this frame has; None where they were not looked for."""
    looked: bool = True
    """Whether a face was looked for at all. If not, its absence says nothing."""

    @property
    def picture_px(self) -> tuple[int, int]:
        """Width and height inside the borders."""
        bars = self.bars
        return (
            self.width_px - bars.left_px - bars.right_px,
            self.height_px - bars.top_px - bars.bottom_px,
        )


def eye_distance(points_px: Floats, left: int = EYE_LEFT, right: int = EYE_RIGHT) -> float:
    """Between the outer eye corners of float32 (n, 2 or 3), in the unit of the points: of a whole
    mesh, unless their places are given."""
    x, y = (points_px[right, :2] - points_px[left, :2]).tolist()
    return hypot(x, y)


def apart(one: Floats, other: Floats) -> float:
    """Distance between two sketches, grey levels."""
    return dist(one.tolist(), other.tolist())
