"""The page's half of consent: it asks for the text of its enrolment, and says what was agreed to.

Not here: the texts and what is recorded (server/people/consent.py), the rest of an offer
(offers.py). Source: docs/protocol.md, "Consent".
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aiohttp import web

from pipeline.reasons import Purpose
from server.http.answers import rfc3339
from server.http.requests import addressed, taking_parts, ticket_of
from server.parts import Parts
from server.people import consent
from server.problems import Problem
from server.session.opening import LONGEST_S
from server.store.port import Conflict, NotFound, SessionRecord

READING_S = 600.0
"""How long the ticket stays good for who reads the text; the longest takes five minutes."""
MOST_LANGUAGES = 20
_TAG = re.compile(r"([A-Za-z0-9*-]{1,32})(?:\s*;\s*q=([01](?:\.[0-9]{0,3})?))?")


async def show_consent(request: web.Request) -> web.Response:
    """A page asks what its person is to agree to, before it opens the camera."""
    parts = taking_parts(request)
    record, client = await addressed(request, parts)
    ticket_hash = ticket_of(request)
    if record is None or client is None or not hmac.compare_digest(record.ticket_hash, ticket_hash):
        raise Problem("ticket_invalid")
    now = parts.now()
    if record.expires_at <= now:
        raise Problem("ticket_invalid")
    if record.state != "new":
        raise Problem("ticket_used")
    if record.purpose != Purpose.ENROLL:
        return _said(None)
    wordings = await consent.asked(parts.store.consents, client.client_id)
    one = consent.in_language(wordings, _languages(request))
    until = now + timedelta(seconds=READING_S)
    longest = record.created_at + timedelta(seconds=LONGEST_S)
    await parts.store.sessions.extend(record.session_id, min(until, longest))
    return _said(one)


def _said(one: consent.Wording | None) -> web.Response:
    shown = one and {
        "text_id": one.text_id,
        "version": one.version,
        "language": one.language,
        "purpose": one.purpose,
        "body": one.body,
        "sha256": one.sha256,
    }
    return web.json_response({"consent": shown}, headers={"Cache-Control": "no-store"})


def _languages(request: web.Request) -> list[str]:
    """The tags of Accept-Language, best first (RFC 9110 section 12.5.4)."""
    header = ",".join(request.headers.getall("Accept-Language", []))
    found = []
    for part in header.split(",")[:MOST_LANGUAGES]:
        tag = _TAG.fullmatch(part.strip())
        if tag is not None and (weight := float(tag[2] or 1)) > 0:
            found.append((-weight, tag[1]))
    return [tag for _, tag in sorted(found, key=lambda one: one[0])]


async def with_consent(
    parts: Parts, record: SessionRecord, ticket_hash: bytes, given: Mapping[str, Any] | None
) -> SessionRecord:
    """The session with what its page said, recorded. Raises Problem consent_needed where an
    enrolment's page did not say exactly what this client asks for now.

    Nothing is asked of a login, and a session that is over is told so by what comes next.
    """
    if record.purpose != Purpose.ENROLL:
        if given is not None:
            raise Problem("request_invalid", "Only the offer of an enrolment has a consent.")
        return record
    now = parts.now()
    if record.state != "new" or record.expires_at <= now:
        return record
    wordings = await consent.asked(parts.store.consents, record.client_id)
    found = given and consent.agreed(
        wordings, given, client=record.client_id, session=record.session_id, at=rfc3339(now)
    )
    if not found:
        raise Problem("consent_needed")
    if record.consent is not None and _same(consent.Consent.from_json(record.consent), found):
        return record  # the same offer again, in line
    try:
        return await parts.store.sessions.agree(
            record.session_id, ticket_hash, found.to_json(), now
        )
    except NotFound:
        raise Problem("ticket_invalid") from None
    except Conflict:
        raise Problem("ticket_used") from None


def _same(before: consent.Consent, now: consent.Consent) -> bool:
    return (before.sha256, before.session) == (now.sha256, now.session)
