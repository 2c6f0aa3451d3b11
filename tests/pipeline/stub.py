"""A Run without nets: answers that a test chooses, of the shapes that are promised."""

from __future__ import annotations

import numpy as np

from pipeline.nets import Floats, Spec, detect, embed, hand, iris, mesh, palm, spoof, votes

SPECS: dict[str, Spec] = {
    s.name: s
    for s in (
        detect.SPEC,
        mesh.SPEC,
        iris.SPEC,
        embed.SPEC,
        spoof.SPEC,
        palm.SPEC,
        hand.SPEC,
        *votes.SPECS.values(),
    )
}


class Stub:
    """Counts its calls; `answers` replaces the outputs of a net, else they are all zero."""

    def __init__(self, **answers: tuple[Floats, ...]) -> None:
        self.answers = answers
        self.calls: list[str] = []
        self.feeds: dict[str, Floats] = {}

    def __call__(self, net: str, feed: Floats) -> tuple[Floats, ...]:
        assert feed.shape == SPECS[net].feed
        assert feed.dtype == np.float32
        self.calls.append(net)
        self.feeds[net] = feed
        if net in self.answers:
            return self.answers[net]
        return tuple(np.zeros(shape, np.float32) for shape in SPECS[net].outputs)


def noise(seed: int, scale: float) -> Stub:
    """Every net answers with noise."""
    rng = np.random.default_rng(seed)
    return Stub(
        **{
            name: tuple((rng.normal(size=s) * scale).astype(np.float32) for s in spec.outputs)
            for name, spec in SPECS.items()
        }
    )


def a_mesh(logit: float = 8.0) -> tuple[Floats, Floats]:
    """The mesh net's answer for a frontal face that fills its square as they do: 192 / 1.5."""
    points = np.zeros((1, mesh.POINTS, 3), np.float32)
    # everything inside the oval first, then the points that measurements are made on
    angle = np.linspace(0, 2 * np.pi, mesh.POINTS, endpoint=False)
    points[0, :, 0] = 96 + 48 * np.cos(angle)
    points[0, :, 1] = 96 + 64 * np.sin(angle)
    for left, right, x, y, z in mesh.RIGID:
        for index, side in ((left, -1), (right, 1)):
            points[0, index] = 96 + 60 * x * side, 100 + 60 * y, 60 * z
    for index, x, y in ((159, 78, 76), (145, 78, 80), (386, 114, 76), (374, 114, 80)):
        points[0, index, :2] = x, y
    for index, x, y in ((1, 96, 106), (4, 96, 102), (61, 78, 130), (291, 114, 130)):
        points[0, index, :2] = x, y
    return points, np.array([[logit]], np.float32)


def a_face(x_px: float, y_px: float, width_px: float, scale: float = 1.0) -> list[Floats]:
    """The detector's answer with one face: centre and width in frame pixels, 1.3 times as tall."""
    out = [np.zeros(shape, np.float32) for shape in detect.SPEC.outputs]
    put(out, x_px, y_px, width_px, scale, 0.9)
    return out


def put(
    out: list[Floats], x_px: float, y_px: float, width_px: float, scale: float, score: float
) -> None:
    """Add one face to the detector's answer, on the stride-16 grid."""
    stride, side = 16, detect.SIZE_PX // 16
    x, y, w = x_px * scale / stride, y_px * scale / stride, width_px * scale / stride
    column, row = int(x), int(y)
    cell = row * side + column
    out[1][0, cell] = out[4][0, cell] = score
    out[7][0, cell] = x - column, y - row, np.log(w), np.log(1.3 * w)
    five = np.array([[-0.2, -0.15], [0.2, -0.15], [0, 0.05], [-0.15, 0.3], [0.15, 0.3]])
    out[10][0, cell] = (five * w + np.array([x - column, y - row])).reshape(-1)
