"""The page's half: it brings its ticket and its offer, and gets the answer.

Not here: reading and refusing requests (requests.py), the work on an offer
(session/opening.py), the headers that let a page read its answer (middleware.py).
Source: docs/protocol.md, "HTTP".
"""

from __future__ import annotations

import hmac
import re

from aiohttp import web

from server.http.consents import with_consent
from server.http.devices import device_of
from server.http.fields import offered
from server.http.requests import (
    MAX_BODY_BYTES,
    address_of,
    addressed,
    body_of,
    policy_of,
    taking_parts,
    ticket_of,
)
from server.problems import Problem
from server.session.lockout import Caller

LONGEST_WAIT_S = 10.0
"""A question is held no longer: proxies give up after 30 to 60 s."""
_WAIT = re.compile(r'wait\s*=\s*"?([0-9]{1,6})"?', re.IGNORECASE)


async def take_offer(request: web.Request) -> web.Response:
    """A page brings its ticket and its offer."""
    parts = taking_parts(request)
    address, session_id = address_of(request, parts), request.match_info["session"]
    # Asking again in line is free at the pace that we named.
    record, client = await addressed(request, parts, expected=session_id)
    ticket_hash = ticket_of(request)
    # Nothing costly for strangers: the ticket is compared before the body is read.
    if record is None or client is None or not hmac.compare_digest(record.ticket_hash, ticket_hash):
        raise Problem("ticket_invalid")
    sdp, given = offered(await body_of(request, MAX_BODY_BYTES))
    record = await with_consent(parts, record, ticket_hash, given)
    try:
        answer = await parts.opening.answer(
            record,
            ticket_hash,
            sdp,
            policy_of(parts, client),
            Caller(address, device_of(request, parts, record)),
            wait_s=_patience_s(request),
            there=lambda: request.transport is not None and not request.transport.is_closing(),
        )
    except Problem as problem:
        if problem.standing is not None:
            # A clock that is a little fast is no offence.
            parts.rates.expect(session_id, (problem.retry_after_s or 0.0) / 2)
        raise
    return web.json_response(
        {"type": "answer", "sdp": answer}, headers={"Cache-Control": "no-store"}
    )


def _patience_s(request: web.Request) -> float:
    """How long the page lets us wait (RFC 7240 section 4.3); 0 if it does not say."""
    for part in re.split("[,;]", ",".join(request.headers.getall("Prefer", []))):
        if (found := _WAIT.fullmatch(part.strip())) is not None:
            return min(float(found[1]), LONGEST_WAIT_S)
    return 0.0
