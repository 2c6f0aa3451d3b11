"""How often the light challenge is answered, by real faces under a made light, after VP8.

    nice python -m benchmarks.light [--n 12] [--kbps 1000] [--only honest] [--models DIR]
    nice python -m benchmarks.light --chromium 5 [--cheats 3] [--only NAME]
    nice python -m benchmarks.light --made 3000

Recordings of models/clips.py are lit, picture by picture, with the colours of a drawn sequence:
albedo x (room + screen), in linear light, on the face as its mesh lies. Then they go through the
encoder that browsers use and through see(). Time is virtual, so a busy machine changes nothing. The
screen's light is made: this says what the cue finds, not what a room gives. With --chromium: so
many whole logins of each kind in a real browser, in real time (light_browser.py). With --made: so
many answers to another sequence, of numbers alone, where a chance in a thousand is to be counted.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.manifest import default_dir
from pipeline.challenge import Draws, Light, draw_light
from pipeline.cues.light import LightAnswer
from pipeline.decision import Evidence, Stand
from pipeline.frame import Frame
from pipeline.nets.mesh import landmarks
from pipeline.nets.ort import Nets
from pipeline.observation import Ask
from pipeline.policy import Policy
from pipeline.see import see
from pipeline.sight.patch import OVAL
from server.tools.evaluation.statistics import interval
from tests.e2e.cameras import person
from tests.pipeline.lights import Room, drawn

FPS = 15
Image = NDArray[np.uint8]
CLIPS = ("cap12", "cap13", "franck")
"""Two people, three recordings; long enough for several parts of each."""
PARTS_S = (0.5, 6.0, 12.0, 18.0)
SECONDS = 4.6
POLICY = Policy()
BEHIND = 0.1
"""Of the face's light on what is three times as far away (inverse square)."""
DELAY_S = 0.12
_TO_LIGHT = ((np.arange(256) / 255) ** 2.2).astype(np.float32)


@dataclass(frozen=True)
class Scene:
    """One way to answer."""

    name: str
    strength: float = 0.05
    """Screen light on the face over the room's, per channel at full level."""
    late_s: float = 0.0
    replay: bool = False
    frozen: bool = False
    """The stream stands still from its sixth picture on."""
    still: bool = False
    """One picture that reflects: a print held before the screen."""
    added: float = 0.0
    """The colour, added to the whole picture's levels, as a share of 255."""
    scaled: float = 0.0
    """The colour, multiplied into the whole picture."""
    kbps: int | None = None


SCENES = (
    *(Scene(f"honest {100 * s:g} %", strength=s) for s in (0.01, 0.02, 0.03, 0.05, 0.08, 0.15)),
    Scene("honest 5 %, 300 kbit/s", kbps=300),
    Scene("no reflection", strength=0.0),
    *(Scene(f"late by {s:g} s", late_s=s, strength=0.08) for s in (0.3, 0.5, 1.0, 2.0)),
    Scene("another sequence", replay=True, strength=0.08),
    Scene("frozen", frozen=True),
    Scene("a print, 5 %", still=True),
    Scene("whole picture, added", strength=0.0, added=0.06),
    Scene("whole picture, scaled", strength=0.0, scaled=0.15),
)


@dataclass(frozen=True)
class Take:
    """A part of a recording, with where the face is in it."""

    images: list[Image]
    masks: list[Image]
    """255 on the face."""

    @classmethod
    def of(cls, name: str, start_s: float, nets: Nets) -> Take | None:
        """None where no face is found throughout."""
        images = [np.ascontiguousarray(i) for i in person(name, start_s=start_s, seconds=SECONDS)]
        masks, roi = [], None
        for seq, image in enumerate(images):
            face = see(
                Frame(image, seq, seq / FPS, 0.0), Ask(detect=roi is None, roi=roi), nets
            ).face
            if face is None:
                return None
            roi = face.roi
            mask = np.zeros(image.shape[:2], np.uint8)
            seen = landmarks(image, face.roi, nets)
            if seen is None:
                return None
            hull = cv2.convexHull(np.rint(seen.points_px[list(OVAL), :2]).astype(np.int32))
            cv2.fillConvexPoly(mask, hull, (255,))
            masks.append(np.asarray(cv2.GaussianBlur(mask, (0, 0), 5), np.uint8))
        return cls(images, masks) if len(images) >= SECONDS * FPS - 2 else None


