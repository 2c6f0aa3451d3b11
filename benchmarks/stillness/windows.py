"""What the row freshness says of windows of people, and of pictures of the same people.

    python -m benchmarks.stillness.windows [--data ../shared/data] [--people 9] [--seconds 6]

Every frame is looked at, after VP8 (server/tools/evaluation/vp8.py). Windows of 3 s begin every
half second. Prints one line a kind; docs/freshness.md has it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from benchmarks.dropouts import people
from benchmarks.stillness.pictures import KINDS, LOOP, Image, made
from models.manifest import default_dir
from pipeline.cues.freshness import Freshness
from pipeline.decision import Evidence, Stand
from pipeline.nets import Run
from pipeline.nets.ort import Nets, NetUnusable
from pipeline.observation import Ask, Observation
from pipeline.policy import POLICIES
from pipeline.see import see
from server.frames.convert import to_bgr, to_frame
from server.tools.clips import MediaError, Timed
from server.tools.evaluation import vp8

POLICY = POLICIES["standard"]
WINDOW_S, EVERY_S = 3.0, 0.5
BEFORE_S = 1.0
"""Of a film, before the picture that is made a film of: by then the encoder has sharpened it."""


def several(data: Path, count: int) -> list[Path]:
    """So many films of people at 15 frames a second, from all over the folder."""
    found = [path for path in people(data) if "nuaa" not in path.name]
    return found[:: max(1, len(found) // max(1, count))][:count]


def images(path: Path) -> list[Image]:
    """The pictures of a film that others are made of, uint8 HxWx3 BGR, as coded. Raises MediaError,
    and OSError, if it cannot be read."""
    shown = (to_bgr(picture) for at_s, picture in vp8.film(path) if at_s >= BEFORE_S)
    return list(islice(shown, LOOP))


def watched(film: Iterable[Timed], run: Run) -> list[Observation]:
    """Every picture, with the face followed and the eyes looked at."""
    seen: list[Observation] = []
    roi = None
    for n, (at_s, picture) in enumerate(film):
        ask = Ask(detect=roi is None or n % vp8.FPS == 0, roi=roi, eyes=True)
        seen.append(see(to_frame(picture, n, at_s, at_s), ask, run))
        face = seen[-1].face
        roi = None if face is None else face.roi
    return seen


def windows(seen: Sequence[Observation]) -> list[Evidence]:
    """Rows of all whole windows with a face in nearly every frame."""
    rows = []
    length, every = round(WINDOW_S * vp8.FPS), round(EVERY_S * vp8.FPS)
    for first in range(0, len(seen) - length + 1, every):
        part = seen[first : first + length]
        if sum(obs.face is not None for obs in part) < length - 2:
            continue
        freshness = Freshness()
        for obs in part:
            freshness.add(obs)
        rows.append(freshness.row(POLICY))
    return rows


def line(kind: str, rows: Sequence[Evidence], of: int) -> str:
    """A line of the table."""
    living = sum(row.stand is Stand.FOR for row in rows)
    cells = [kind, str(of), str(len(rows)), str(living)]
    for name, digits in (("step", 2), ("wobble", 4), ("drift", 2)):
        values = [row.numbers[name] for row in rows if name in row.numbers]
        low, high = (min(values), max(values)) if values else (np.nan, np.nan)
        cells.append(f"{low:.{digits}f} to {high:.{digits}f}" if values else "-")
    return f"| {' | '.join(cells)} |"


def main(argv: Sequence[str] | None = None) -> int:
    """Play, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--models", type=Path, default=default_dir())
    parser.add_argument("--people", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each film")
    args = parser.parse_args(argv)
    found = several(args.data, args.people)
    if not found:
        print(f"nothing measured: no films of people in {args.data}", file=sys.stderr)
        return 2
    try:
        nets = Nets(args.models)
    except NetUnusable as problem:
        print(f"nothing measured: {problem}", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    rows: dict[str, list[Evidence]] = {kind: [] for kind in ("people", *KINDS)}
    films = dict.fromkeys(rows, 0)
    for seed, path in enumerate(found):
        try:
            own, shown = vp8.film(path), images(path)
            alone = (timed for timed in own if timed[0] < args.seconds)
            rows["people"] += windows(watched(alone, nets))
        except (MediaError, OSError):
            print(f"left out: {path.name}", file=sys.stderr)
            continue
        films["people"] += 1
        if not shown:
            continue
        for kind in KINDS:
            film = vp8.through(made(kind, shown, args.seconds, seed))
            rows[kind] += windows(watched(film, nets))
            films[kind] += 1
    print(
        "| what | films | windows | living | step | wobble | drift |\n|---|---|---|---|---|---|---|"
    )
    for kind, found_rows in rows.items():
        print(line(kind, found_rows, films[kind]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
