"""`lookgate synth`: a photo in, a film of a synthetic session out.

Here: files and their errors. Not here: what the scenes show (pipeline/synth), encoding (film.py).
"""

from __future__ import annotations

import itertools
from pathlib import Path

from pipeline.nets.ort import Nets
from pipeline.refusal import Refusal
from pipeline.synth.portrait import Portrait, portrait
from pipeline.synth.scenes import KINDS, Scene, frames
from server.frames.convert import to_bgr
from server.tools import clips, film


class SynthError(Refusal):
    """Nothing was filmed. `code` is stable, `text` is for people."""


def make(
    scene: Scene, *, photo: Path | None, other: Path | None, out: Path, models_dir: Path
) -> int:
    """Film a scene and say how many pictures it has.

    Photos are still pictures, or films whose first picture counts. Raises SynthError
    (synth_photo_missing, synth_other_missing), MediaError, PhotoUnusable, NetUnusable.
    """
    kind = KINDS[scene.kind]
    if kind.person and photo is None:
        raise SynthError("synth_photo_missing", f"{scene.kind} needs --photo")
    if kind.other and other is None:
        raise SynthError("synth_other_missing", f"{scene.kind} needs --other, a second photo")
    people: list[Portrait | None] = [None, None]
    if kind.person:
        nets = Nets(models_dir, ("detect", "mesh"))
        needed = (photo, other if kind.other else None)
        people = [None if path is None else _portrait(path, nets) for path in needed]
    return film.write(out, frames(scene, *people), scene.camera.fps)


def _portrait(path: Path, nets: Nets) -> Portrait:
    picture = next(itertools.islice((vf for _, vf in clips.read_clip(path)), 1))
    return portrait(to_bgr(picture), nets)
