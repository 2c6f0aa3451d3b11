"""How a session ends: its document is won first, with all that follows from it; then that is done.

One write decides, and it carries what is still to be written, in `unsettled`: the audit's record,
the template to store, tries that failed or are given back. Each of these may be done twice. The
last write takes `unsettled` away. An acceptance whose record the audit did not take is Unavailable.
A process that dies in between is followed by `settle` of another. One that lives and got no answer
refuses what it may have won (`refuse` with `won`), before anybody else settles it, because `settle`
leaves alone what it sees for the first time.
Not here: what the verbs mean (port.py). Source: docs/decisions/verdicts.md, no-transactions.md.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from server.store.audit import AuditEntry, Chain, Note
from server.store.mongo import audit, galleries, retention, templates, tries
from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import Document, upsert, utc
from server.store.mongo.sessions import FORGET, UNSETTLED
from server.store.mongo.templates import content_of
from server.store.port import Conflict, Enrolled, NotFound, TemplateRecord, Unavailable
from server.store.tries import Limits, Refused


class Endings:
    """The ends of sessions in MongoDB."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits
        self._seen: set[str] = set()
        """Unsettled sessions of the last `settle`."""
        self._seen_open: set[tuple[str, str]] = set()
        """Changes of galleries that were under way at the last `settle`."""

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
        """Win, then do what follows. Once won it is so: what an outage keeps from being written
        then is done by the next `settle`."""
        async with self._database.turn() as db:
            known = await _known(db, session_id)
            if template is not None and not known["replace"]:
                await _nobody_yet(db, template)
            change: Document = {
                "state": "accepted",
                "finished_at": utc(at),
                "evidence": evidence,
                "subject": subject,
                UNSETTLED: {
                    "at": utc(at),
                    "failure": None,
                    "compared": compared,
                    "template": None if template is None else content_of(template),
                    **_noted(note),
                },
            }
            await _win(
                db, session_id, {"state": "live", "subject": {"$in": [None, subject]}}, change
            )
        if note is not None:
            await audit.write(self._database, note)
        try:
            async with self._database.turn() as db:
                await _follow(db, {**known, **change}, self._limits)
        except Unavailable:
            self._seen.add(session_id)

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
        """As `accept`. With `won`, also what was won and is not being settled by anybody."""
        change: Document = {
            "state": now_is,
            "finished_at": utc(at),
            "reasons": list(reasons),
            "evidence": evidence,
            UNSETTLED: {"at": utc(at), "failure": failure, "template": None, **_noted(note)},
        }
        states: Document = {"state": "live"}
        if won:
            states = {"$or": [states, {"state": "accepted", **_LEFT}]}
        async with self._database.turn() as db:
            known = await _known(db, session_id)
            await _win(db, session_id, states, change)
        try:
            if note is not None:
                await audit.write(self._database, note)
            async with self._database.turn() as db:
                return await _follow(db, {**known, **change}, self._limits)
        except Unavailable:
            self._seen.add(session_id)
            return None

    async def settle(self, chain: Chain | None = None) -> int:
        """What was left undone since the last time: its process is dead, or lost its answer."""
        async with self._database.turn(long=True) as db:
            found = await db["sessions"].find({"unsettled.at": {"$exists": True}}).to_list()
            left = {document["_id"]: document for document in found}
            due, self._seen = self._seen & set(left), set(left) - self._seen
            under_way = await galleries.left_open(db)
            dead, self._seen_open = self._seen_open & under_way, under_way - self._seen_open
            for client_id, token in sorted(dead):
                await galleries.close_late(db, client_id, token)
        settled = [await self._settle_one(left[session_id], chain) for session_id in sorted(due)]
        return sum(settled)

    async def _settle_one(self, ended: Mapping[str, Any], chain: Chain | None) -> bool:
        """From here on the process that won it, if it lives, cannot refuse it any more."""
        entry = _entry(ended[UNSETTLED])
        if entry is not None and chain is None:
            return False
        async with self._database.turn() as db:
            mine = await db["sessions"].update_one(
                {"_id": ended["_id"], "state": ended["state"], "unsettled.at": {"$exists": True}},
                {"$set": {"unsettled.settling": True}},
            )
        if not mine.matched_count:
            return True
        if ended[UNSETTLED].get("forget"):
            async with self._database.turn(long=True) as db:
                await _undo(db, ended)
            return True
        if entry is not None and chain is not None:
            await audit.write(self._database, Note(entry, chain))
        async with self._database.turn(long=True) as db:
            with contextlib.suppress(NotFound, Enrolled):
                await _follow(db, ended, self._limits, late=True)
        return True


def _noted(note: Note | None) -> Document:
    return {} if note is None else {"note": {"ref": note.entry.ref, "body": note.entry.body}}


def _entry(following: Mapping[str, Any]) -> AuditEntry | None:
    note = following.get("note")
    return None if note is None else AuditEntry(note["ref"], note["body"])