def lit(take: Take, light: Light, scene: Scene, other: Light) -> Iterator[Image]:
    """The recording, answering."""
    shows = other if scene.replay else light
    starts = [ms / 1000 for ms in shows.starts_ms]
    times = np.arange(len(take.images)) / FPS - DELAY_S - scene.late_s
    screens = shows.shown(starts, times, 1 / 30)
    for k in range(len(take.images)):
        now = min(k, 5) if scene.frozen else k
        seen = 5 if scene.still else now
        image, mask = take.images[seen], take.masks[seen]
        bgr = screens[now, ::-1]
        share = BEHIND + (1 - BEHIND) * mask[..., None] / np.float32(255)
        more = 1 + scene.strength * share * bgr + scene.scaled * bgr
        light_in = cv2.LUT(image, _TO_LIGHT) * more.astype(np.float32)
        out = np.clip(255 * cv2.pow(light_in, 1 / 2.2) + 0.5, 0, 255).astype(np.uint8)
        if scene.added:
            level = 255 * bgr ** (1 / 2.2)
            out = np.clip(out + scene.added * level, 0, 255).astype(np.uint8)
        yield out


def sent(images: Iterator[Image], kbps: int) -> Iterator[Image]:
    """Through VP8 as a browser's sender has it: real time, one key frame."""
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 640, 480, "yuv420p"
    encoder.time_base, encoder.bit_rate = Fraction(1, FPS), kbps * 1000
    encoder.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0", "g": "3000"}
    decoder = av.CodecContext.create("libvpx", "r")
    for k, image in enumerate(images):
        picture = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")
        picture.pts = k
        for packet in encoder.encode(picture):
            for back in decoder.decode(packet):
                yield back.to_ndarray(format="bgr24")


def judged(take: Take, scene: Scene, seed: int, nets: Nets, kbps: int) -> Evidence:
    """The row of one challenge."""
    light, other = (draw_light(Draws(b"light %d %d" % (k, seed)), 1) for k in (0, 1))
    answer, rng, roi = LightAnswer(light, 0.0), np.random.default_rng(seed), None
    for k, ms in enumerate(light.starts_ms):
        at_s = ms / 1000 + float(rng.uniform(0, 0.016))
        answer.painted(k, 1000 * at_s, at_s + 0.01)
    at_s = 0.0
    for seq, image in enumerate(sent(lit(take, light, scene, other), scene.kbps or kbps)):
        at_s = max(at_s, seq / FPS + abs(float(rng.normal(0, 0.01))))
        obs = see(Frame(image, seq, at_s, at_s), Ask(detect=roi is None, roi=roi, tint=True), nets)
        roi = None if obs.face is None else obs.face.roi
        answer.add(obs)
    return answer.row(POLICY, SECONDS + 1.0)


def by_chance(n: int) -> None:
    """Prints how many clean answers of made rooms fit a sequence that they were not asked."""
    rng = np.random.default_rng(11)
    rows = []
    for seed in rng.integers(0, 10**6, n).tolist():
        room = Room(seed=seed, strength=rng.uniform(0.03, 0.15), answers=drawn(seed + 10**7))
        rows.append(room.answer(drawn(seed)))
    passed = sum(row.stand is Stand.FOR for row in rows)
    low, high = interval(passed, n)
    print(f"another sequence: {passed} of {n} passed, 95 %: {low:.2%} to {high:.2%}")
    print(f"most deviations: {max(row.numbers.get('z', 0.0) for row in rows):.1f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--n", type=int, default=12)
    parser.add_argument("--kbps", type=int, default=1000)
    parser.add_argument("--only", default="", help="scenes whose name contains this")
    parser.add_argument("--models", type=Path, default=default_dir())
    parser.add_argument("--chromium", type=int, default=0, help="logins of each honest kind")
    parser.add_argument("--cheats", type=int, default=3, help="logins of each cheat")
    parser.add_argument("--made", type=int, default=0, help="answers of made rooms")
    given = parser.parse_args()
    if given.made:
        return by_chance(given.made)
    if given.chromium:
        from benchmarks import light_browser

        asyncio.run(light_browser.run(given.chromium, given.cheats, given.only))
        return
    nets = Nets(given.models)
    found = [Take.of(name, start, nets) for start in PARTS_S for name in CLIPS]
    takes = [take for take in found if take is not None]
    print(f"{len(takes)} parts of {len(CLIPS)} recordings, VP8 at {given.kbps} kbit/s, {FPS} fps")
    print("\n| scene | n | for | against | unknown | reasons | r, 10th to 90th | z | spread |")
    print("|---|---|---|---|---|---|---|---|---|")
    for scene in (scene for scene in SCENES if given.only in scene.name):
        rows = [judged(takes[k % len(takes)], scene, k, nets, given.kbps) for k in range(given.n)]
        stands = Counter(row.stand.value for row in rows)
        why = ", ".join(f"{reason} {n}" for reason, n in Counter(r.reason for r in rows).items())
        numbers = [
            "{:.2f} to {:.2f}".format(
                *np.nanquantile([r.numbers.get(name, np.nan) for r in rows], (0.1, 0.9))
            )
            for name in ("r", "z", "spread")
        ]
        print(
            f"| {scene.name} | {len(rows)} | {stands['for']} | {stands['against']} "
            f"| {stands['unknown']} | {why} | {' | '.join(numbers)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
