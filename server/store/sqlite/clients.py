"""The table `clients`. Not here: what the verbs mean (port.py)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

import aiosqlite

from server.store.port import Client, Conflict, NotFound
from server.store.relying import relying_json, relying_of
from server.store.sqlite import templates
from server.store.sqlite.database import Database
from server.store.sqlite.rows import changed, micros, moment

_COLUMNS = "client_id, secret_hash, origins, policy, created_at, seal, relying"


def _client(row: Sequence[Any]) -> Client:
    return Client(
        client_id=row[0],
        secret_hash=row[1],
        origins=tuple(json.loads(row[2])),
        policy=row[3],
        created_at=moment(row[4]),
        seal=row[5],
        relying=relying_of(row[6]),
    )


class Clients:
    """The relying apps in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, client: Client) -> None:
        """Insert; the primary key finds the Conflict."""
        try:
            async with self._database.transaction() as db:
                await insert(db, client)
        except sqlite3.IntegrityError as error:
            raise Conflict("client") from error

    async def get(self, client_id: str) -> Client:
        """By primary key."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM clients WHERE client_id = ?", client_id
        )
        if not rows:
            raise NotFound("client")
        return _client(rows[0])

    async def all(self) -> Sequence[Client]:
        """In the byte order of their ids."""
        rows = await self._database.read(f"SELECT {_COLUMNS} FROM clients ORDER BY client_id")
        return [_client(row) for row in rows]

    async def change(self, was: Client, client: Client) -> None:
        """One UPDATE whose WHERE holds what can change."""
        async with self._database.transaction() as db:
            if await changed(
                db,
                "UPDATE clients SET secret_hash = ?, origins = ?, relying = ?, seal = ?"
                " WHERE secret_hash = ? AND origins = ? AND relying IS ? AND seal IS ?"
                " AND client_id = ?",
                *_changing(client),
                *_changing(was),
                was.client_id,
            ):
                return
            rows = await db.execute_fetchall(
                "SELECT 1 FROM clients WHERE client_id = ?", (was.client_id,)
            )
            raise Conflict("client") if list(rows) else NotFound("client")

    async def remove(self, client_id: str) -> None:
        """One DELETE: sessions, templates and tries go by their foreign keys."""
        async with self._database.transaction(long=True) as db:
            if not await changed(db, "DELETE FROM clients WHERE client_id = ?", client_id):
                raise NotFound("client")
            await templates.forget_client(db, client_id)


def _changing(client: Client) -> tuple[object, ...]:
    """What `change` changes: secret, origins, settings of OpenID Connect, seal."""
    relying = relying_json(client.relying)
    return (client.secret_hash, json.dumps(client.origins), relying, client.seal)


async def insert(db: aiosqlite.Connection, client: Client) -> None:
    """Add a row, within the caller's transaction. Raises IntegrityError."""
    await db.execute_fetchall(
        f"INSERT INTO clients ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            client.client_id,
            client.secret_hash,
            json.dumps(client.origins),
            client.policy,
            micros(client.created_at),
            client.seal,
            relying_json(client.relying),
        ),
    )