_LEFT: Mapping[str, Any] = {
    "unsettled.at": {"$exists": True},
    "unsettled.settling": {"$exists": False},
    FORGET: {"$exists": False},
}


async def _known(db: AsyncDatabase[Document], session_id: str) -> Document:
    document = await db["sessions"].find_one({"_id": session_id})
    if document is None:
        raise NotFound("session")
    return document


async def _nobody_yet(db: AsyncDatabase[Document], template: TemplateRecord) -> None:
    """The unique index has the last word; this spares the record of most who lose."""
    owner = {"client_id": template.client_id, "subject": template.subject}
    if await db["templates"].find_one(owner, {"_id": 1}) is not None:
        raise Enrolled("template")


async def _win(
    db: AsyncDatabase[Document], session_id: str, states: Mapping[str, Any], change: Document
) -> None:
    """The one write that decides."""
    won = await db["sessions"].update_one({"_id": session_id, **states}, {"$set": change})
    if not won.matched_count:
        known = await _known(db, session_id)  # or it was forgotten meanwhile
        if known.get(UNSETTLED, {}).get("forget"):
            raise NotFound("session")
        raise Conflict("session")


async def _follow(
    db: AsyncDatabase[Document],
    ended: Mapping[str, Any],
    limits: Limits,
    *,
    late: bool = False,
) -> Refused | None:
    """What `unsettled` asks for, then the end of it; why another try may not begin now.

    `late`: somebody may have gone on meanwhile. Raises NotFound, Enrolled.
    """
    following = ended[UNSETTLED]
    owner = {"client_id": ended["client_id"], "subject": ended["subject"]}
    if following.get("compared") is not None:
        await _still_there(db, ended, {**owner, "template_id": following["compared"]})
    if following["template"] is not None:
        await _store(db, ended, owner, following["template"], late=late)
    elif ended["state"] == "accepted":
        await retention.succeeded(db, owner, following["at"])
    # None is a success. A session of a version before took no tries.
    refused = await tries.end(db, ended, limits, failed=following["failure"], at=following["at"])
    # The last word: a removal of the person that began before this waits until all is undone, one
    # that begins after it finds what was written.
    closed = await db["sessions"].update_one(
        {"_id": ended["_id"], FORGET: {"$exists": False}}, {"$unset": {UNSETTLED: ""}}
    )
    if not closed.matched_count:
        await _undo(db, ended)
        raise NotFound("session")
    return refused


async def _undo(db: AsyncDatabase[Document], ended: Mapping[str, Any]) -> None:
    """The person is being forgotten: the template goes, then the session, whose going is what the
    removal waits for (`MongoStore.forget_subject`); it takes the rest."""
    template = ended[UNSETTLED]["template"]
    if template is not None:
        whose = (ended["client_id"], ended["subject"])
        await templates.forget(db, *whose, template["template_id"])
    await db["sessions"].delete_one({"_id": ended["_id"]})


async def _still_there(
    db: AsyncDatabase[Document], ended: Mapping[str, Any], compared: Mapping[str, Any]
) -> None:
    """Else nobody is named who was forgotten meanwhile. Raises NotFound."""
    if await db["templates"].find_one(compared, {"_id": 1}) is None:
        named = None if ended["purpose"] == "identify" else ended["subject"]
        lost: Document = {"state": "rejected", "reasons": ["internal"], "subject": named}
        await db["sessions"].update_one(
            {"_id": ended["_id"]}, {"$set": lost, "$unset": {UNSETTLED: ""}}
        )
        raise NotFound("template")


async def _store(
    db: AsyncDatabase[Document],
    ended: Mapping[str, Any],
    owner: Document,
    content: Document,
    *,
    late: bool,
) -> None:
    """The template becomes the subject's; raises Enrolled, NotFound, and then takes it back."""
    this = {**owner, "template_id": content["template_id"]}
    async with galleries.changing(db, owner["client_id"], owner["subject"]) as number:
        whole = {"vector": None, "consent": None, **content, "changed": number}
        before = None
        if ended["replace"]:
            before = await db["templates"].find_one(owner, {"template_id": 1})
        try:
            if not ended["replace"]:
                await db["templates"].insert_one({**owner, **whole})
            elif late:
                # Not over one that is newer: who enrolled again since then keeps that.
                older = {**owner, "created_at": {"$lte": content["created_at"]}}
                await db["templates"].update_one(older, {"$set": whole}, upsert=True)
            else:
                await upsert(db, "templates", owner, {"$set": whole})
        except DuplicateKeyError as error:
            if not ended["replace"] and await db["templates"].find_one(this, {"_id": 1}) is None:
                lost: Document = {"state": "rejected", "reasons": ["internal"]}
                await db["sessions"].update_one(
                    {"_id": ended["_id"]}, {"$set": lost, "$unset": {UNSETTLED: ""}}
                )
                raise Enrolled("template") from error
        else:
            await galleries.replaced(db, owner["client_id"], number, before, content["template_id"])
        await owned(db, "templates", owner["client_id"], this)
