"""The members of answers, as JSON Schema 2020-12.

Tests hold every answer of the server against them. Not here: the fields of requests (fields.py),
what an address answers (operations.py). Source: docs/protocol.md, "HTTP", "Errors", "Export".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.reasons import Purpose, Reason
from server.http.fields import CONSENT, SUBJECT, TICKET
from server.store.tries import Kind

Schema = Mapping[str, Any]


def members(**named: Schema) -> dict[str, Any]:
    """An object with exactly these members."""
    return {
        "type": "object",
        "properties": named,
        "required": list(named),
        "additionalProperties": False,
    }


def listed(each: Schema) -> dict[str, Any]:
    """A list of such values."""
    return {"type": "array", "items": each}


def maybe(one: Schema) -> dict[str, Any]:
    """Such a value, or null."""
    return {"anyOf": [one, {"type": "null"}]}


def words(*known: str) -> dict[str, Any]:
    """One of these."""
    return {"type": "string", "enum": list(known)}


TEXT: Schema = {"type": "string"}
YES: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SECONDS: Schema = {"type": "number", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time"}
"""RFC 3339, UTC, to the millisecond."""
OPEN: Schema = {"type": "object"}
"""An object whose members later versions add to."""

_PURPOSE = words(*Purpose)
_STATE = words("new", "live", "accepted", "rejected", "expired")
_REASONS = listed(words(*Reason))
_AGREED = maybe(members(**dict.fromkeys((*CONSENT.names, "purpose"), TEXT), at=TIME))

PROBLEM: Schema = {
    "type": "object",
    "properties": {
        "error": members(code=TEXT, text=TEXT, retry=YES),
        "line": members(ahead=COUNT, wait_s=SECONDS),
    },
    "required": ["error"],
    "additionalProperties": False,
}
"""Every refusal; `line` comes with `busy` alone."""

OAUTH_ERROR: Schema = members(error=TEXT, error_description=TEXT)
"""A refusal of RFC 6749 section 5.2."""

MADE = members(
    session=TICKET.schema(),
    ticket=TICKET.schema(),
    expires_at=TIME,
    ice_servers=listed(
        {
            "type": "object",
            "properties": {"urls": listed(TEXT), "username": TEXT, "credential": TEXT},
            "required": ["urls"],
            "additionalProperties": False,
        }
    ),
    consent=YES,
)
SHOWN = members(
    session=TICKET.schema(),
    purpose=_PURPOSE,
    subject=maybe(SUBJECT.schema()),
    state=_STATE,
    reasons=_REASONS,
    duplicate=YES,
    created_at=TIME,
    finished_at=maybe(TIME),
)
ASKED = members(consent=maybe(members(**dict.fromkeys((*CONSENT.names, "purpose", "body"), TEXT))))
ANSWER = members(type=words("answer"), sdp=TEXT)

SUBJECT_SHOWN = members(
    subject=SUBJECT.schema(),
    enrolled=YES,
    usable=YES,
    since=maybe(TIME),
    model=maybe(TEXT),
    consent=_AGREED,
)
ERASED: Schema = {"type": "object", "additionalProperties": COUNT}
REMOVED = members(removed=COUNT, erased=ERASED, receipt=TEXT)
UNLOCKED = members(unlocked=COUNT)
INVITED = members(url=TEXT, expires_at=TIME)
EXPORT = members(
    client=TEXT,
    subject=SUBJECT.schema(),
    exported_at=TIME,
    template=maybe(
        members(
            id=TEXT,
            model=TEXT,
            created_at=TIME,
            quality={"type": "number"},
            form=TEXT,
            key=TEXT,
            vectors=maybe(COUNT),
            numbers=maybe(COUNT),
            bytes=COUNT,
            consent=_AGREED,
        )
    ),
    sessions=listed(
        members(
            session=TEXT,
            purpose=_PURPOSE,
            state=_STATE,
            created_at=TIME,
            expires_at=TIME,
            claimed_at=maybe(TIME),
            finished_at=maybe(TIME),
            reasons=_REASONS,
            replace=YES,
            challenge=TEXT,
            evidence=listed(OPEN),
            consent=maybe(OPEN),
        )
    ),
    tries=listed(
        members(
            of=words(*Kind),
            in_a_row=COUNT,
            in_all=COUNT,
            last_at=maybe(TIME),
            known_until=maybe(TIME),
        )
    ),
    last_success_at=maybe(TIME),
    fingerprints=listed(members(session=TEXT, created_at=TIME)),
    recordings=listed(members(name=TEXT, recorded_at=maybe(TIME))),
    logins=listed(
        members(
            login=TEXT,
            state=TEXT,
            shown=listed(TEXT),
            session=maybe(TEXT),
            attempts=COUNT,
            created_at=TIME,
            expires_at=TIME,
        )
    ),
    keys=listed(
        members(id=TEXT, kind=TEXT, name=TEXT, count=COUNT, created_at=TIME, used_at=maybe(TIME))
    ),
    one_time_password=maybe(
        members(form=TEXT, key=TEXT, created_at=TIME, used_at=maybe(TIME)),
    ),
    recovery_codes=members(left=COUNT, used_at=maybe(TIME)),
    invitations=listed(
        members(
            kind=TEXT,
            by=TEXT,
            return_url=maybe(TEXT),
            created_at=TIME,
            expires_at=TIME,
            profile=maybe(OPEN),
        )
    ),
    profile=maybe(members(key=TEXT, content=maybe(OPEN))),
)
JWKS = members(
    keys=listed(
        {
            "type": "object",
            "properties": dict.fromkeys(
                ("kty", "crv", "x", "y", "n", "e", "kid", "use", "alg"), TEXT
            ),
            "required": ["kty", "kid", "alg"],
        }
    )
)
HEALTH = members(status=words("ok"))
READY: Schema = {
    "type": "object",
    "properties": {"status": words("ready"), "processes": members(ready=COUNT, of=COUNT)},
    "required": ["status"],
    "additionalProperties": False,
}

PROVIDER: Schema = {
    "type": "object",
    "properties": {"issuer": TEXT, "authorization_endpoint": TEXT, "jwks_uri": TEXT},
    "required": ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"],
}
"""server/oidc/discovery.py has all of it."""
PUSHED = members(request_uri=TEXT, expires_in=COUNT)
TOKENS = members(
    access_token=TICKET.schema(),
    token_type=words("Bearer"),
    expires_in=COUNT,
    scope=TEXT,
    id_token=TEXT,
)
USERINFO: Schema = {
    "type": "object",
    "properties": {
        "sub": TEXT,
        "preferred_username": TEXT,
        "name": TEXT,
        "email": TEXT,
        "email_verified": YES,
    },
    "required": ["sub"],
    "additionalProperties": False,
}
INTROSPECTED: Schema = {
    "type": "object",
    "properties": {"active": YES},
    "required": ["active"],
}
"""RFC 7662 section 2.2 names the other members."""
