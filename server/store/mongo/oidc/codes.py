"""Codes, which are members of their login's document (logins.py), and the collection
`access_tokens`. Not here: what the verbs mean (server/store/oidc/codes.py)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bson.binary import Binary
from pymongo.errors import DuplicateKeyError

from server.store.mongo.database import Database
from server.store.mongo.documents import Document, utc
from server.store.oidc.codes import Access, Code
from server.store.port import Conflict, NotFound, Used


def _code(document: Mapping[str, Any]) -> Code:
    return Code(
        code_hash=bytes(document["code_hash"]),
        client_id=document["client_id"],
        login_id=document["_id"],
        subject=document["code_subject"],
        redirect_uri=document["code_redirect_uri"],
        code_challenge=document["code_challenge"],
        claims=document["code_claims"],
        issued_at=document["code_issued_at"],
        expires_at=document["code_expires_at"],
    )


class Codes:
    """The codes in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def redeem(self, code_hash: bytes, client_id: str, now: datetime) -> Code:
        """One update whose filter holds every condition: it matches for one caller."""
        this: Document = {"code_hash": Binary(code_hash), "client_id": client_id}
        async with self._database.turn() as db:
            won = await db["logins"].update_one(
                {**this, "code_used": False, "code_expires_at": {"$gt": utc(now)}},
                {"$set": {"code_used": True}},
            )
            document = await db["logins"].find_one(this)
        if document is None or not (won.matched_count or document["code_used"]):
            raise NotFound("code")
        if not won.matched_count:
            raise Used("code")
        return _code(document)


class AccessTokens:
    """The access tokens in MongoDB."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, access: Access) -> None:
        """Insert, then look at the code: who marks or removes it looks for tokens afterwards."""
        this = {"_id": Binary(access.token_hash)}
        try:
            async with self._database.turn() as db:
                await db["access_tokens"].insert_one(
                    {
                        **this,
                        "code_hash": Binary(access.code_hash),
                        "client_id": access.client_id,
                        "subject": access.subject,
                        "scopes": access.scopes,
                        "claims": access.claims,
                        "expires_at": utc(access.expires_at),
                    }
                )
                good = {"code_hash": Binary(access.code_hash), "code_revoked": False}
                if await db["logins"].find_one(good, {"_id": 1}) is None:
                    await db["access_tokens"].delete_one(this)
                    raise NotFound("code")
        except DuplicateKeyError as error:
            raise Conflict("access token") from error

    async def get(self, token_hash: bytes, now: datetime) -> Access:
        """By `_id`; an expired one is absent."""
        this: Document = {"_id": Binary(token_hash), "expires_at": {"$gt": utc(now)}}
        async with self._database.turn() as db:
            document = await db["access_tokens"].find_one(this)
        if document is None:
            raise NotFound("access token")
        return Access(
            token_hash,
            bytes(document["code_hash"]),
            document["client_id"],
            document["subject"],
            document["scopes"],
            document["claims"],
            document["expires_at"],
        )

    async def revoke(self, token_hash: bytes, client_id: str) -> int:
        """One removal."""
        async with self._database.turn() as db:
            gone = await db["access_tokens"].delete_one(
                {"_id": Binary(token_hash), "client_id": client_id}
            )
        return gone.deleted_count

    async def revoke_of(self, code_hash: bytes) -> int:
        """Mark the code, so that nothing is added later; then remove what was."""
        this = {"code_hash": Binary(code_hash)}
        async with self._database.turn() as db:
            await db["logins"].update_one(this, {"$set": {"code_revoked": True}})
            gone = await db["access_tokens"].delete_many(this)
        return gone.deleted_count
