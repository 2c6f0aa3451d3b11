"""Records to store, each valid, each open to changes."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from server.store.keys import KeyRecord
from server.store.port import Client, SessionRecord, Store, TemplateRecord

# Far away, so that no database's own clock finds anything here expired. Whole milliseconds.
NOW = datetime(2090, 5, 17, 8, 30, 0, 123000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
TICKET = hashlib.sha256(b"ticket").digest()


def a_client(client_id: str = "shop", **changes: Any) -> Client:
    client = Client(
        client_id=client_id,
        secret_hash=hashlib.sha256(client_id.encode()).digest(),
        origins=("https://shop.example", "https://shop.example:8443"),
        policy="default",
        created_at=NOW,
    )
    return dataclasses.replace(client, **changes)


def a_session(session_id: str = "s1", **changes: Any) -> SessionRecord:
    record = SessionRecord(
        session_id=session_id,
        client_id="shop",
        purpose="login",
        subject="ada",
        nonce="n" * 16,
        ticket_hash=TICKET,
        state="new",
        created_at=NOW,
        expires_at=NOW + MINUTE,
    )
    return dataclasses.replace(record, **changes)


def a_template(subject: str = "ada", **changes: Any) -> TemplateRecord:
    record = TemplateRecord(
        client_id="shop",
        subject=subject,
        template_id=f"t-{subject}",
        model_id="sface",
        created_at=NOW,
        quality=0.75,
        key_id="0123456789abcdef",
        sealed=bytes(range(256)),
    )
    return dataclasses.replace(record, **changes)


async def everybody(store: Store, client_id: str) -> list[TemplateRecord]:
    """A client's templates by subject, read three at a time."""
    found: list[TemplateRecord] = []
    after = ""
    while page := await store.templates.vectors(client_id, after=after, most=3):
        after = page[-1].subject
        found += await store.templates.of_subjects(client_id, [row.subject for row in page])
    return found


def a_key(kid: str, **changes: Any) -> KeyRecord:
    record = KeyRecord(kid, '{"kty": "EC"}', kid.encode() + bytes(200), NOW, None)
    return dataclasses.replace(record, **changes)
