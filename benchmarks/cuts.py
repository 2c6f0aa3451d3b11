"""How many cuts of a picture are noticed, and how many living frames are taken for one.

    python -m benchmarks.cuts [--data ../shared/data] [--people 16] [--seconds 8]

Films of people as they are, with fewer frames, and with a lamp, a colour or an exposure that
changes at once; then films that are cut after 1.5 s: to another person's, or to another moment of
their own, whole or the face alone, brought to the same place and size or as they are. All after VP8
(server/tools/evaluation/vp8.py), every frame looked at. The rule: pipeline/cues/continuity.py.
Prints a table; docs/liveness.md has it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.stillness.windows import several
from models.manifest import default_dir
from pipeline.cues.continuity import Break, Continuity
from pipeline.frame import Frame
from pipeline.nets.ort import Nets, NetUnusable
from pipeline.observation import Ask, Observation
from pipeline.policy import POLICIES
from pipeline.see import see
from server.frames.convert import to_bgr, to_frame
from server.tools.clips import MediaError, Timed, read_clip, resize
from server.tools.evaluation import vp8
from server.tools.evaluation.acquire import See
from server.tools.evaluation.statistics import exact

POLICY = POLICIES["standard"]
Image = NDArray[np.uint8]
Box = tuple[float, float, float, float]
CUT = 22
"""Frames before a cut, 1.5 s: continuity has its eight steps then, which it compares with."""
SEEN = 8
"""Frames after it."""
FEATHER = 0.12
"""Of a face's width, of its edge where it alone is replaced."""


@dataclass
class Count:
    """Of frames of living people, or of cuts."""

    n: int = 0
    cut: int = 0
    asked: int = 0
    """Or an embedding is wanted at once."""

    def line(self, what: str) -> str:
        """Of the table."""
        return f"| {what} | {exact(self.cut, self.n)} | {self.asked} of {self.n} |"


def shown(path: Path, seconds: float) -> list[Image]:
    """Pictures of a film at vp8.FPS, uint8 HxWx3 BGR, at most vp8.SIDE. Raises MediaError, and
    OSError."""
    film = read_clip(path, fps=vp8.FPS, max_s=seconds)
    return [to_bgr(resize(picture, vp8.SIDE)) for _, picture in film]


