"""A folder that this user alone may enter: made if it is not there, refused if others may enter.

What is in it (database, master key, tapes) is private by its own mode, too; the folder protects the
names, and what other programs put beside it. Not here: which folders (settings/table.py).
"""

from __future__ import annotations

import os
from pathlib import Path


class PrivateFolderError(Exception):
    """The folder cannot be made, or others may enter it; `str()` says which, for people."""


def private_folder(folder: Path) -> None:
    """Make it if it is not there. Raises PrivateFolderError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise _unusable(folder, fault) from fault
    look_private(folder)


def look_private(folder: Path) -> None:
    """Look only. Raises PrivateFolderError."""
    try:
        mode = folder.stat().st_mode
    except OSError as fault:
        raise _unusable(folder, fault) from fault
    if os.name == "posix" and mode & 0o077:
        raise PrivateFolderError(
            f"{folder} is a folder that others may enter: set its mode to 0700 (chmod 700 {folder})"
        )


def _unusable(folder: Path, fault: OSError) -> PrivateFolderError:
    why = fault.strerror or type(fault).__name__
    return PrivateFolderError(f"{folder} cannot be made or is no folder ({why})")
