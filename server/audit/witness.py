"""How far each chain of this machine had come, kept beside the database and not in it.

A tail that is cut off behind the last checkpoint leaves no trace in the database. So a process
leaves the number and hash of its newest record in a file of its own in the data folder, where a
writer of the database does not reach. It is not forced to the disk: after a crash of the machine it
says less than there is, never more. Not here: what is made of it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

FOLDER = "audit"

logger = logging.getLogger(__name__)


class Witness:
    """The files of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER
        self._file: int | None = None
        self._chain = ""
        self._failed = False

    def begin(self, chain: str) -> None:
        """A chain of this process begins."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self.end()
            self._chain, place = chain, self._folder / chain
            self._file = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._tell(error)

    def drop(self, named: Mapping[str, int]) -> None:
        """Chains that have ended were named up to these numbers by one that goes on, and whose file
        vouches for them from now on."""
        heads = self.heads() if named else {}
        for chain, seq in named.items():
            if chain in heads and seq >= heads[chain][0]:
                try:
                    (self._folder / chain).unlink(missing_ok=True)
                except OSError as error:  # it speaks on for what is vouched for: no harm
                    self._tell(error)

    def stands(self, seq: int, digest: bytes) -> None:
        """A record was written; one write of the same length each time."""
        if self._file is None:
            return
        try:
            if not os.fstat(self._file).st_nlink:  # dropped, for a silence in which it was no end
                self.begin(self._chain)
            os.pwrite(self._file, f"{seq:016d} {digest.hex()}\n".encode(), 0)
        except OSError as error:
            self._tell(error)

    def end(self) -> None:
        """Let go of the file, which stays."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def heads(self) -> dict[str, tuple[int, bytes]]:
        """Number and hash of the newest record of each chain, as far as they can be read."""
        found = {}
        for place in sorted(self._folder.glob("*.*")):
            try:
                seq, _, digest = place.read_text("ascii").strip().partition(" ")
                found[place.name] = int(seq), bytes.fromhex(digest)
            except (OSError, ValueError):
                continue  # begun and not written
        return found

    def _tell(self, error: OSError) -> None:
        if not self._failed:
            self._failed = True
            name = type(error).__name__
            logger.error("the audit has no witness beside the database", extra={"cause": name})
