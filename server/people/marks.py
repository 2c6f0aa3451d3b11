"""The newest version of each client's head, in a file of the data folder.

A database that was turned back as a whole contradicts nothing in it, because that is what a backup
is. It contradicts this file, which is not in it. Who can write the data folder as well is not
noticed. The file says at least what was: it is written once a minute and at the stop, and a crash
leaves it a minute behind. Not here: what a head is (standing.py), who compares (anchors.py).
Source: docs/decisions/anchors.md.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from server.people.anchors import Ledger
from server.store.port import Store

FILE = "anchors.seen"

_log = logging.getLogger("lookgate.templates")


def read_marks(data_dir: Path) -> dict[str, int]:
    """Versions by the heads' names; none without a file, or with one that cannot be read."""
    try:
        told = json.loads((data_dir / FILE).read_text("utf-8"))
        return {str(name): int(version) for name, version in told.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError):
        _log.error("the file of the newest anchors cannot be read", extra={"file": FILE})
        return {}


def keep_marks(data_dir: Path, seen: Mapping[str, int]) -> None:
    """Let the file say these, where it says less. Raises OSError."""
    known = read_marks(data_dir)
    both = {name: max(seen.get(name, 0), known.get(name, 0)) for name in {**known, **seen}}
    if both == known:
        return
    # Beside it first: a crash leaves the old one, and of two processes one comes a minute later.
    part = data_dir / f".{FILE}.{os.getpid()}"
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(both, out)
        out.flush()
        os.fsync(out.fileno())
    part.replace(data_dir / FILE)


def drop_marks(data_dir: Path) -> None:
    """After an older database was put in the place by the operator."""
    (data_dir / FILE).unlink(missing_ok=True)


async def look_and_keep(store: Store, ledger: Ledger, data_dir: Path) -> None:
    """Look at every client's head, and keep what was seen. Raises Unavailable, OSError."""
    for client in await store.clients.all():
        await ledger.standing(client.client_id, [])
    keep_marks(data_dir, ledger.seen)
