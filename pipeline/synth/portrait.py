"""One photo of a face and its shape: what every scene is rendered from.

Here: the cut-out, the mesh, the depth between its points. Not here: movement (motion.py), drawing
(surface.py). Source: MediaPipe face mesh, whose depth is relative; Delaunay triangulation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from pipeline.nets import Run, mesh
from pipeline.nets.detect import detect
from pipeline.refusal import Refusal
from pipeline.synth import Floats, Image, floats

LEFT, RIGHT, ABOVE, BELOW = 1.0, 1.0, 1.3, 1.15
"""What is cut out round the face's middle, in face widths: shoulders begin, hair ends."""
SMALLEST_PX = 60
"""Narrowest face in a photo that is of any use: below it there is nothing to magnify."""
LEVEL = (33, 263, 61, 291)
"""Eye and mouth corners: their median depth is the face's zero."""
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152),
    *(148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The mesh's outline, clockwise from the forehead (MediaPipe's FACEMESH_FACE_OVAL)."""
EDGE = 3
"""Pixels of the depth map's grid: the mesh's points are no denser."""


class PhotoUnusable(Refusal):
    """No scene can be made of this photo. `code` is stable, `text` is for people."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A face cut out of its photo, at some size."""

    photo: Image
    """uint8 HxWx3 BGR: the face with what is round it."""
    mesh_px: Floats
    """float32 (468, 3): pixels of the photo; z smaller is nearer, 0 at eye and mouth corners."""
    depth_px: Floats
    """float32 HxW: z of every pixel, continued beyond the mesh by its nearest value."""
    head: Floats
    """float32 HxW, 0..1: how much a pixel belongs to the head (face, hair, ears)."""

    @property
    def width_px(self) -> float:
        """Width of the face's mesh."""
        return float(np.ptp(self.mesh_px[:, 0]))

    @property
    def middle_px(self) -> tuple[float, float]:
        """Middle of the mesh's extent."""
        low, high = self.mesh_px[:, :2].min(0), self.mesh_px[:, :2].max(0)
        x, y = ((low + high) / 2).tolist()
        return x, y

    def scaled(self, width_px: float) -> Portrait:
        """The same with a face this wide."""
        k = width_px / self.width_px
        height, width = self.photo.shape[:2]
        size = (max(8, round(width * k)), max(8, round(height * k)))
        photo = cv2.resize(
            self.photo, size, interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_CUBIC
        )
        points = self.mesh_px * np.float32(k)
        return _shaped(np.asarray(photo, np.uint8), points)

    def mirrored(self) -> Portrait:
        """The same, left and right exchanged: another picture, no other person."""
        points = self.mesh_px.copy()
        points[:, 0] = self.photo.shape[1] - 1 - points[:, 0]
        return replace(
            self,
            photo=np.ascontiguousarray(self.photo[:, ::-1]),
            # Mirrored points keep their numbers: number 33 is then at image right. Nothing that
            # draws on the face minds, and depth and outline are mirrored with them.
            mesh_px=points,
            depth_px=np.ascontiguousarray(self.depth_px[:, ::-1]),
            head=np.ascontiguousarray(self.head[:, ::-1]),
        )


def portrait(photo: Image, run: Run) -> Portrait:
    """The widest face of a photo, uint8 HxWx3 BGR.

    `run` needs the nets detect and mesh. Raises PhotoUnusable (photo_no_face, photo_small_face).
    """
    found = detect(photo, run)
    if not found:
        raise PhotoUnusable("photo_no_face", "No face was found in the photo.")
    best = found[0]
    roi = mesh.roi_from_detection(best.box_px, best.points_px)
    seen = mesh.landmarks(photo, roi, run)
    if seen is not None:  # once more from its own square: the mesh is steadier there
        seen = mesh.landmarks(photo, mesh.roi_from_mesh(seen.points_px), run)
    if seen is None or seen.score < mesh.MIN_SCORE:
        raise PhotoUnusable("photo_no_face", "What looks like a face in the photo is none.")
    return of_mesh(photo, seen.points_px)


