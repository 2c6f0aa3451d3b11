"""Files and folders that settings name: whether a server could use them, without making any.

Not here: the settings themselves (table.py), making them (server/app.py, server/private_folder.py).
"""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.policy import POLICIES
from server.private_folder import PrivateFolderError, look_private
from server.settings import policies
from server.settings.load import ConfigError, Settings
from server.settings.table import PREFIX


def problems(settings: Settings) -> list[str]:
    """One sentence for each that cannot be used, with the setting's name and the path."""
    found = []
    for name, folder in (("DATA_DIR", settings.data_dir), ("RECORD", settings.record)):
        if folder is None:
            continue
        try:
            _makeable(folder)
            if folder.exists():
                look_private(folder)
        except PrivateFolderError as error:
            found.append(f"{PREFIX}{name} {error}")
    try:
        _makeable(settings.models_dir)
    except PrivateFolderError as error:
        found.append(f"{PREFIX}MODELS_DIR {error}")
    if settings.embedder is not None and not os.access(settings.embedder, os.R_OK):
        found.append(f"{PREFIX}EMBEDDER {settings.embedder} cannot be read")
    try:
        for built_in in POLICIES.values():
            policies.of_settings(settings, built_in)
    except ConfigError as error:
        found += error.problems[:1]
    return found


def _makeable(folder: Path) -> None:
    """Whether it is a folder, or could be made: what is there of its path is folders. Raises
    PrivateFolderError."""
    there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    if not there.is_dir():
        raise PrivateFolderError(f"{folder} cannot be a folder: {there} is none")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PrivateFolderError(f"{folder} cannot be written: {there} is somebody else's")
