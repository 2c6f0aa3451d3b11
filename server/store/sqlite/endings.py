"""How a session ends: its row, the template, tries and the audit's record in one transaction.

So nothing is ever left to be settled. Not here: what the verbs mean (port.py), the tables' own
verbs (sessions.py, templates.py, tries.py).
"""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime

import aiosqlite

from server.store.audit import Chain, Note
from server.store.port import Conflict, Enrolled, NotFound, TemplateRecord
from server.store.sqlite import retention, templates, tries
from server.store.sqlite.audit import noted
from server.store.sqlite.database import Database
from server.store.sqlite.rows import is_missing_client, micros
from server.store.tries import Limits, Refused


class Endings:
    """The ends of sessions in SQLite."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    async def accept(
        self,
        session_id: str,
        *,
        at: datetime,
        subject: str,
        evidence: str = "[]",
        template: TemplateRecord | None = None,
        compared: str | None = None,
        note: Note | None = None,
    ) -> None:
        """One transaction; whatever is refused in it undoes the rest."""
        async with noted(self._database, note) as db:
            rows = list(
                await db.execute_fetchall(
                    "UPDATE sessions SET state = 'accepted', finished_at = ?, evidence = ?,"
                    " subject = ? WHERE session_id = ? AND state = 'live'"
                    " AND coalesce(subject, ?) = ? RETURNING client_id, replace_template, tries",
                    (micros(at), evidence, subject, session_id, subject, subject),
                )
            )
            if not rows:
                raise await _not_live(db, session_id)
            client_id, may_replace = str(rows[0][0]), bool(rows[0][1])
            if compared is not None:
                await _still_there(db, client_id, subject, compared)
            if template is not None:
                await _store(db, template, may_replace)
            else:
                await retention.succeeded(db, client_id, subject, at)
            await tries.end(db, client_id, session_id, rows[0][2], self._limits, failed=None, at=at)

    async def refuse(
        self,
        session_id: str,
        *,
        now_is: str,
        at: datetime,
        reasons: tuple[str, ...] = (),
        evidence: str = "[]",
        failure: bool = False,
        won: bool = False,
        note: Note | None = None,
    ) -> Refused | None:
        """One transaction. `won` changes nothing: an `accept` that failed was rolled back."""
        async with noted(self._database, note) as db:
            rows = list(
                await db.execute_fetchall(
                    "UPDATE sessions SET state = ?, finished_at = ?, reasons = ?, evidence = ?"
                    " WHERE session_id = ? AND state = 'live' RETURNING client_id, tries",
                    (now_is, micros(at), json.dumps(reasons), evidence, session_id),
                )
            )
            if not rows:
                raise await _not_live(db, session_id)
            client_id, taken = rows[0]
            return await tries.end(
                db, client_id, session_id, taken, self._limits, failed=failure, at=at
            )

    async def settle(self, chain: Chain | None = None) -> int:
        """Nothing: a transaction is whole or was not."""
        return 0


async def _store(db: aiosqlite.Connection, template: TemplateRecord, may_replace: bool) -> None:
    try:
        await templates.insert(db, template, replace=may_replace)
    except sqlite3.IntegrityError as error:
        if is_missing_client(error):
            raise NotFound("client") from error
        raise Enrolled("template") from error


async def _still_there(
    db: aiosqlite.Connection, client_id: str, subject: str, template_id: str
) -> None:
    kept = await db.execute_fetchall(
        "SELECT 1 FROM templates WHERE client_id = ? AND subject = ? AND template_id = ?",
        (client_id, subject, template_id),
    )
    if not list(kept):
        raise NotFound("template")


async def _not_live(db: aiosqlite.Connection, session_id: str) -> Exception:
    known = await db.execute_fetchall("SELECT 1 FROM sessions WHERE session_id = ?", (session_id,))
    return Conflict("session") if list(known) else NotFound("session")
