"""What is in the folder to evaluate: files by their labels, their fingerprint, groups.csv.

Here: names and bytes. Not here: decoding (server/tools/clips.py), what a file shows (acquire.py).
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.refusal import Refusal

STILLS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".pgm", ".ppm"})
FILMS = frozenset({".mp4", ".webm", ".avi", ".mov", ".mkv", ".m4v", ".mjpeg", ".y4m", ".ogv"})
GROUPS = "groups.csv"
LIVE = "live"
"""The label of people; every other one of a folder of presentations is a species of attack."""
REPLAY, CUT = "replay", "replay_cut"
"""How species of films of screens begin, and the species of those that begin later."""
AS_IT_IS = ""
FRAMINGS = ("z",)
"""How films may be shown otherwise (closeup.py)."""
_Label = Callable[[Sequence[str]], "str | None"]


class EvaluationError(Refusal):
    """The evaluation cannot be made. `code` is stable, `text` is for people."""


@dataclass(frozen=True, slots=True)
class Item:
    """One file."""

    path: Path
    name: str
    """Path inside the folder, with /, in text that can be printed."""
    label: str
    """Identity, or `live`, or the species of an attack."""
    still: bool
    """A picture and no film, by its ending."""
    begin_s: float = 0.0
    """Second of the film that it is shown from."""
    framing: str = AS_IT_IS
    """AS_IT_IS or one of FRAMINGS."""

    @property
    def suffix(self) -> str:
        """What is said of how it is shown, after the file's name."""
        begin = f"@{self.begin_s:g}s" if self.begin_s else ""
        return begin + (f"@{self.framing}" if self.framing else "")

    @property
    def file(self) -> str:
        """Its path inside the folder, however it is shown."""
        return self.name.removesuffix(self.suffix)

    def key(self, sha256: str) -> str:
        """Names what is shown: the file's content, from when on, and how, 64 hex digits."""
        said = f"{sha256}{self.suffix}"
        return hashlib.sha256(said.encode()).hexdigest() if self.suffix else sha256


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder."""

    items: tuple[Item, ...]
    ignored: tuple[str, ...]
    """Names of files that are neither pictures nor films by their ending, or in no labelled
    folder."""


def identities(root: Path) -> Listing:
    """One folder per identity, files in it at any depth. Raises EvaluationError (folder_missing,
    folder_empty, one_identity)."""
    found = _listing(root, lambda parts: parts[0] if len(parts) > 1 else None)
    people = {item.label for item in found.items}
    if len(people) == 1:
        raise EvaluationError(
            "one_identity", "the folder has one identity; without a second nobody can be confused"
        )
    return found


def presentations(root: Path) -> Listing:
    """Folders `live` and `attack/<species>`, files in them at any depth. Raises EvaluationError
    (folder_missing, folder_empty, live_missing, attack_missing)."""

    def label(parts: Sequence[str]) -> str | None:
        if parts[0] == LIVE and len(parts) > 1:
            return LIVE
        return parts[1] if parts[0] == "attack" and len(parts) > 2 else None

    found = _listing(root, label)
    other = Counter(
        name.split("/")[0] for name in found.ignored if not name.startswith(("live/", "attack/"))
    )
    ignored = [name for name in found.ignored if name.startswith(("live/", "attack/"))]
    ignored += [
        name if name in found.ignored else f"{name}/ ({count} files)"
        for name, count in sorted(other.items())
    ]
    found = replace(found, ignored=tuple(ignored))
    labels = {item.label for item in found.items}
    if LIVE not in labels:
        raise EvaluationError("live_missing", "there is no picture or film in the folder live/")
    if labels == {LIVE}:
        raise EvaluationError(
            "attack_missing", "there is no picture or film in a folder attack/<species>/"
        )
    return found


def begun(listing: Listing, seconds: Sequence[float]) -> Listing:
    """With each film of a species that begins with `replay` begun at these seconds as well, which
    is a species of its own: by then a screen that is brought closer has no border in the picture.
    """
    cuts = [
        replace(item, name=f"{item.name}@{begin_s:g}s", label=CUT, begin_s=begin_s)
        for item in listing.items
        if item.label.startswith(REPLAY) and not item.still
        for begin_s in seconds
    ]
    return replace(listing, items=(*listing.items, *cuts))


def framed(listing: Listing, framing: str) -> Listing:
    """With every film shown in this framing, and no still."""
    if not framing:
        return listing
    films = [item for item in listing.items if not item.still]
    shown = [replace(item, name=f"{item.name}@{framing}", framing=framing) for item in films]
    return replace(listing, items=tuple(shown))


def _listing(root: Path, label_of: _Label) -> Listing:
    if not root.is_dir():
        raise EvaluationError("folder_missing", f"there is no folder {root}")
    items, ignored = [], []
    for path in sorted(root.rglob("*")):
        if not path.is_file() or any(p.startswith(".") for p in path.relative_to(root).parts):
            continue
        name = shown(path.relative_to(root))
        label = label_of(name.split("/"))
        ending = path.suffix.lower()
        if label is None or ending not in STILLS | FILMS:
            ignored.append(name)
        else:
            items.append(Item(path, name, label, ending in STILLS))
    if not items:
        raise EvaluationError(
            "folder_empty", "the folder has no picture or film where one is looked for"
        )
    return Listing(tuple(items), tuple(n for n in ignored if n != GROUPS))


def shown(path: Path) -> str:
    """A path as text that can be printed, written and hashed: a byte of a file's name that is no
    UTF-8 is shown as Python writes it (PEP 383 keeps it in the path itself)."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def digest(path: Path) -> str:
    """SHA-256 of a file, hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(digests: Iterable[tuple[str, str]]) -> str:
    """16 hex digits that stand for a set of (name, sha256): what was measured on."""
    said = hashlib.sha256()
    for name, sha256 in sorted(digests):
        said.update(f"{name}\0{sha256}\n".encode())
    return said.hexdigest()[:16]


def read_table(file: Path, of: str, broken: str) -> list[dict[str | Any, str | Any]]:
    """The rows of a CSV file by its head, a table of `of`. Raises EvaluationError (`broken`)."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            return list(csv.DictReader(lines, strict=True))
    except (UnicodeDecodeError, csv.Error) as fault:
        raise EvaluationError(broken, f"the table of {of} {file} is no CSV in UTF-8") from fault


def groups(file: Path) -> dict[str, dict[str, str]]:
    """Attribute -> (path or identity -> group), from a table whose first column is `path` or
    `identity` and every other one an attribute. Empty cells say nothing.

    Raises EvaluationError (groups_missing, groups_broken)."""
    if not file.is_file():
        raise EvaluationError("groups_missing", f"there is no table of groups {file}")
    rows = read_table(file, "groups", "groups_broken")
    head = list(rows[0]) if rows else []
    if not head or head[0] not in ("path", "identity") or len(head) < 2:
        raise EvaluationError(
            "groups_broken",
            "the table of groups needs a first column `path` or `identity`, and another one",
        )
    if any(None in row or None in row.values() for row in rows):
        raise EvaluationError("groups_broken", "a row of the table of groups has another length")
    return {
        attribute: {
            row[head[0]].strip(): row[attribute].strip() for row in rows if row[attribute].strip()
        }
        for attribute in head[1:]
    }
