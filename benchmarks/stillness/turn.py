"""Who is asked to turn the head in place of a refusal, and what becomes of it, in whole sessions.

    python -m benchmarks.stillness.turn [--data ../shared/data] [--people 9] [--films] [--only KIND]

Pictures of people of the folder (pictures.py) for 17 s each, where nobody obeys; two people who are
rendered from photographs and hardly move, once obeying and once not; pictures that are panned, and
tilted wherever and whenever the page says, which is the best that paper can do. `--films`: every
film of a person in place of these. Anybody's face matches. Prints a table; docs/freshness.md has
it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.dropouts import people
from benchmarks.stillness.pictures import KINDS, Image, made, turned
from benchmarks.stillness.windows import images, several
from models.clips import ClipMissing, clip
from models.manifest import default_dir
from pipeline.events import Decided, Hinted
from pipeline.frame import Frame, Reference
from pipeline.inputs import Introduced, Seen
from pipeline.nets import Floats, Run
from pipeline.nets.ort import Nets, NetUnusable
from pipeline.observation import Ask, Observation
from pipeline.policy import POLICIES
from pipeline.reasons import Hint, Phase, Purpose
from pipeline.see import see
from pipeline.session import SessionPipeline
from pipeline.synth.camera import Camera
from pipeline.synth.motion import Act
from pipeline.synth.portrait import Portrait, portrait
from pipeline.synth.scenes import Scene, frames
from pipeline.template import Gallery, Template
from server.frames.convert import to_frame
from server.tools.clips import MediaError, Timed, read_clip, resize
from server.tools.evaluation import vp8
from server.tools.evaluation.acquire import See
from server.tools.evaluation.play import deciding

POLICY = deciding(POLICIES["standard"])
MODEL, DIMENSIONS = "x", 128
SECONDS = 17.0
"""Of a film: three windows, and the turn that is asked for after them."""
WAYS = {
    Hint.TURN_LEFT: (1.0, 0.0),
    Hint.TURN_RIGHT: (-1.0, 0.0),
    Hint.LOOK_UP: (0.0, 1.0),
    Hint.LOOK_DOWN: (0.0, -1.0),
}
"""Across and along, of a turn that was asked for."""
REACT_S, MOVE_S = 0.5, 0.3
"""From the page's word to a turn, and how long that takes."""
TURN_DEG = (26.0, 21.0)
"""How far somebody turns who obeys, across and along."""
TILT_DEG = 50.0
"""The same of paper: the mesh reads a turn of a third of it."""
CALM = 0.2
"""How much the rendered people move of what `live_still` does."""
VOTE = 2.3
"""Margin of the anti-spoof net for what is rendered, of which it knows nothing."""


