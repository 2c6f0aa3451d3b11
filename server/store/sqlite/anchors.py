"""The table `anchors`. Not here: what the verbs mean (server/store/anchors.py)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from server.store.anchors import AnchorRecord
from server.store.port import Conflict, NotFound
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, is_missing_client

_COLUMNS = "client_id, part, version, sealed"


class Anchors:
    """The anchors in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(
        self, client_id: str, parts: Sequence[int] | None = None
    ) -> Sequence[AnchorRecord]:
        """By primary key: one SELECT, so that all parts are of one moment."""
        some = "" if parts is None else " AND part IN (SELECT value FROM json_each(?))"
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM anchors WHERE client_id = ?{some} ORDER BY part",
            *([client_id] if parts is None else [client_id, json.dumps(list(parts))]),
        )
        return [AnchorRecord(*row) for row in rows]

    async def put(self, record: AnchorRecord) -> None:
        """Insert, or one UPDATE whose WHERE holds the version before."""
        try:
            async with self._database.transaction() as db:
                if record.version == 1:
                    await db.execute_fetchall(
                        f"INSERT INTO anchors ({_COLUMNS}) VALUES (?, ?, ?, ?)",
                        (record.client_id, record.part, record.version, record.sealed),
                    )
                elif not await changed(
                    db,
                    "UPDATE anchors SET version = ?, sealed = ?"
                    " WHERE client_id = ? AND part = ? AND version = ?",
                    record.version,
                    record.sealed,
                    record.client_id,
                    record.part,
                    record.version - 1,
                ):
                    raise Conflict("anchor")
        except sqlite3.IntegrityError as error:
            if is_missing_client(error):
                raise NotFound("client") from error
            raise Conflict("anchor") from error
