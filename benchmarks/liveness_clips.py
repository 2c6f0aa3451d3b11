"""Labelled clips as a session would see them: through VP8, looked at once.

Here: the manifest, the memory of what `see` answered, which holds embeddings and lies in a cache
folder outside the repository, for its owner alone. Not here: pacing and VP8
(server/tools/evaluation/), sessions and errors (liveness.py).
"""

from __future__ import annotations

import csv
import hashlib
import pickle
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.nets import Run
from pipeline.observation import Ask, Observation
from pipeline.see import see
from server.frames.convert import to_bgr
from server.tools.evaluation import cache, closeup
from server.tools.evaluation.folder import AS_IT_IS, CUT, FILMS, STILLS, Item, digest

Image = NDArray[np.uint8]


class NoClips(Exception):
    """The folder has no clips; the text says which folder and what it should have."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One row of the manifest."""

    path: Path
    name: str
    """Path inside the data folder."""
    group: str
    """webcam, studio, nuaa (live); print, replay, replay_cut, deepfake, talking (attacks)."""
    source: str
    """Whom it came from: what is left out together."""
    person: str
    """Who is in it, by the manifest."""
    begin_s: float = 0.0
    """Second of the film that it is shown from."""
    framing: str = AS_IT_IS
    """How it is shown (server/tools/evaluation/closeup.py)."""

    @property
    def live(self) -> bool:
        """True for a person, False for an attack."""
        return self.group in ("webcam", "studio", "nuaa")

    @property
    def item(self) -> Item:
        """The same, as the evaluation has it."""
        return Item(self.path, self.name, self.group, False, self.begin_s, self.framing)


ATTACK = r"attack:(print|replay|deepfake|talking)"
"""Kinds of the manifest by how they begin, and so the groups of their films."""


def _group(name: str, kind: str, note: str) -> str:
    """Webcams, laptops and phones without a filter are what people log in with; television, studio
    and beauty-filtered clips are reported apart, as is NUAA (2 to 5 frames/s)."""
    attack = re.match(ATTACK, kind)
    if attack:
        return attack[1]
    if "nuaa" in name:
        return "nuaa"
    own = re.search(r"webcam|phone cam|phone selfie|re-filmed", note)
    return "webcam" if own and "filter" not in note else "studio"


def clips(data: Path, begin: Sequence[float] = (), framing: str = AS_IT_IS) -> list[Clip]:
    """Every film of the manifest that is live or an attack, shown in this framing, and replays
    begun at these seconds as well. Raises NoClips."""
    manifest = data / "manifest.csv"
    if not manifest.is_file():
        raise NoClips(
            f"{manifest} is missing. The clips belong to others and are not part of this project: "
            "give a folder with live/, attack/ and a manifest.csv (path, kind, identity, source, "
            "note) by --data."
        )
    found = []
    with manifest.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            name, kind = row["path"], row["kind"]
            path = data / name
            wanted = kind == "live" or re.match(ATTACK, kind)
            if path.suffix not in FILMS or not wanted or not path.is_file():
                continue
            group = _group(name, kind, row["note"])
            source = row["source"].split("@")[0]
            clip = Clip(path, name, group, source, row["identity"], framing=framing)
            found.append(clip)
            if group == "replay":
                found += [_begun(clip, begin_s) for begin_s in begin]
    if not found:
        raise NoClips(f"{manifest} names no film that is there.")
    return sorted(found, key=lambda clip: clip.name)


def _begun(clip: Clip, begin_s: float) -> Clip:
    return replace(clip, name=f"{clip.name}@{begin_s:g}s", group=CUT, begin_s=begin_s)


def stills(data: Path, kind: str) -> list[Item]:
    """Pictures of attacks of which there is no film."""
    found = sorted((data / "attack" / kind).glob("*"))
    return [Item(path, path.name, kind, True) for path in found if path.suffix in STILLS]


class Seen:
    """A clip, and what `see` answered about its frames: the same question is asked once."""

    def __init__(self, clip: Clip, run: Run, folder: Path, version: str) -> None:
        """`version`: of everything that answers depend on; other versions' are not used. Raises
        MediaError, and OSError, if the clip cannot be read."""
        self.clip, self._run = clip, run
        key = clip.item.key(digest(clip.path))
        self._file = cache.opened(folder, version) / f"{key}.pickle"
        self._images: list[Image] = []
        self._known: dict[bytes, Observation] = {}
        self._grown = False
        if self._file.is_file():
            # Our own file, in our own cache: nobody else writes there.
            self.times_s, self._known = pickle.loads(self._file.read_bytes())
        else:
            self.times_s = self._played()

    def _played(self) -> list[float]:
        clip = self.clip
        shown = closeup.film(clip.path, self._see, begin_s=clip.begin_s, framing=clip.framing)
        played = [(at_s, to_bgr(picture)) for at_s, picture in shown]
        self._images = [image for _, image in played]
        return [at_s for at_s, _ in played]

    def _see(self, frame: Frame, ask: Ask) -> Observation:
        return see(frame, ask, self._run)

    def observe(self, seq: int, ask: Ask, reference: int | None) -> Observation:
        """Frame `seq` under `ask`; `reference` is the frame that `motion` goes back to."""
        key = _key(seq, ask, reference)
        if key not in self._known:
            self._known[key] = self._see(self.frame(seq, reference), ask)
            self._grown = True
        return self._known[key]

    def frame(self, seq: int, reference: int | None) -> Frame:
        """A decoded frame; the film is played as a whole at the first call."""
        if not self._images:
            self._played()
        then = None if reference is None else self._images[reference]
        at_s = self.times_s[seq]
        return Frame(self._images[seq], seq, at_s, at_s, then)

    def save(self) -> None:
        """Keep the answers."""
        if self._grown:
            part = self._file.with_suffix(".part")
            part.write_bytes(pickle.dumps((self.times_s, self._known)))
            part.replace(self._file)
        self._images, self._grown = [], False


def _key(seq: int, ask: Ask, reference: int | None) -> bytes:
    said = hashlib.blake2b(repr((seq, reference)).encode(), digest_size=16)
    for field in fields(ask):
        if field.name != "tracks":
            said.update(repr((field.name, getattr(ask, field.name))).encode())
    if ask.tracks is not None:
        for part in fields(ask.tracks):
            said.update(getattr(ask.tracks, part.name).tobytes())
    return said.digest()


def version(models: Path) -> str:
    """Names the code and the nets that observations come from."""
    nets = [f"{net.name} {net.stat().st_size}" for net in sorted(models.glob("*.onnx"))]
    return cache.version("benchmark", *nets)
