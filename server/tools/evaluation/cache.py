"""What files gave, kept by their content: a run that was stopped goes on where it was.

One file per content and version of everything that looked at it, for the owner's eyes only: some
of what is kept are embeddings, and those are faces. Not here: what the values mean.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from models import manifest
from pipeline import __file__ as _pipeline

Value = dict[str, Any]
VERSION = re.compile(r"[0-9a-f]{16}")
"""The name of a folder of answers."""
UNUSED_DAYS = 30
"""Answers that no run asked for since: other code's, mostly. They hold faces, so they go."""


def opened(folder: Path, version: str) -> Path:
    """The folder of a version's answers, in use from now on, for nobody but its owner. Removes
    those of versions that have not been in use for UNUSED_DAYS."""
    own = folder / version
    for part in (folder, own):
        part.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.chmod(0o700)
    os.utime(own)
    oldest = time.time() - UNUSED_DAYS * 86400
    for old in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another run was quicker
            ours = VERSION.fullmatch(old.name) and not old.is_symlink()
            if ours and old.stat().st_mtime < oldest:
                shutil.rmtree(old, ignore_errors=True)
    return own


class Cache:
    """A folder of answers."""

    def __init__(self, folder: Path, version: str) -> None:
        """`version` names all that answers depend on besides the file."""
        self._folder = opened(folder, version)

    def get(self, sha256: str) -> Value | None:
        """What a file of this content gave; None if nobody looked yet."""
        try:
            found = json.loads(self._file(sha256).read_text("utf-8"))
        except (OSError, ValueError):
            return None  # a half-written file of a machine that died is looked at again
        return found if isinstance(found, dict) else None

    def put(self, sha256: str, value: Value) -> None:
        """Keep it."""
        file = self._file(sha256)
        file.parent.mkdir(exist_ok=True, mode=0o700)
        part = file.with_suffix(".part")
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(value, out)
        part.replace(file)

    def _file(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / f"{sha256}.json"


_MEASURES = (
    "pipeline/see.py",
    "pipeline/quality.py",
    "pipeline/observation.py",
    "pipeline/frame.py",
    "pipeline/sight/*.py",
    "pipeline/nets/*.py",
    "server/frames/convert.py",
    "server/tools/clips.py",
    "server/tools/evaluation/acquire.py",
    "server/tools/evaluation/closeup.py",
    "server/tools/evaluation/vp8.py",
)
_JUDGES = (
    "pipeline/*.py",
    "pipeline/cues/*.py",
    "pipeline/session/*.py",
    "server/tools/evaluation/play.py",
)

CODECS = ("av", "opencv-python-headless", "numpy", "onnxruntime")
"""Packages that make pictures or look at them: another coder, other pictures."""


def sources(*, session: bool = False) -> list[Path]:
    """The code that makes and looks at pictures. `session`: the code that judges as well, as what
    is kept are verdicts. Raises FileNotFoundError if a part of it is not where it was."""
    root, found = Path(_pipeline).parents[1], set[Path]()
    for pattern in _MEASURES + _JUDGES if session else _MEASURES:
        paths = set(root.glob(pattern))
        if not paths:
            raise FileNotFoundError(pattern)
        found |= paths
    return sorted(found)


def version(*said: str, session: bool = False) -> str:
    """Names the code in `sources`, the packages in CODECS, the nets that the manifest pins, and
    whatever is `said`."""
    known = hashlib.sha256()
    for package in CODECS:
        known.update(f"{package} {metadata.version(package)}\0".encode())
    for path in sources(session=session):
        known.update(path.read_bytes())
    for name, net in sorted(manifest.load().items()):
        known.update(f"{name} {net}".encode())
    for word in said:
        known.update(f"{word}\0".encode())
    return known.hexdigest()[:16]
