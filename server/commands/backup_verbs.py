"""`lookgate backup` and `lookgate restore`: what they print.

Not here: the copying (server/store/sqlite/backup.py). Source: docs/backups.md.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from server.people.marks import drop_marks
from server.people.sealed_clients import drop_mark
from server.settings.load import ConfigError, Settings
from server.store.opening import sqlite_file
from server.store.sqlite.backup import BackupError, Contents, backup, restore


def backup_verb(given: argparse.Namespace, settings: Settings) -> int:
    """Copy the database to a file. Raises BackupError, ConfigError, Unavailable."""
    contents = backup(_database(settings), given.file)
    print(f"{given.file} holds {_shown(contents)}")
    return 0


def restore_verb(given: argparse.Namespace, settings: Settings) -> int:
    """Put a backup in the database's place. Raises BackupError, ConfigError, Unavailable."""
    database = _database(settings)
    contents, kept = restore(given.file, database, datetime.now(UTC))
    # What is there now is older than what servers saw, and the operator says that it is to be.
    drop_marks(settings.data_dir)
    drop_mark(settings.data_dir)
    print(f"{database} holds {_shown(contents)}")
    if kept is not None:
        print(f"what was there before is {kept}")
    return 0


def _database(settings: Settings) -> Path:
    try:
        found = sqlite_file(settings.store, settings.data_dir)
    except ValueError as error:
        raise ConfigError([f"LOOKGATE_STORE: {error}"]) from None
    if found is None:
        raise BackupError(
            "backup_not_sqlite",
            "This copies a SQLite database. For MongoDB use mongodump and mongorestore.",
        )
    return found


def _shown(contents: Contents) -> str:
    needed = ", ".join(contents.master_keys)
    sealed = f"; its people open with master key {needed}, which is not in it" if needed else ""
    return (
        f"{contents.clients} clients, {contents.people} people,"
        f" {contents.signing_keys} signing keys{sealed}"
    )