@dataclass
class Page:
    """What the person reads, and how far they have followed it."""

    obeys: bool
    hint: Hint | None = None
    since_s: float = 0.0
    now_s: float = 0.0
    asked: list[Hint] = field(default_factory=list)
    """Turns that were asked for."""

    def heard(self, hint: Hint | None, at_s: float) -> None:
        """The page says something else."""
        self.hint, self.since_s = hint, at_s
        if hint in WAYS:
            self.asked.append(hint)

    def follows(self) -> tuple[float, float]:
        """Across and along, -1..1."""
        across, along = WAYS.get(self.hint, (0.0, 0.0)) if self.hint else (0.0, 0.0)
        share = min(1.0, max(0.0, (self.now_s - self.since_s - REACT_S) / MOVE_S))
        return (across * share, along * share) if self.obeys else (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one film."""

    asked: bool
    phase: Phase | None
    """None: the film was over first."""
    at_s: float


def session(film: Iterable[Timed], look: See, page: Page, seed: int) -> Ended:
    """One login over a film that may follow the page. Raises MediaError, and OSError."""
    anybody = Template(MODEL, np.eye(DIMENSIONS, dtype=np.float32)[:1], 1.0)
    own = SessionPipeline(
        purpose=Purpose.LOGIN,
        policy=POLICY,
        gallery=Gallery.of([("anybody", anybody)]),
        model_id=MODEL,
        started_s=0.0,
        seed=seed.to_bytes(32, "big"),
    )
    own.receive(Introduced(still=True, claim=None))
    reference, decided, at_s = Reference(), None, 0.0
    for seq, (at_s, picture) in enumerate(film):
        page.now_s = at_s + 1 / vp8.FPS  # the next picture is made of it
        ask: Ask = own.ask()
        frame = to_frame(picture, seq, at_s, at_s)
        seen = look(reference.attach(frame), ask)
        reference.keep(frame, ask)
        for event in own.receive(Seen(seen)):
            if isinstance(event, Hinted):
                page.heard(event.hint, at_s)
            decided = event if isinstance(event, Decided) else decided
        if own.over:
            break
    return Ended(bool(page.asked), decided.phase if decided else None, at_s)


class Voted:
    """The nets, but the anti-spoof margin is VOTE."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self, net: str, feed: Floats) -> tuple[Floats, ...]:
        if net != "spoof":
            return self._run(net, feed)
        logits = np.full((1, 3), -20.0, np.float32)
        logits[0, :2] = VOTE, 0.0
        return (logits,)


def calm(person: Portrait, page: Page, seed: int) -> Iterator[Timed]:
    """Somebody who hardly moves and keeps the eyes open, and turns where the page says."""

    def manner(act: Act) -> Act:
        across, along = page.follows()
        pose = replace(
            act.pose,
            x_px=CALM * act.pose.x_px,
            y_px=CALM * act.pose.y_px,
            yaw_deg=CALM * act.pose.yaw_deg + across * TURN_DEG[0],
            pitch_deg=CALM * act.pose.pitch_deg + along * TURN_DEG[1],
            roll_deg=CALM * act.pose.roll_deg,
        )
        return replace(act, pose=pose, lids=0.0, mouth=0.0)

    camera = Camera(width_px=640, height_px=480)
    scene = Scene("live_still", SECONDS, seed, camera=camera, face=0.4, yaw_deg=4.0, manner=manner)
    for at_s, image in frames(scene, person):
        yield at_s, av.VideoFrame.from_ndarray(image, format="bgr24")


def paper(image: Image, middle: tuple[float, float], page: Page) -> Iterator[Timed]:
    """A picture that is panned, and tilted where the page says."""
    for n in range(round(SECONDS * vp8.FPS)):
        across, along = page.follows()
        panned = np.float64([[1, 0, 12 * np.sin(n / vp8.FPS)], [0, 1, 0]])
        height, width = image.shape[:2]
        shown = cv2.warpAffine(image, panned, (width, height), borderMode=cv2.BORDER_REFLECT)
        tilted = turned(np.asarray(shown, np.uint8), across * TILT_DEG, along * TILT_DEG, middle)
        yield n / vp8.FPS, av.VideoFrame.from_ndarray(tilted, format="bgr24")


def line(what: str, ended: Sequence[Ended]) -> str:
    """A line of the table."""
    accepted = [one.at_s for one in ended if one.phase is Phase.ACCEPTED]
    refused = sum(one.phase is Phase.REJECTED for one in ended)
    cells = [len(ended), sum(one.asked for one in ended), len(accepted), refused]
    latest = f"{max(accepted):.1f} s" if accepted else "-"
    return f"| {what} | {' | '.join(map(str, cells))} | {latest} |"


def _films(found: Sequence[Path], look: See) -> None:
    ended = []
    for seed, path in enumerate(found):
        film = vp8.through(read_clip(path, fps=vp8.FPS, max_s=SECONDS))
        ended.append(session(film, look, Page(obeys=False), seed))
    print(line("films of people", ended), flush=True)


def _pictures(kinds: Sequence[str], shown: Sequence[list[Image]], look: See) -> None:
    for kind in kinds:
        ended = []
        for seed, own in enumerate(shown):
            film = vp8.through(made(kind, own, SECONDS, seed))
            ended.append(session(film, look, Page(obeys=False), seed))
        print(line(kind, ended), flush=True)


def _rendered(nets: Run) -> None:
    """People who do not blink: they are asked, whatever else."""
    portraits = [
        portrait(np.asarray(cv2.imread(str(clip(name))), np.uint8), nets)
        for name in ("one", "many")
    ]
    votes = Voted(nets)
    for obeys in (True, False):
        ended = []
        for person in portraits:
            for seed in (1, 2):
                page = Page(obeys)
                film = vp8.through(calm(person, page, seed))
                ended.append(session(film, lambda frame, ask: see(frame, ask, votes), page, seed))
        print(line(f"rendered people who {'obey' if obeys else 'do not'}", ended), flush=True)


def _tilted(shown: Sequence[list[Image]], look: See, nets: Run) -> None:
    ended, votes = [], Voted(nets)
    for seed, own in enumerate(shown):
        still = to_frame(_small(own[0]), 0, 0.0, 0.0)
        face = look(still, Ask(detect=True)).face
        if face is None:
            continue
        x, y, width, height = face.box_px
        page = Page(obeys=True)
        film = vp8.through(paper(still.image, (x + width / 2, y + height / 2), page))
        ended.append(session(film, lambda frame, ask: see(frame, ask, votes), page, seed))
    print(line("panned, and tilted as the page says, a chosen vote", ended), flush=True)


def _small(image: Image) -> av.VideoFrame:
    return resize(av.VideoFrame.from_ndarray(image, format="bgr24"), vp8.SIDE)


PARTS: tuple[str, ...] = (*KINDS, "rendered", "tilted")


def main(argv: Sequence[str] | None = None) -> int:
    """Play, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--models", type=Path, default=default_dir())
    parser.add_argument("--people", type=int, default=9)
    parser.add_argument("--films", action="store_true", help="films of people alone")
    parser.add_argument("--only", choices=PARTS, action="append", help="these lines of the table")
    args = parser.parse_args(argv)
    wanted: Sequence[str] = args.only or PARTS
    found = people(args.data) if args.films else several(args.data, args.people)
    if not found:
        print(f"nothing measured: no films of people in {args.data}", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    try:
        nets = Nets(args.models)

        def eye(frame: Frame, ask: Ask) -> Observation:
            return see(frame, ask, nets)

        shown = [] if args.films else [own for own in map(images, found) if own]
        print("| what | n | asked | accepted | refused | latest |\n|---|---|---|---|---|---|")
        if args.films:
            _films(found, eye)
            return 0
        _pictures([kind for kind in KINDS if kind in wanted], shown, eye)
        if "rendered" in wanted:
            _rendered(nets)
        if "tilted" in wanted:
            _tilted(shown, eye, nets)
    except (NetUnusable, ClipMissing, MediaError, OSError) as problem:
        print(f"nothing measured: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