def coded(images: Iterable[Image], keep: Callable[[int], bool] = lambda n: True) -> Iterator[Timed]:
    """As they arrive; of those that are not kept there is nothing."""
    pictures = (
        (n / vp8.FPS, av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24"))
        for n, image in enumerate(images)
        if keep(n)
    )
    return vp8.through(pictures)


def watched(film: Iterable[Timed], look: See) -> Iterator[tuple[float, Break | None, bool]]:
    """Of every frame with a face its time, what breaks before it, and whether an embedding is
    wanted at once."""
    followed, roi, due_s = Continuity(), None, 0.0
    for n, (at_s, picture) in enumerate(film):
        ask = Ask(detect=roi is None or at_s >= due_s, roi=roi)
        due_s = at_s + 1.0 if ask.detect else due_s
        seen = look(to_frame(picture, n, at_s, at_s), ask)
        broken = followed.broken(seen, POLICY)
        if broken is not None:
            followed = Continuity()
            followed.broken(seen, POLICY)
        roi = None if seen.face is None else seen.face.roi
        if seen.face is not None:
            yield at_s, broken, followed.doubts


def living(films: Iterable[Iterable[Timed]], look: See) -> Count:
    """Frames of people that nobody cut."""
    found = Count()
    for film in films:
        for _, broken, doubted in watched(film, look):
            found.n += 1
            found.cut += broken is Break.CUT
            found.asked += doubted
    return found


def cuts(films: Iterable[Iterable[Timed]], look: See) -> Count:
    """Films that are cut after CUT frames: noticed in that frame, by whatever break; else asked
    about."""
    found = Count()
    for film in films:
        for at_s, broken, doubted in watched(film, look):
            if at_s * vp8.FPS > CUT - 0.5:
                found.n += 1
                found.cut += broken is not None
                found.asked += broken is not None or doubted
                break
    return found


def sudden(change: Callable[[Image], Image]) -> Callable[[Sequence[Image]], Iterator[Image]]:
    """A film whose light changes after CUT frames."""

    def lit(images: Sequence[Image]) -> Iterator[Image]:
        for n, image in enumerate(images):
            yield change(image) if n >= CUT else image

    return lit


def _scaled(*gains: float) -> Callable[[Image], Image]:
    return lambda image: np.clip(image * np.array(gains), 0, 255).astype(np.uint8)


def _side(image: Image) -> Image:
    ramp = np.linspace(0.7, 1.8, image.shape[1])[None, :, None]
    return np.clip(image * ramp, 0, 255).astype(np.uint8)


LIGHTS: dict[str, Callable[[Image], Image]] = {
    "lamp on": _scaled(1.5, 1.5, 1.5),
    "lamp off": _scaled(0.6, 0.6, 0.6),
    "sun from a side": _side,
    "colour cast": _scaled(0.8, 1.0, 1.25),
}
RATES: dict[str, Callable[[int], bool]] = {
    "every second frame": lambda n: n % 2 == 0,
    "every third": lambda n: n % 3 == 0,
    "every fifth": lambda n: n % 5 == 0,
    "four missing in a second": lambda n: n % vp8.FPS >= 4,
}


def spliced(before: Sequence[Image], after: Sequence[Image]) -> Iterator[Image]:
    """CUT frames of the one, then SEEN of the other."""
    yield from before[:CUT]
    yield from after[:SEEN]


def placed(images: Sequence[Image], its: Box, there: Box, like: Image) -> list[Image]:
    """Pictures whose face, at the box `its`, is brought to the box `there` of a picture `like`;
    boxes are left, top, width, height, px."""
    height, width = like.shape[:2]
    scale = there[2] / its[2]
    x = there[0] + there[2] / 2 - scale * (its[0] + its[2] / 2)
    y = there[1] + there[3] / 2 - scale * (its[1] + its[3] / 2)
    way = np.array([[scale, 0, x], [0, scale, y]])
    return [
        np.asarray(
            cv2.warpAffine(image, way, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8
        )
        for image in images
    ]


def worn(images: Sequence[Image], there: Box, like: Image) -> list[Image]:
    """The picture `like`, with the faces alone of pictures that have theirs at `there`, feathered
    and at its mean colour."""
    left, top, wide, tall = there
    height, width = like.shape[:2]
    mask = np.zeros((height, width), np.float32)
    centre = (round(left + wide / 2), round(top + tall / 2))
    cv2.ellipse(mask, centre, (round(wide * 0.48), round(tall * 0.5)), 0, 0, 360, 1.0, -1)
    inside = mask > 0
    mask = cv2.GaussianBlur(mask, (0, 0), max(1.0, FEATHER * wide / 2))[..., None]
    found = []
    for image in images:
        shift = like[inside].mean(0) - image[inside].mean(0)
        found.append(np.clip(like * (1 - mask) + (image + shift) * mask, 0, 255).astype(np.uint8))
    return found


@dataclass(frozen=True, slots=True)
class Person:
    """A film, and where the face is when it is cut and in the pictures after that."""

    name: str
    """Of the film, without its number: films of one name show one person."""
    images: list[Image]
    at_cut: Box
    later: Box
    """In the last picture but those that follow a cut."""

    @property
    def tail(self) -> list[Image]:
        """What is cut to."""
        return self.images[-SEEN:]


def person(path: Path, look: See, seconds: float) -> Person | None:
    """None for a film too short, or without a face where it is cut. Raises MediaError, OSError."""
    images = shown(path, seconds)
    if len(images) < CUT + 2 * SEEN:
        return None
    boxes = []
    for n in (CUT - 1, len(images) - SEEN):
        face = look(to_frame(_picture(images[n]), n, 0.0, 0.0), Ask(detect=True)).face
        if face is None:
            return None
        boxes.append(face.box_px)
    return Person(path.stem.rsplit("_", 1)[0], images, boxes[0], boxes[1])


def _picture(image: Image) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(image, format="bgr24")


def _other(one: Person, two: Person, face_alone: bool) -> Iterator[Timed]:
    last = one.images[CUT - 1]
    after = placed(two.tail, two.later, one.at_cut, last)
    return coded(spliced(one.images, worn(after, one.at_cut, last) if face_alone else after))


def table(found: Sequence[Person], look: See) -> Iterator[str]:
    """Its lines."""
    yield living((coded(p.images) for p in found), look).line("people, as they are")
    for name, keep in RATES.items():
        yield living((coded(p.images, keep) for p in found), look).line(f"the same, {name}")
    for name, change in LIGHTS.items():
        lit = sudden(change)
        short = CUT + SEEN
        films = (coded(lit(p.images[:short])) for p in found)
        yield cuts(films, look).line(f"light: {name}")
    pairs = [(one, found[n - step]) for step in (1, 2) for n, one in enumerate(found)]
    pairs = [(one, two) for one, two in pairs if one.name != two.name]
    for alone, what in ((False, "the whole picture"), (True, "the face alone")):
        films = (_other(one, two, alone) for one, two in pairs)
        yield cuts(films, look).line(f"cut to another person, {what}, in the same place")
    films = (_other(p, p, False) for p in found)
    yield cuts(films, look).line("cut within one film, in the same place")
    films = (coded(spliced(p.images, p.tail)) for p in found)
    yield cuts(films, look).line("cut within one film, as it is")


def main(argv: Sequence[str] | None = None) -> int:
    """Play, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--models", type=Path, default=default_dir())
    parser.add_argument("--people", type=int, default=16, help="films")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each film")
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)
    try:
        nets = Nets(args.models)

        def look(frame: Frame, ask: Ask) -> Observation:
            return see(frame, ask, nets)

        paths = several(args.data, args.people)
        found = [one for one in (person(p, look, args.seconds) for p in paths) if one is not None]
    except (NetUnusable, MediaError, OSError) as problem:
        print(f"nothing measured: {problem}", file=sys.stderr)
        return 2
    if len(found) < 3:
        print(f"nothing measured: too few films of people in {args.data}", file=sys.stderr)
        return 2
    seconds = sum(len(one.images) for one in found) / vp8.FPS
    print(f"{len(found)} films of people, {seconds / 60:.1f} minutes\n")
    print("| at 15 frames/s, VP8 at 600 kbit/s | noticed at once | or an embedding at once |")
    print("|---|---|---|")
    for line in table(found, look):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
