"""A copy of a SQLite database that holds everybody, and the way back. Neither needs the master key.

`cp` of the file alone may hold nobody, because the newest writes are in the file `-wal` beside it;
SQLite's online backup reads both, while servers go on writing. A copy is written beside its place,
checked, and only then takes it, so that an interrupted one leaves what was there and is run again.
Not here: what is printed (server/commands/backup_verbs.py).
Source: sqlite.org/backup.html, sqlite.org/wal.html, sqlite.org/howtocorrupt.html (section 1.4).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from pipeline.refusal import Refusal
from server.store.port import WrongSchema
from server.store.sqlite.faults import named_faults
from server.store.sqlite.schema import MIGRATIONS

WAIT_S = 10.0
"""How long a lock of a running server is waited for; its transactions take milliseconds."""
OF_PEOPLE = ("templates", "otps", "profiles", "invitations")
"""Tables whose rows say which master key sealed what they hold of a person."""
TABLES = frozenset({"clients", "sessions", "templates", "galleries", "signing_keys"})


class BackupError(Refusal):
    """A copy that is not made or not taken back; `code` is stable, `text` for people."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a copy holds."""

    clients: int
    people: int
    signing_keys: int
    master_keys: tuple[str, ...]
    """Ids of the master keys that its people need, which are not in it."""


def backup(database: Path, copy: Path) -> Contents:
    """Write everything that `database` holds now to the one file `copy`, mode 0600, and check it.

    A `copy` that is there is replaced only if it is a backup. Raises BackupError, Broken,
    Unavailable.
    """
    if not database.is_file():
        raise BackupError("backup_nothing", f"There is no database file {database}.")
    if copy.exists():
        if copy.samefile(database):
            raise BackupError("backup_in_place", f"{copy} is the database itself.")
        _check(copy)
    with _beside(copy) as part:
        _copy(database, part)
        contents = _check(part, named=database)
    return contents


def restore(copy: Path, database: Path, now: datetime) -> tuple[Contents, Path | None]:
    """Put a checked backup in the place of `database`; what was there is kept beside it.

    Sessions that were open when the copy was made are over. Returns what is in it, and where the
    database that was there is now (None: there was none). Raises BackupError (`restore_in_use`: a
    server has the database open), Broken, WrongSchema, Unavailable.
    """
    if not copy.is_file():
        raise BackupError("backup_nothing", f"There is no file {copy}.")
    if database.exists() and copy.samefile(database):
        raise BackupError("backup_in_place", f"{copy} is the database itself.")
    contents = _check(copy)
    with named_faults(database):
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _beside(database) as part:
        _copy(copy, part)
        with named_faults(part), _opened(part) as db:
            db.execute("UPDATE sessions SET state = 'expired' WHERE state IN ('new', 'live')")
            db.commit()
        _check(part)
        with named_faults(database):
            kept = _put_aside(database, now)
    return contents, kept


@contextlib.contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """An empty private file beside `place`, which takes its place at the end."""
    part = place.with_name(f"{place.name}.part")
    with named_faults(place):
        _unlink(part)  # of one that was interrupted
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        yield part
        with named_faults(place):
            _to_disk(part)
            os.replace(part, place)
            _to_disk(place.parent)
    finally:
        _unlink(part)


def _unlink(part: Path) -> None:
    """With its journals: an old one would be read into a new file of that name."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        Path(f"{part}{suffix}").unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """An existing file; never makes one."""
    url = f"file:{quote(str(file.absolute()))}?mode=rw"
    with contextlib.closing(sqlite3.connect(url, uri=True, timeout=WAIT_S)) as db:
        yield db


def _copy(source: Path, target: Path) -> None:
    """All pages in one step, which is one moment of the database; writers go on beside it."""
    with named_faults(source), _opened(source) as of, _opened(target) as to:
        of.execute("PRAGMA query_only = ON")
        of.backup(to)
        to.execute("PRAGMA journal_mode = DELETE")  # one file, without a -wal of its own


def _check(file: Path, named: Path | None = None) -> Contents:
    """Read every page. Raises Broken, WrongSchema, and BackupError for another program's file.

    `named`: the file to tell of, where `file` is a copy of it.
    """
    told = named or file
    with named_faults(file), _opened(file) as db:
        db.execute("PRAGMA query_only = ON")
        found = [row[0] for row in db.execute("PRAGMA integrity_check(1)")]
        if found != ["ok"] or list(db.execute("PRAGMA foreign_key_check")):
            raise BackupError("backup_damaged", f"The file {told} is damaged.")
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_schema")}
        ((version,),) = db.execute("PRAGMA user_version")
        if version > len(MIGRATIONS):
            raise WrongSchema(f"{told} has schema version {version}")
        if not tables >= TABLES or version < 1:
            raise BackupError("backup_foreign", f"The file {told} is no database of Lookgate.")
        ((clients,),) = db.execute("SELECT count(*) FROM clients")
        ((people,),) = db.execute("SELECT count(*) FROM templates")
        ((keys,),) = db.execute("SELECT count(*) FROM signing_keys")
        # A file of an older version has not all of these.
        sealed = [name for name in OF_PEOPLE if name in tables]
        owners = db.execute(" UNION ".join(f"SELECT key_id FROM {name}" for name in sealed))
        return Contents(clients, people, keys, tuple(sorted({row[0] for row in owners} - {""})))


def _put_aside(database: Path, now: datetime) -> Path | None:
    """Give the database a second name, so that nothing is lost when its first name is taken.

    What is left of a damaged one goes with it: a foreign -wal would be read into the new file.
    """
    kept = database.with_name(f"{database.name}.before-{now:%Y%m%dT%H%M%SZ}")
    if database.exists():
        _alone(database)
        os.link(database, kept)
    found = False
    for suffix in ("-wal", "-shm", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{database}{suffix}", f"{kept}{suffix}")
            found = True
    return kept if found or kept.exists() else None


def _alone(database: Path) -> None:
    """See that nobody has it open: every connection in WAL mode holds a lock for as long as it
    lives, so that leaving the mode is refused. Raises BackupError `restore_in_use`."""
    try:
        with _opened(database) as db:
            db.execute("PRAGMA busy_timeout = 500")
            db.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise BackupError(
                "restore_in_use", f"A server has {database} open: stop it first."
            ) from None
        raise
    except sqlite3.DatabaseError:
        return  # damaged: that is why somebody restores
