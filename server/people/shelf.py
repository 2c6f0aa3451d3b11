"""Where tapes are kept, for how long, and how they go: one folder for each client, one for a tape.

Not here: writing one (server/session/recorder.py), the format (docs/tape.md). A tape is as
sensitive as a template: only this user may enter the folder, and what belongs to a person goes with
the person.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.tape import LINES
from pipeline.tape.lines import MAX_LINE
from server.private_folder import private_folder

_NAME = re.compile(r"([0-9]{8}T[0-9]{6}Z)-[A-Za-z0-9_-]{12}")
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folder of LOOKGATE_RECORD. Every method may raise OSError."""

    folder: Path
    days: float
    """After so many days a tape is removed."""

    def open(self) -> None:
        """Make the folder if it is not there. Raises PrivateFolderError."""
        private_folder(self.folder)

    def place(self, client_id: str, session_id: str, now: datetime) -> Path:
        """A folder name for a new tape; the client's folder is made."""
        home = self.folder / client_id
        home.mkdir(mode=0o700, exist_ok=True)
        return home / f"{now.astimezone(UTC).strftime(_STAMP)}-{session_id[:12]}"

    def over(self, now: datetime, days: Mapping[str, float]) -> dict[str, list[Path]]:
        """Tapes by client that are older than its `days`, or than those of the shelf."""
        found: dict[str, list[Path]] = {}
        for tape, at in self._tapes("*"):
            client_id = tape.parent.name
            if at < now - timedelta(days=days.get(client_id, self.days)):
                found.setdefault(client_id, []).append(tape)
        return found

    def remove(self, tapes: Sequence[Path]) -> list[Path]:
        """Remove these, as `over` told them; which of them are gone."""
        return [tape for tape in tapes if _remove(tape) is None]

    def of_subject(self, client_id: str, subject: str) -> list[tuple[str, datetime]]:
        """Names and times of every tape that has a subject's face or template on it, by name."""
        tapes = [(tape.name, at, _people(tape)) for tape, at in self._tapes(client_id)]
        return sorted((name, at) for name, at, people in tapes if subject in people)

    def remove_subject(self, client_id: str, subject: str) -> int:
        """Remove every tape that has a subject's face or template on it; how many. Raises OSError
        if one is left."""
        tapes = [tape for tape, _ in self._tapes(client_id)]
        return _remove_all([tape for tape in tapes if subject in _people(tape)])

    def remove_client(self, client_id: str) -> int:
        """Remove all tapes of a client; how many. Raises OSError if one is left."""
        return _remove_all([tape for tape, _ in self._tapes(client_id)])

    def _tapes(self, client: str) -> Iterator[tuple[Path, datetime]]:
        """Tapes by the pattern of their names: nothing else in that folder is ever touched."""
        homes = self.folder.iterdir() if client == "*" else [self.folder / client]
        for home in homes:
            if home.is_symlink() or not home.is_dir():
                continue
            for tape in home.iterdir():
                found = _NAME.fullmatch(tape.name)
                if found and not tape.is_symlink() and tape.is_dir():
                    yield tape, datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC)


def _remove_all(tapes: Sequence[Path]) -> int:
    """As many as can be. Raises the OSError of the first that is left."""
    for fault in [_remove(tape) for tape in tapes]:
        if fault is not None:
            raise fault
    return len(tapes)


def _remove(tape: Path) -> OSError | None:
    """Why it is still there. Its header goes last: a removal that breaks off is gone on with only
    while that says whose tape it is."""
    try:
        for part in tape.iterdir():
            if part.is_dir() and not part.is_symlink():
                shutil.rmtree(part)
            elif part.name != LINES:
                part.unlink(missing_ok=True)
        (tape / LINES).unlink(missing_ok=True)
        tape.rmdir()
    except FileNotFoundError:
        return None  # another process was first
    except OSError as fault:
        return fault
    return None


def _people(tape: Path) -> set[str]:
    """Whose session it was, and whose templates are in it. A header that cannot be read belongs to
    nobody: it is written before anything else."""
    try:
        with (tape / LINES).open("rb") as stream:
            header: Any = json.loads(stream.readline(MAX_LINE))
        people = {*header["session"]["gallery"]["subjects"], header.get("subject")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()
    return {person for person in people if isinstance(person, str)}