def of_mesh(photo: Image, points_px: Floats) -> Portrait:
    """The same where the mesh is known: float32 (468, 3), pixels of the photo."""
    width = float(np.ptp(points_px[:, 0]))
    if not width >= SMALLEST_PX:
        raise PhotoUnusable("photo_small_face", f"The face is narrower than {SMALLEST_PX} pixels.")
    x, y = ((points_px[:, :2].min(0) + points_px[:, :2].max(0)) / 2).tolist()
    left, top = round(x - LEFT * width), round(y - ABOVE * width)
    right, bottom = round(x + RIGHT * width), round(y + BELOW * width)
    grow = max(0, -left, -top, right - photo.shape[1], bottom - photo.shape[0])
    if grow:
        photo = np.asarray(
            cv2.copyMakeBorder(photo, grow, grow, grow, grow, cv2.BORDER_REPLICATE), np.uint8
        )
    cut = np.ascontiguousarray(photo[top + grow : bottom + grow, left + grow : right + grow])
    points = points_px.astype(np.float32) - np.array([left, top, 0], np.float32)
    points[:, 2] -= np.median(points[list(LEVEL), 2])
    return _shaped(cut, points)


def _shaped(photo: Image, points: Floats) -> Portrait:
    height, width = photo.shape[:2]
    return Portrait(photo, points, _depth(points, width, height), _head(points, width, height))


def _head(points: Floats, width: int, height: int) -> Floats:
    """The mesh's outline, grown by ears and hair, with a soft edge."""
    face = float(np.ptp(points[:, 0]))
    outline = points[list(OVAL), :2]
    middle = (outline.min(0) + outline.max(0)) / 2
    away = outline - middle
    up = np.clip(-away[:, 1] / face, 0, 1)
    grown = away * np.stack([1.13 + 0.16 * up, np.where(away[:, 1] < 0, 1.42, 1.02)], 1) + middle
    mask = np.zeros((height, width), np.float32)
    cv2.fillPoly(mask, [np.round(grown * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return floats(cv2.GaussianBlur(mask, (0, 0), max(0.6, 0.025 * face)))


def _depth(points: Floats, width: int, height: int) -> Floats:
    """The mesh's z between its points, linear over Delaunay's triangles; nearest beyond them."""
    columns, rows = width // EDGE + 1, height // EDGE + 1
    planes, triangles = _planes(points / np.float32(EDGE), columns, rows)
    number = np.full((rows, columns), -1, np.int32)
    for k, corners in enumerate(triangles):
        cv2.fillConvexPoly(number, np.round(corners * 16).astype(np.int32), k, cv2.LINE_8, 4)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    a, b, c = planes[number].transpose(2, 0, 1)
    outside = number < 0
    depth = a * x + b * y + c
    # Nearest value for every pixel without one
    _, labels = cv2.distanceTransformWithLabels(
        outside.astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(labels.max()) + 1, np.float32)
    nearest[labels[~outside]] = depth[~outside]
    smooth = cv2.GaussianBlur(EDGE * nearest[labels], (0, 0), max(0.8, 0.012 * columns))
    grid = np.array([[EDGE, 0, 0], [0, EDGE, 0]], np.float32)
    return floats(
        cv2.warpAffine(
            smooth, grid, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    )


def _planes(points: Floats, width: int, height: int) -> tuple[Floats, list[Floats]]:
    """Of each triangle: float32 (n, 3) a, b, c of z = a x + b y + c, and its corners (3, 2)."""
    plan = cv2.Subdiv2D((0, 0, width, height))
    depth: dict[tuple[float, float], float] = {}
    for x, y, z in points.tolist():
        if 0 <= x < width and 0 <= y < height:
            depth[x, y] = z
            plan.insert((x, y))
    planes, triangles = [], []
    for corners in floats(plan.getTriangleList()).reshape(-1, 3, 2):
        z = [depth.get((x, y)) for x, y in corners.tolist()]
        side = corners[1:] - corners[0]
        if None in z or abs(float(side[0, 0] * side[1, 1] - side[0, 1] * side[1, 0])) < 1e-3:
            continue  # one of the plan's own outer corners, or no triangle at all
        planes.append(np.linalg.solve(np.column_stack([corners, np.ones(3)]), np.array(z, float)))
        triangles.append(corners)
    return np.array(planes, np.float32), triangles
