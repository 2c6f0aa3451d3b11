"""The relying app's half of a session: its backend starts an attempt and asks how it went.

Both need the client's secret. Not here: the backend's questions about a person (subjects.py),
reading and refusing requests (requests.py), the page's half (offers.py).
Source: docs/protocol.md, "HTTP".
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from pipeline.policy import Policy
from pipeline.reasons import Purpose
from server.http import ice
from server.http.answers import rfc3339
from server.http.consents import READING_S
from server.http.fields import wanted
from server.http.requests import (
    MAX_REQUEST_BYTES,
    body_of,
    client_of,
    count,
    known_client,
    opened_parts,
    policy_of,
    session_of,
    taking_parts,
)
from server.parts import Parts
from server.people.duplicates import is_marked
from server.problems import Problem
from server.session import whom
from server.store.port import Client, NotFound, SessionRecord
from server.store.relying import people_of


async def create_session(request: web.Request) -> web.Response:
    """A relying app's backend starts an attempt."""
    parts = taking_parts(request)
    client = await known_client(request, parts)
    try:
        wish = wanted(await body_of(request, MAX_REQUEST_BYTES))
    except Problem:
        await count(parts, client)
        raise
    purpose, subject, nonce, replace, challenge = wish
    await count(parts, client, subject)
    if people_of(client) != client.client_id:
        raise Problem("people_elsewhere")
    made = await started(
        parts, client, purpose, subject, nonce=nonce, replace=replace, challenge=challenge
    )
    return web.json_response(made, status=201, headers={"Cache-Control": "no-store"})


async def started(
    parts: Parts,
    client: Client,
    purpose: Purpose,
    subject: str | None,
    *,
    nonce: str,
    replace: bool = False,
    challenge: str = "none",
) -> dict[str, Any]:
    """A new session, as its page needs to know it: id, ticket, how the media get through.

    Raises Problem subject_enrolled, client_unauthorized (removed a moment ago); Unavailable.
    """
    now = parts.now()
    session_id, ticket = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    record = SessionRecord(
        session_id=session_id,
        client_id=client.client_id,
        purpose=purpose.value,
        subject=subject,
        nonce=nonce,
        ticket_hash=hashlib.sha256(ticket.encode()).digest(),
        state="new",
        created_at=now,
        expires_at=now + timedelta(seconds=parts.settings.ticket_ttl_s),
        replace=replace,
        challenge=challenge,
    )
    if purpose is Purpose.ENROLL and not replace and await _enrolled(parts, record):
        raise Problem("subject_enrolled")
    try:
        await parts.store.sessions.add(record)
    except NotFound:  # the client was removed a moment ago
        raise Problem("client_unauthorized") from None
    parts.metrics.created.add(purpose.value)
    until = record.expires_at + timedelta(seconds=policy_of(parts, client).time_limit_s)
    if purpose is Purpose.ENROLL:  # whose ticket lasts while the person reads
        until += timedelta(seconds=READING_S)
    return {
        "session": session_id,
        "ticket": ticket,
        "expires_at": rfc3339(record.expires_at),
        "ice_servers": ice.servers(parts.settings, session_id, until),
        "consent": purpose is Purpose.ENROLL,
    }


async def _enrolled(parts: Parts, record: SessionRecord) -> bool:
    try:
        await parts.store.templates.get(record.client_id, record.subject or "")
    except NotFound:
        return False
    return True


async def show_session(request: web.Request) -> web.Response:
    """A relying app's backend asks how an attempt went."""
    parts = opened_parts(request)
    client = await client_of(request, parts)
    record = await session_of(parts, request.match_info["session"])
    if record is None or record.client_id != client.client_id:
        raise Problem("session_unknown")
    finished = record.finished_at
    return web.json_response(
        {
            "session": record.session_id,
            "purpose": record.purpose,
            "subject": record.subject,
            "state": _state(record, policy_of(parts, client), parts.now()),
            "reasons": list(record.reasons),
            "duplicate": is_marked(record.evidence),
            "created_at": rfc3339(record.created_at),
            "finished_at": None if finished is None else rfc3339(finished),
        },
        headers={"Cache-Control": "no-store"},
    )


def _state(record: SessionRecord, policy: Policy, now: datetime) -> str:
    """As recorded; but nobody comes back for a ticket that ran out, or to a server that died."""
    if record.state == "new" and now >= record.expires_at:
        return "expired"
    latest = (record.claimed_at or record.created_at) + timedelta(
        seconds=whom.policy_seconds(policy)
    )
    return "expired" if record.state == "live" and now >= latest else record.state
