"""Whether a film that is shown again is known by its path: `python -m benchmarks.replayed DATA`.

Each live film of DATA/manifest.csv is coded as a browser codes it, 6 s of it, and coded again in
the ways of WAYS. Beside them: other recordings of one person, other parts of one recording (one
person, camera and room) and other people, none of which may be taken for the film. The sketch
alone is measured, so no weights are needed. Not here: the comparison
(pipeline/session/fingerprint.py), what the numbers mean (docs/replayed.md).
"""

from __future__ import annotations

import argparse
import csv
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath

import av
import numpy as np

from pipeline.frame import Frame
from pipeline.nets import Run
from pipeline.observation import NO_BARS, Ask, Observation
from pipeline.see import see
from pipeline.session.fingerprint import REPLAYED, Path
from server.frames.convert import to_bgr
from server.tools.clips import Timed, read_clip, resize
from server.tools.evaluation import vp8

PIECE_S = 6.0
PARTS = 10
"""Pieces of one film, at most."""
LENGTHS_S = (6.0, 2.5)
"""How much of each piece a session sees: a path at most, and a quick login."""
SAME_FOOTAGE = (
    frozenset({"live/pyfeat_face_noface.mov", "live/pyfeat_noface_face.mov"}),
    frozenset({"live/pyfeat_face_noface.mov", "live/pyfeat_single_face.mp4"}),
    frozenset({"live/pyfeat_noface_face.mov", "live/pyfeat_single_face.mp4"}),
    frozenset({"live/dfl_David_Kovalniy_2.mp4", "live/dflsrc_twitch1.mp4"}),
)
"""Two files of the manifest that show one recording: found by this benchmark, then looked at."""

Film = list[Timed]


def thin(film: Film, begin_s: float = 0.0) -> Film:
    """At most 15 pictures a second, the first at `begin_s`."""
    shown: Film = []
    due_s = begin_s
    for at_s, picture in film:
        if at_s >= due_s - 1e-6:
            shown.append((at_s, picture))
            due_s = max(due_s + 1 / vp8.FPS, at_s + 0.5 / vp8.FPS)
    return shown


def _changed(film: Film, change: Callable[[np.ndarray], np.ndarray]) -> Film:
    return [
        (
            at_s,
            av.VideoFrame.from_ndarray(
                np.ascontiguousarray(change(picture.to_ndarray(format="bgr24"))), format="bgr24"
            ),
        )
        for at_s, picture in film
    ]


def _middle(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    return image[height // 20 : height - height // 20, width // 20 : width - width // 20]


WAYS: dict[str, tuple[Callable[[Film], Film], int, int]] = {
    "again": (lambda film: thin(film, 0.034), 600, 640),
    "at 200 kbit/s": (thin, 200, 640),
    "trimmed by 1 s": (lambda film: [(t - 1, p) for t, p in thin(film) if t >= 1], 600, 640),
    "scaled to 400 px": (thin, 600, 400),
    "mirrored": (lambda film: _changed(thin(film), lambda image: image[:, ::-1]), 600, 640),
    "20 % faster": (lambda film: thin([(t / 1.2, p) for t, p in film]), 600, 640),
    "cut to the middle 90 %": (lambda film: _changed(thin(film), _middle), 600, 640),
}
"""What is shown, at how many kbit/s, and how long its longer side is."""


def _no_net(*_: object) -> object:
    raise AssertionError("a sketch needs no net")


def observed(film: Film, kbps: int, side: int) -> list[Observation]:
    """What a server sees of it: sketches."""
    run: Run = _no_net  # type: ignore[assignment]
    coder: vp8.Coder | None = None
    seen = []
    for at_s, picture in film:
        small = resize(picture, side)
        coder = coder or vp8.Coder(small.width, small.height, kbps)
        for coded in coder.code(small):
            frame = Frame(to_bgr(coded, vp8.SIDE), len(seen), at_s, at_s)
            seen.append(see(frame, Ask(bars=NO_BARS), run))
    return seen


def path(seen: Sequence[Observation], length_s: float) -> Path:
    """Of the first seconds of it."""
    found = Path()
    for obs in seen:
        if obs.arrival_s < length_s:
            found.add(obs)
    return found


@dataclass
class Clip:
    name: str
    person: str
    pieces: list[list[Observation]]
    shown: dict[str, list[Observation]] = field(default_factory=dict)


def look(data: FilePath) -> list[Clip]:
    """Every live film, once in each way."""
    with (data / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "live" and row["dur"]]
    clips = []
    for row in rows:
        count = int(min(PARTS, max(1, float(row["dur"]) // PIECE_S)))
        reader = read_clip(data / row["path"], fps=30, max_s=PIECE_S * count)
        film = [(at_s, resize(picture, vp8.SIDE)) for at_s, picture in reader]
        pieces = [
            [(at_s - n * PIECE_S, p) for at_s, p in film if n <= at_s / PIECE_S < n + 1]
            for n in range(count)
        ]
        clip = Clip(row["path"], row["identity"], [observed(thin(p), 600, 640) for p in pieces])
        for way, (change, kbps, side) in WAYS.items():
            clip.shown[way] = observed(change(pieces[0]), kbps, side)
        clips.append(clip)
        print(f"  {clip.name}", flush=True)
    return clips


def likeness(one: Path, other: Path) -> float | None:
    """None: cannot be compared."""
    kept = other.kept()
    return None if kept is None else one.likeness([kept])


def _told(name: str, found: Iterable[float | None]) -> None:
    every = list(found)
    known = sorted(value for value in every if value is not None)
    if not known:
        print(f"| {name} | 0 of {len(every)} | | | |")
        return
    hits = sum(value >= REPLAYED for value in known)
    middle = known[len(known) // 2]
    least, most = known[0], known[-1]
    print(f"| {name} | {hits} of {len(every)} | {least:.2f} | {middle:.2f} | {most:.2f} |")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=FilePath, help="folder with manifest.csv")
    clips = look(arguments.parse_args().data)
    for length_s in LENGTHS_S:
        print(f"\n| {length_s} s of each | replayed | least | median | most |")
        print("|---|---|---|---|---|")
        first = {clip.name: path(clip.pieces[0], length_s) for clip in clips}
        for way in WAYS:
            again = ((path(c.shown[way], length_s), first[c.name]) for c in clips)
            _told(way, [likeness(one, other) for one, other in again])
        whole = [(c, path(piece, length_s)) for c in clips for piece in c.pieces]
        pairs: dict[str, list[float | None]] = {}
        for (a, one), (b, other) in itertools.combinations(whole, 2):
            if frozenset({a.name, b.name}) in SAME_FOOTAGE:
                kind = "two files of one recording"
            elif a.person != b.person:
                kind = "other people"
            else:
                kind = "other parts of one recording" if a is b else "other recordings of a person"
            pairs.setdefault(kind, []).append(likeness(one, other))
        for kind, found in pairs.items():
            _told(kind, found)
    kept = [k for _, one in whole if (k := one.kept()) is not None][:50]
    mine = path(clips[0].shown["again"], PIECE_S)
    mine.likeness(kept)
    begun_s = time.process_time()
    for _ in range(100):
        mine.likeness(kept)
    print(f"\n{(time.process_time() - begun_s) * 10:.2f} ms of CPU against {len(kept)} paths")


if __name__ == "__main__":
    main()
