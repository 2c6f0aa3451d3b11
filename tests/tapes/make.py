"""Make the committed tapes anew: `python -m tests.tapes.make`, after a change of what sessions say.

Synthetic observations only (tests/pipeline/observations.py), and a drawn face for the one video:
no person is on them. EXPECTED says how each must end, whatever the code says today; a run refuses
to write a tape that ends otherwise.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipeline.inputs import Began, Cancelled, Seen
from pipeline.policy import POLICIES
from pipeline.reasons import Purpose
from pipeline.tape.reader import open_tape
from pipeline.tape.replay import replay
from pipeline.tape.writer import TapedSession, TapeWriter
from tests.pipeline.observations import MESH, Camera, Floats, gallery

HERE = Path(__file__).parent
BEGAN_S = 100.0
FPS = 12.0
MOST = 400
"""Frames of a tape at most: the longest is the one that runs into the time limit."""

EXPECTED: dict[str, tuple[str, tuple[str, ...]]] = {
    "accepted": ("accepted", ()),
    "no_match": ("rejected", ("no_match",)),
    "spoof": ("rejected", ("liveness",)),
    "lost_face": ("accepted", ()),
    "second_face": ("accepted", ()),
    "timeout": ("expired", ("timeout",)),
    "cancel": ("expired", ("cancelled",)),
    "drawn_face": ("expired", ("cancelled",)),
}
"""Situation: outcome and reasons. In lost_face and second_face the evidence is thrown away once,
which costs time; drawn_face is the one with a video."""

PERIOD = 6
"""Frames after which the face's shape repeats: a tape holds so many meshes, not hundreds."""
FILMED = "drawn_face"
"""The one with a video."""


class Coarse(Camera):
    """A camera whose meshes are few and round, for small files."""

    def _mesh(self, step: int) -> Floats:
        mesh = MESH.copy()
        life = self.wobble * 80.0 if self.motion else 0.0
        turn = 2 * np.pi * (step % PERIOD) / PERIOD
        mesh[:, 0] += np.float32(life * np.sin(turn)) * self._bend[0]
        mesh[:, 1] += np.float32(life * np.cos(turn)) * self._bend[1]
        mesh[:, 2] = 0.0
        return np.round(mesh * 4) / np.float32(4)


Act = Callable[[Camera, int], None]
"""What happens before the n-th frame."""


def _nothing(camera: Camera, n: int) -> None:
    pass


def _lost(camera: Camera, n: int) -> None:
    camera.person = None if 8 <= n < 16 else 1


def _second(camera: Camera, n: int) -> None:
    camera.rival = 0.8 if 6 <= n < 20 else 0.0


def make(folder: Path, name: str, *, fresh: bool = False) -> Path:
    """One tape as `folder/name`. Raises AssertionError if it does not end as it should."""
    camera = Coarse(fps=FPS, now_s=BEGAN_S)
    act, cancel_at = _nothing, None
    if name == "no_match":
        camera.person = 2
    elif name == "spoof":
        camera.margin = -9.0
    elif name == "lost_face":
        act = _lost
    elif name == "second_face":
        act = _second
    elif name == "timeout":
        camera.person, camera.fps = None, 4.0
    elif name in ("cancel", "drawn_face"):
        cancel_at = 10
    told = {
        "purpose": Purpose.LOGIN,
        "policy": POLICIES["standard"],
        "gallery": gallery(1),
        "model_id": "test",
        "started_s": BEGAN_S,
    }
    tape = TapeWriter(folder / name, session=told, about={"subject": "person-1"}, at_s=BEGAN_S)
    session = TapedSession(tape, lambda: camera.now_s, **told)
    video = drawn() if name == FILMED else None
    tape.message("out", {"type": "welcome", "recorded": True}, BEGAN_S)
    session.receive(Began())
    for n in range(MOST):
        if session.over:
            break
        act(camera, n)
        ask = session.ask()
        if video is not None:
            ticks, data = next(video)
            tape.frame("VP8", ticks, data, key=n == 0, at_s=camera.now_s)
        shot = camera.shot(ask)
        if n == cancel_at:
            tape.message("in", {"type": "cancel"}, camera.now_s)
            session.receive(Cancelled(camera.now_s))
        else:
            session.receive(Seen(shot))
    tape.close(camera.now_s)
    decided = replay(open_tape(folder / name)).decided
    ended = None if decided is None else (decided.phase.value, tuple(map(str, decided.reasons)))
    assert ended == EXPECTED[name], f"{name} ends with {ended}"
    return folder / name


def drawn():
    """A drawn face that nods a little, as VP8: (ticks, encoded frame)."""
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 96, 72, "yuv420p"
    encoder.time_base = Fraction(1, 90000)
    encoder.options = {"deadline": "good", "lag-in-frames": "0", "crf": "40", "b:v": "60k"}
    y, x = np.mgrid[0:72, 0:96].astype(np.float32)
    n = 0
    while True:
        down = 3.0 * np.sin(0.5 * n)
        picture = np.full((72, 96, 3), 90.0, np.float32)
        face = ((x - 48) / 20) ** 2 + ((y - 36 - down) / 27) ** 2 < 1
        picture[face] = (150, 180, 220)
        for eye in (40, 56):
            picture[(x - eye) ** 2 + (y - 30 - down) ** 2 < 9] = (40, 40, 40)
        picture[(abs(x - 48) < 9) & (abs(y - 50 - down) < 1.5)] = (60, 60, 140)
        frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), "bgr24").reformat(
            format="yuv420p"
        )
        ticks = n * 90000 // int(FPS)
        frame.pts, frame.time_base = ticks, encoder.time_base
        for packet in encoder.encode(frame):
            yield ticks, bytes(packet)
        n += 1


def pack(folder: Path, target: Path) -> None:
    """A tape's folder as one zip file, the same bytes every time."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as box:
        for path in sorted(folder.iterdir()):
            box.writestr(zipfile.ZipInfo(path.name), path.read_bytes(), zipfile.ZIP_DEFLATED, 9)


def main() -> None:
    """Write all of them beside this file."""
    with tempfile.TemporaryDirectory() as made:
        for name in EXPECTED:
            folder = make(Path(made), name)
            pack(folder, HERE / f"{name}.zip")
            print(name)


if __name__ == "__main__":
    main()
