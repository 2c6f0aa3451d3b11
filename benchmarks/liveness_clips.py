"""Labelled clips as a session would see them: resampled, through VP8, looked at once.

Here: the manifest, the transcoding, the memory of what `see` answered. Not here: sessions and
errors (liveness.py). Everything that is kept lies in a cache folder outside the repository.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.nets import Run
from pipeline.observation import Ask, Observation
from pipeline.see import see

FPS, SLOW_FPS = 15.0, 9.0
"""Clips are resampled to the first; those below the second keep their own frames and times."""
MOST_PX, MOST_S = 640, 15.0
KBPS = 600
FILMS = {".mp4", ".webm", ".avi", ".mov", ".mkv"}
STILLS = {".jpg", ".jpeg", ".png"}
ROOT = Path(__file__).resolve().parents[1]
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
    """webcam, studio, nuaa (live); print, replay, deepfake (attacks)."""
    source: str
    """Whom it came from: what is left out together."""
    person: str
    """Who is in it, by the manifest."""
    fps: float

    @property
    def live(self) -> bool:
        """True for a person, False for an attack."""
        return self.group in ("webcam", "studio", "nuaa")


def _group(name: str, kind: str, note: str) -> str:
    """Webcams, laptops and phones without a filter are what people log in with; television, studio
    and beauty-filtered clips are reported apart, as is NUAA (2 to 5 frames/s)."""
    attack = re.match(r"attack:(print|replay|deepfake)", kind)
    if attack:
        return attack[1]
    if "nuaa" in name:
        return "nuaa"
    own = re.search(r"webcam|phone cam|phone selfie|re-filmed", note)
    return "webcam" if own and "filter" not in note else "studio"


def clips(data: Path) -> list[Clip]:
    """Every film of the manifest that is live or an attack. Raises NoClips."""
    manifest = data / "manifest.csv"
    if not manifest.is_file():
        raise NoClips(
            f"{manifest} is missing. The clips belong to others and are not part of this project: "
            "give a folder with live/, attack/ and a manifest.csv (path, kind, identity, fps, "
            "source, note) by --data."
        )
    found = []
    with manifest.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            name, kind = row["path"], row["kind"]
            path = data / name
            wanted = kind == "live" or re.match(r"attack:(print|replay|deepfake)", kind)
            if path.suffix not in FILMS or not wanted or not path.is_file():
                continue
            group = _group(name, kind, row["note"])
            source = row["source"].split("@")[0]
            found.append(Clip(path, name, group, source, row["identity"], float(row["fps"])))
    if not found:
        raise NoClips(f"{manifest} names no film that is there.")
    return sorted(found, key=lambda clip: clip.name)


def stills(data: Path, *kinds: str) -> list[Path]:
    """Pictures of attacks of which there is no film."""
    return sorted(p for k in kinds for p in (data / "attack" / k).glob("*") if p.suffix in STILLS)


# Frames


def _decoded(path: Path) -> Iterator[tuple[float, Image]]:
    with av.open(str(path)) as container:
        first_s = None
        for count, picture in enumerate(container.decode(video=0)):
            at_s = count / 25.0 if picture.time is None else float(picture.time)
            first_s = at_s if first_s is None else first_s
            image = picture.to_ndarray(format="bgr24")
            turns = round(float(getattr(picture, "rotation", 0) or 0) / 90) % 4
            yield at_s - first_s, np.ascontiguousarray(np.rot90(image, turns))


def fitted(image: Image) -> Image:
    """At most MOST_PX wide and high, even sides."""
    height, width = image.shape[:2]
    scale = min(1.0, MOST_PX / max(height, width))
    if scale < 1:
        size = (int(width * scale) // 2 * 2, int(height * scale) // 2 * 2)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])


def _resampled(clip: Clip) -> Iterator[tuple[float, Image]]:
    slow, due_s = clip.fps < SLOW_FPS, 0.0
    for at_s, image in _decoded(clip.path):
        if at_s > MOST_S:
            return
        if slow or at_s + 1e-3 >= due_s:
            late = at_s - due_s >= 1 / FPS
            due_s = at_s + 1 / FPS if late else max(due_s + 1 / FPS, at_s - 0.5 / FPS)
            yield at_s, fitted(image)


def _transcode(clip: Clip, film: Path) -> None:
    """VP8 as a WebRTC sender encodes; the bits of a frame are those of 15 frames/s."""
    times: list[float] = []
    part = film.with_suffix(".part")
    with av.open(str(part), "w", format="webm") as out:
        stream = None
        for at_s, image in _resampled(clip):
            if stream is None:
                stream = out.add_stream("libvpx", rate=int(FPS))
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt, stream.bit_rate = "yuv420p", KBPS * 1000
                stream.options = {
                    "quality": "realtime", "speed": "8", "lag-in-frames": "0",
                    "threads": "1", "error-resilient": "1", "g": "3000",
                }  # fmt: skip
            picture = av.VideoFrame.from_ndarray(image, "bgr24")
            picture.pts = len(times)
            times.append(at_s)
            out.mux(stream.encode(picture))
        if stream is not None:
            out.mux(stream.encode())
    np.save(film.with_suffix(".npy"), np.array(times))
    part.replace(film)


class Seen:
    """A clip, and what `see` answered about its frames: the same question is asked once."""

    def __init__(self, clip: Clip, run: Run, cache: Path, version: str) -> None:
        """`version`: of everything that `see` depends on; other versions' answers are not used."""
        self.clip, self._run = clip, run
        stem = hashlib.sha256(clip.name.encode()).hexdigest()[:16]
        (cache / "vp8").mkdir(parents=True, exist_ok=True)
        (cache / version).mkdir(exist_ok=True)
        self._film = cache / "vp8" / f"{stem}-{KBPS}.webm"
        self._file = cache / version / f"{stem}.pickle"
        if not self._film.is_file():
            _transcode(clip, self._film)
        self.times_s: list[float] = np.load(self._film.with_suffix(".npy")).tolist()
        self._images: list[Image] = []
        self._known: dict[bytes, Observation] = {}
        self._grown = False
        if self._file.is_file():
            # Our own file, in our own cache: nobody else writes there.
            self._known = pickle.loads(self._file.read_bytes())

    def observe(self, seq: int, ask: Ask, reference: int | None) -> Observation:
        """Frame `seq` under `ask`; `reference` is the frame that `motion` goes back to."""
        key = _key(seq, ask, reference)
        if key not in self._known:
            self._known[key] = see(self.frame(seq, reference), ask, self._run)
            self._grown = True
        return self._known[key]

    def frame(self, seq: int, reference: int | None) -> Frame:
        """A decoded frame; the film is decoded as a whole at the first call."""
        if not self._images:
            self._images = [image for _, image in _decoded(self._film)]
        then = None if reference is None else self._images[reference]
        at_s = self.times_s[seq]
        return Frame(self._images[seq], seq, at_s, at_s, then)

    def save(self) -> None:
        """Keep the answers."""
        if self._grown:
            part = self._file.with_suffix(".part")
            part.write_bytes(pickle.dumps(self._known))
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
    said = hashlib.sha256()
    code = ["see.py", "quality.py", "observation.py", "frame.py"]
    for path in [ROOT / "pipeline" / name for name in code] + [
        path
        for room in ("sight", "nets")
        for path in sorted((ROOT / "pipeline" / room).glob("*.py"))
    ]:
        said.update(path.read_bytes())
    for net in sorted(models.glob("*.onnx")):
        said.update(f"{net.name} {net.stat().st_size}".encode())
    return said.hexdigest()[:12]


def forget(cache: Path, keep: str) -> None:
    """Remove the answers of other versions."""
    for old in cache.glob("*/"):
        if old.name not in ("vp8", keep) and re.fullmatch(r"[0-9a-f]{12}", old.name):
            for file in old.glob("*.pickle"):
                file.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                old.rmdir()
