"""What SQLite says went wrong: is the file out of reach for now, or broken for good?

Here: the table of SQLite's primary result codes. Not here: when it is asked (database.py).
Source: sqlite.org/rescode.html, "Primary Result Code List".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from server.store.port import Broken, Unavailable

DOWN = "down"
"""Trying again may help: now, or after somebody made room, freed a lock or mended a mode."""
BROKEN = "broken"
"""No waiting helps: the file is not what we wrote, or we ask for what cannot be."""

CODES: Mapping[int, str] = {
    1: BROKEN,  # ERROR: a table or column that our statements name is not there
    2: BROKEN,  # INTERNAL
    3: DOWN,  # PERM
    4: DOWN,  # ABORT: a rollback ended the statement
    5: DOWN,  # BUSY
    6: DOWN,  # LOCKED
    7: DOWN,  # NOMEM
    8: DOWN,  # READONLY: the mode of the file, of its folder or of the mount
    9: DOWN,  # INTERRUPT
    10: DOWN,  # IOERR: the disk, a network share
    11: BROKEN,  # CORRUPT
    12: BROKEN,  # NOTFOUND: an operation that this file system or build does not know
    13: DOWN,  # FULL
    14: DOWN,  # CANTOPEN: the folder is not mounted yet
    15: DOWN,  # PROTOCOL: the locks of the WAL were lost too often
    16: BROKEN,  # EMPTY: not used
    17: DOWN,  # SCHEMA: another process changed it; the next statement reads it anew
    18: BROKEN,  # TOOBIG
    19: BROKEN,  # CONSTRAINT, where no verb expects one
    20: BROKEN,  # MISMATCH
    21: BROKEN,  # MISUSE
    22: BROKEN,  # NOLFS: the file is larger than this system can address
    23: DOWN,  # AUTH
    24: BROKEN,  # FORMAT: not used
    25: BROKEN,  # RANGE
    26: BROKEN,  # NOTADB: something else, or its first bytes are damaged
}
"""Every primary result code that is an error (0, 27, 28, 100 and 101 are none)."""


@contextmanager
def named_faults(path: Path) -> Iterator[None]:
    """Name the failures of this file.

    IntegrityError means different things to the verbs and stays as it is.
    Raises Unavailable, Broken.
    """
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except (sqlite3.Error, OSError) as error:
        raise fault_of(error, path) from error


def fault_of(error: sqlite3.Error | OSError, path: Path) -> Unavailable:
    """What an error of SQLite, or of the system beneath it, says about the file."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    code = getattr(error, "sqlite_errorcode", None)
    # Without a code it is the system, or a connection that was closed meanwhile.
    if code is not None and CODES.get(code & 0xFF) == BROKEN:
        return Broken(f"the database file {path}", f"SQLite: {name}")
    return Unavailable(f"SQLite: {name}", place=f"the database file {path}")
