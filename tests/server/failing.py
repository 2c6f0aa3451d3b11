"""Failed logins of strangers, as a test needs them, and what their counter says."""

from __future__ import annotations

import secrets
from datetime import datetime

from server.store.port import Store
from server.store.tries import Counter, Kind


def strangers(client_id: str, subject: str) -> Counter:
    """The counter of a subject with a template, on devices that are not known."""
    return Counter(client_id, Kind.STRANGERS, subject, subject)


async def failed(store: Store, client_id: str, subject: str, at: datetime) -> None:
    """One more failure of strangers, at a time at which it may be."""
    counters, session = [strangers(client_id, subject)], secrets.token_hex(8)
    refused = await store.tries.take(session, counters, at)
    assert refused is None, refused
    await store.tries.end(session, counters, failed=True, at=at)


async def failures(store: Store, client_id: str, subject: str) -> int:
    """How many strangers failed in a row."""
    return (await store.tries.tally(strangers(client_id, subject))).n
