"""The table `consent_texts`. Not here: what the verbs mean (server/store/consents.py)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from server.store.consents import ConsentText
from server.store.port import Conflict, NotFound
from server.store.sqlite.database import Database
from server.store.sqlite.rows import is_missing_client, micros, moment


class Consents:
    """The clients' texts in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, text: ConsentText) -> None:
        """Insert; the keys find the Conflict and the missing client."""
        try:
            async with self._database.transaction() as db:
                await db.execute_fetchall(
                    "INSERT INTO consent_texts (client_id, text_id, version, set_at, content)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (
                        text.client_id,
                        text.text_id,
                        text.version,
                        micros(text.set_at),
                        text.content,
                    ),
                )
        except sqlite3.IntegrityError as error:
            if is_missing_client(error):
                raise NotFound("client") from error
            raise Conflict("consent text") from error

    async def of_client(self, client_id: str) -> Sequence[ConsentText]:
        """By the primary key, sorted: a client has a handful."""
        rows = await self._database.read(
            "SELECT client_id, text_id, version, set_at, content FROM consent_texts"
            " WHERE client_id = ? ORDER BY set_at DESC, text_id DESC, version DESC",
            client_id,
        )
        return [ConsentText(row[0], row[1], row[2], moment(row[3]), row[4]) for row in rows]
