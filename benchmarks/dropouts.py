"""How many sessions end where a worn face swap shows its wearer for some pictures.

    python -m benchmarks.dropouts [--data ../shared/data] [--pictures 1,2,4,8,15] [--live]

Takes films that are pairs, `live/X` (a person) and `attack/deepfake_live/X` (the same moments with
another's face painted over), plays the second as `lookgate evaluate liveness` does, and shows the
first instead for so many pictures, from the moment at which a window is `AFTER_S` old: as a tool
does that loses the face for a moment. It is no tool's own fault that is played, and its first
picture is the greatest step that there can be. `--live` plays every film under live/ unchanged, by
a session that decides nothing before the film is over: nobody there may be refused for it.
The rule: pipeline/session/breaks.py. Tables: docs/liveness.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2

from models.manifest import default_dir
from pipeline.decision import Stand
from pipeline.frame import Reference
from pipeline.nets.ort import Nets, NetUnusable
from pipeline.policy import POLICIES, Policy
from pipeline.reasons import Phase
from pipeline.see import see
from pipeline.session.breaks import CUE
from server.frames.convert import to_frame
from server.tools.clips import Timed, read_clip
from server.tools.evaluation import vp8
from server.tools.evaluation.acquire import See
from server.tools.evaluation.folder import FILMS
from server.tools.evaluation.play import Player, deciding, watching
from server.tools.evaluation.statistics import exact

STANDARD = POLICIES["standard"]
DECIDING = deciding(STANDARD)
PATIENT = replace(
    watching(STANDARD),
    another_face_most=STANDARD.another_face_most,
    cut_most=STANDARD.cut_most,
)
"""Decides nothing, but counts."""
AFTER_S = 0.5
"""Of a window, before the wearer shows: some embeddings are in, and no verdict can be."""
DIMENSIONS = 128
"""Of SFace's embeddings (docs/models.md)."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one film."""

    counted: str
    """The kind of break that ended its session; empty if none did."""
    breaks: dict[str, float]
    """What was counted, by kind."""
    phase: Phase | None
    """None: the film was over first."""
    shown: int
    """Pictures of the wearer that it had."""


def pairs(data: Path) -> list[tuple[Path, Path]]:
    """Films of a swap and of its wearer."""
    swaps = sorted((data / "attack" / "deepfake_live").glob("*"))
    found = [(swap, data / "live" / swap.name) for swap in swaps if swap.suffix in FILMS]
    return [(swap, wearer) for swap, wearer in found if wearer.is_file()]


def people(data: Path) -> list[Path]:
    """Films of people."""
    return [path for path in sorted((data / "live").rglob("*")) if path.suffix in FILMS]


class Splice:
    """The pictures of one film, and those of another instead once it is told so."""

    def __init__(self, swap: Iterable[Timed], wearer: Iterable[Timed], pictures: int) -> None:
        """`pictures`: of the other film, one after the other."""
        self._both = zip(swap, wearer, strict=False)
        self._left = pictures
        self.shown = 0
        self.begun = False

    def __iter__(self) -> Iterator[Timed]:
        for swap, wearer in self._both:
            if self.begun and self._left:
                self._left, self.shown = self._left - 1, self.shown + 1
                yield wearer
            else:
                yield swap


def play(splice: Splice, look: See, policy: Policy) -> Ended:
    """One session. Raises MediaError, and OSError, where a film cannot be read."""
    player, reference = Player(policy, DIMENSIONS), Reference()
    for seq, (at_s, picture) in enumerate(vp8.through(splice)):
        frame, ask = to_frame(picture, seq, at_s, at_s), player.session.ask()
        player.take(look(reference.attach(frame), ask))
        reference.keep(frame, ask)
        if player.session.over:
            break
        if player.window_s is not None and at_s - player.window_s >= AFTER_S:
            splice.begun = True
    ended = player.outcome()
    row = next((row for row in ended.rows if row.cue == CUE), None)
    against = row is not None and row.stand is Stand.AGAINST
    return Ended(
        row.reason if row is not None and against else "",
        dict(row.numbers) if row is not None else {},
        ended.phase,
        splice.shown,
    )


def _film(path: Path) -> Iterator[Timed]:
    return read_clip(path, fps=vp8.FPS, max_s=vp8.MOST_S)


def swaps(found: Sequence[tuple[Path, Path]], counts: Sequence[int], look: See) -> None:
    """The table of drop-outs."""
    print("| pictures of the wearer | sessions that end for it | by | other refusals | accepted |")
    print("|---|---|---|---|---|")
    for pictures in counts:
        ended = []
        for swap, wearer in found:
            splice = Splice(_film(swap), _film(wearer), pictures)
            ended.append(play(splice, look, DECIDING))
        # A film without a window of that age had no drop-out, and says nothing of one.
        ended = [one for one in ended if one.shown or not pictures]
        hit = [one for one in ended if one.counted]
        kinds = ", ".join(f"{k} {n}" for k, n in sorted(Counter(o.counted for o in hit).items()))
        accepted = sum(one.phase is Phase.ACCEPTED for one in ended)
        others = sum(one.phase is Phase.REJECTED and not one.counted for one in ended)
        rate = exact(len(hit), len(ended))
        print(f"| {pictures} | {rate} | {kinds or '-'} | {others} | {accepted} |", flush=True)


def live(found: Sequence[Path], look: See) -> None:
    """Whom the count would refuse, and what was counted at all."""
    refused = []
    for path in found:
        ended = play(Splice(_film(path), _film(path), 0), look, PATIENT)
        if ended.counted:
            refused.append(path.name)
        if ended.breaks:
            print(f"- {path.name}: {ended.breaks}", flush=True)
    print(f"\npeople refused for it: {exact(len(refused), len(found))} {refused}")


def main(argv: Sequence[str] | None = None) -> int:
    """Play, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--models", type=Path, default=default_dir())
    parser.add_argument("--pictures", default="0,1,2,4,8,15", help="of the wearer, numbers by ,")
    parser.add_argument("--live", action="store_true", help="films of people, and no swaps")
    parser.add_argument("--first", type=int, help="so many films, for a quick look")
    args = parser.parse_args(argv)
    films = list(islice(people(args.data), args.first))
    both = list(islice(pairs(args.data), args.first))
    if not (films if args.live else both):
        print(f"nothing measured: no pairs of films in {args.data}", file=sys.stderr)
        return 2
    try:
        nets = Nets(args.models)
    except NetUnusable as problem:
        print(f"nothing measured: {problem}", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    if args.live:
        live(films, lambda frame, ask: see(frame, ask, nets))
    else:
        counts = [int(count) for count in args.pictures.split(",")]
        swaps(both, counts, lambda frame, ask: see(frame, ask, nets))
    return 0


if __name__ == "__main__":
    sys.exit(main())
