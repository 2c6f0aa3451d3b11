"""The collection `logins`: a login, and its code in members that begin with `code_`.

One document, so that a code and the state of its login are one write. Not here: what the verbs mean
(server/store/oidc/logins.py, server/store/oidc/codes.py), redeeming (codes.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson.binary import Binary
from pymongo.errors import DuplicateKeyError

from server.store.mongo.clients import owned
from server.store.mongo.database import Database
from server.store.mongo.documents import Document, utc
from server.store.oidc.codes import Code
from server.store.oidc.logins import Login, moved
from server.store.port import Conflict, NotFound


def _login(document: Mapping[str, Any]) -> Login:
    return Login(
        login_id=document["_id"],
        client_id=document["client_id"],
        request=document["request"],
        cookie_hash=bytes(document["cookie_hash"]),
        state=document["state"],
        version=document["version"],
        subject=document["subject"],
        shown=tuple(document["shown"]),
        session_id=document["session_id"],
        attempts=document["attempts"],
        challenge_salt=bytes(document["challenge_salt"]),
        created_at=document["created_at"],
        expires_at=document["expires_at"],
    )


def _changing(login: Login) -> Document:
    return {
        "version": login.version,
        "state": login.state,
        "subject": login.subject,
        "shown": list(login.shown),
        "session_id": login.session_id,
        "attempts": login.attempts,
        "challenge_salt": Binary(login.challenge_salt),
    }


def _members(code: Code) -> Document:
    return {
        "code_hash": Binary(code.code_hash),
        "code_subject": code.subject,
        "code_redirect_uri": code.redirect_uri,
        "code_challenge": code.code_challenge,
        "code_claims": code.claims,
        "code_issued_at": utc(code.issued_at),
        "code_expires_at": utc(code.expires_at),
        "code_used": False,
        "code_revoked": False,
    }


class Logins:
    """The logins in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, login: Login) -> None:
        """Insert; `_id` finds the Conflict."""
        try:
            async with self._database.turn() as db:
                await db["logins"].insert_one(
                    {
                        "_id": login.login_id,
                        "client_id": login.client_id,
                        "request": login.request,
                        "cookie_hash": Binary(login.cookie_hash),
                        **_changing(login),
                        "created_at": utc(login.created_at),
                        "expires_at": utc(login.expires_at),
                    }
                )
                await owned(db, "logins", login.client_id, {"_id": login.login_id})
        except DuplicateKeyError as error:
            raise Conflict("login") from error

    async def get(self, login_id: str, now: datetime) -> Login:
        """By `_id`; an expired one is absent."""
        async with self._database.turn() as db:
            this: Document = {"_id": login_id, "expires_at": {"$gt": utc(now)}}
            document = await db["logins"].find_one(this)
        if document is None:
            raise NotFound("login")
        return _login(document)

    async def move(self, was: Login, now_is: Login, code: Code | None = None) -> Login:
        """One update whose filter holds the version."""
        kept = moved(was, now_is, code)
        there: Document = {"_id": was.login_id}
        expected: Document = {"version": was.version}
        change = _changing(kept)
        if code is not None:
            there["expires_at"] = {"$gt": utc(code.issued_at)}
            expected["code_hash"] = {"$exists": False}
            change |= _members(code)
        async with self._database.turn() as db:
            done = await db["logins"].update_one({**there, **expected}, {"$set": change})
            if not done.matched_count:
                found = await db["logins"].find_one(there, {"_id": 1})
                raise NotFound("login") if found is None else Conflict("login")
        return kept

    async def of_subject(self, client_id: str, subject: str) -> Sequence[Login]:
        """By the index of subjects."""
        async with self._database.turn() as db:
            found = db["logins"].find({"client_id": client_id, "subject": subject})
            documents = await found.sort([("created_at", 1), ("_id", 1)]).to_list()
        return [_login(document) for document in documents]
