"""Whether a film that is shown again is known by its path: `python -m benchmarks.replayed DATA`.

Each live film of DATA/manifest.csv is coded as a browser codes it, 6 s of it, and coded again in
the ways of WAYS. Beside them, none of which may be taken for the film: other recordings of one
person, other parts of one recording (one person, camera, room and light) and other people. Parts
are as long as the sessions that are compared, so the shorter these are, the more pairs there are.
The sketch alone is measured, so no weights are needed. At the end made films of few slow motions,
and what it costs a server to open and compare what it keeps of a subject. Not here: the comparison
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
from server.keys.vault import Vault
from server.session.replays import MOST
from server.tools.clips import Timed, read_clip, resize
from server.tools.evaluation import vp8

PIECE_S = 6.0
PARTS = 10
"""Pieces of one film, at most."""
LENGTHS_S = (6.0, 3.0, 2.0, 1.5, 1.0)
"""How much a session sees: a path at most, and what a quick login takes."""
APART_S = 1.5
"""Between the beginnings of parts of one piece, at least."""
PERSONS = dict.fromkeys(("obama2", "obama3", "dfl_Kim_Jarrey_0"), "obama")
"""Identities of the manifest that are one person. The last one was found by comparing the faces of
all live films (cosine 0.77; no other pair is above 0.42)."""
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


def path(seen: Sequence[Observation], length_s: float, begin_s: float = 0.0) -> Path:
    """Of so many seconds of it."""
    found = Path()
    for obs in seen:
        if begin_s <= obs.arrival_s < begin_s + length_s:
            found.add(obs)
    return found


@dataclass
class Clip:
    name: str
    identity: str
    live: bool
    pieces: list[list[Observation]]
    shown: dict[str, list[Observation]] = field(default_factory=dict)

    @property
    def person(self) -> str:
        return PERSONS.get(self.identity, self.identity)


def look(data: FilePath) -> list[Clip]:
    """Every film, and each live one once in each way. Films of attacks show other recordings of
    some people."""
    with (data / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["dur"] and row["kind"] != "palm"]
    clips = []
    for row in rows:
        count = int(min(PARTS, max(1, float(row["dur"]) // PIECE_S)))
        reader = read_clip(data / row["path"], fps=30, max_s=PIECE_S * count)
        film = [(at_s, resize(picture, vp8.SIDE)) for at_s, picture in reader]
        pieces = [
            [(at_s - n * PIECE_S, p) for at_s, p in film if n <= at_s / PIECE_S < n + 1]
            for n in range(count)
        ]
        seen = [observed(thin(piece), 600, 640) for piece in pieces]
        clip = Clip(row["path"], row["identity"], row["kind"] == "live", seen)
        for way, (change, kbps, side) in WAYS.items() if clip.live else ():
            clip.shown[way] = observed(change(pieces[0]), kbps, side)
        clips.append(clip)
        print(f"  {clip.name}", flush=True)
    return clips


def likeness(one: Path, other: Path) -> float | None:
    """None: cannot be compared."""
    kept = other.kept()
    return None if kept is None else one.likeness([kept])


def kind_of(one: Clip, other: Clip) -> str | None:
    """What a pair of their parts shows; None: the same, or nothing that is asked."""
    if one is other:
        return "other parts of one recording" if one.live else None
    if one.person != other.person:
        return "other people"
    # Both halves of a film of a face swap show the same moments under one identity, and the swapped
    # one another face.
    swapped = any("deepfake_live" in clip.name for clip in (one, other))
    if swapped or frozenset({one.name, other.name}) in SAME_FOOTAGE:
        return None
    if one.live and other.live:
        return "other recordings of one person, both live"
    return "other recordings of one person, of attacks too"


def pairs(clips: Sequence[Clip], length_s: float) -> None:
    """All that must not be taken for one film."""
    begins = np.arange(0.0, PIECE_S - length_s + 1e-6, max(length_s, APART_S))
    parts = [
        (clip, n == 0 and begin_s == 0.0, path(piece, length_s, float(begin_s)))
        for clip in clips
        for n, piece in enumerate(clip.pieces)
        for begin_s in begins
    ]
    found: dict[str, list[float | None]] = {}
    recordings: dict[str, set[frozenset[str]]] = {}
    for (a, a_first, one), (b, b_first, other) in itertools.combinations(parts, 2):
        kind = kind_of(a, b)
        if kind is None or (kind == "other people" and not (a_first and b_first)):
            continue
        found.setdefault(kind, []).append(likeness(one, other))
        recordings.setdefault(kind, set()).add(frozenset({a.name, b.name}))
    for kind, values in sorted(found.items()):
        _told(f"{kind} ({len(recordings[kind])})", values)


def _told(name: str, found: Iterable[float | None]) -> None:
    every = list(found)
    known = sorted(value for value in every if value is not None)
    if not known:
        print(f"| {name} | 0 of {len(every)} | 0 | | | |")
        return
    hits = sum(value >= REPLAYED for value in known)
    middle = known[len(known) // 2]
    least, most = known[0], known[-1]
    print(
        f"| {name} | {hits} of {len(every)} | {len(known)} | {least:.2f} | {middle:.2f} |"
        f" {most:.2f} |"
    )


def made(axes: int, length_s: float) -> int:
    """Of 800 pairs of made films how many are taken for one: each is that many slow motions of its
    own, sines of 1.5 to 9 rad/s, along the same directions of the sketch."""
    rng = np.random.default_rng(0)
    directions = rng.normal(0, 4, (axes, 64))
    at_s = np.arange(0, length_s, 1 / vp8.FPS)
    taken = 0
    for _ in range(800):
        two = []
        for _ in range(2):
            rates, phases = rng.uniform(1.5, 9, axes), rng.uniform(0, 6, axes)
            sketches = 100 + np.sin(np.outer(at_s, rates) + phases) @ directions
            two.append(Path())
            for moment_s, sketch in zip(at_s, sketches, strict=True):
                two[-1].add(Observation(**{**STILL, "arrival_s": moment_s, "sketch": sketch}))
        value = likeness(*two)
        taken += value is not None and value >= REPLAYED
    return taken


STILL = {
    **dict.fromkeys(("seq", "arrival_s", "media_s", "luma", "rival"), 0),
    **{"width_px": 640, "height_px": 480, "faces": None, "face": None, "looked": False},
}


def cost(shown: Path, kept: Sequence[bytes]) -> None:
    """Of opening and comparing what is kept of one subject at most."""
    vault = Vault([bytes(32)])
    sealed = [vault.seal(kept[n % len(kept)], owner=("owner",)) for n in range(2 * MOST)]
    begun_s = time.process_time()
    for _ in range(100):
        shown.likeness([vault.open(one, owner=("owner",)) for one in sealed])
    print(f"\n{(time.process_time() - begun_s) * 10:.2f} ms of CPU against {len(sealed)} paths")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=FilePath, help="folder with manifest.csv")
    clips = look(arguments.parse_args().data)
    live = [clip for clip in clips if clip.live]
    for length_s in LENGTHS_S:
        print(f"\n| {length_s} s of each | replayed | compared | least | median | most |")
        print("|---|---|---|---|---|---|")
        first = {clip.name: path(clip.pieces[0], length_s) for clip in live}
        for way in WAYS:
            again = ((path(clip.shown[way], length_s), first[clip.name]) for clip in live)
            _told(way, [likeness(one, other) for one, other in again])
        pairs(clips, length_s)
        few = ", ".join(f"{made(axes, length_s)} of {axes} motions" for axes in (2, 4, 8, 16))
        print(f"\nOf 800 pairs of made films taken for one: {few}")
    whole = [path(piece, PIECE_S).kept() for clip in live for piece in clip.pieces]
    cost(path(live[0].shown["again"], PIECE_S), [kept for kept in whole if kept is not None])


if __name__ == "__main__":
    main()
