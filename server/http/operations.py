"""What each address takes and answers: one table, from which routes.py adds the routes, and
openapi.py describes them.

Not here: who does it (routes.py), the fields of bodies (fields.py), the members of answers
(schemas.py), what a code means (server/problems.py). Source: docs/protocol.md, "HTTP".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.http import schemas
from server.http.fields import OFFER, SESSION, UNLOCK, Field
from server.rtc.lines import CODES

CLIENT, TICKET, OPERATOR = "client", "ticket", "operator"
"""Who may ask: names of the security schemes in openapi.py."""

ANYWHERE = (
    "request_bad",
    "request_encoded",
    "request_too_slow",
    "too_many_connections",
    "internal",
)
"""What any request may be answered, whatever its address."""
_STORED = ("not_ready", "store_unavailable", "store_broken")
_BACKEND = (*_STORED, "client_unauthorized", "client_changed", "too_many_requests")
_PAGE = (*_STORED, "client_changed", "origin_not_allowed", "ticket_invalid", "too_many_requests")
_BODY = ("request_malformed", "request_invalid", "request_too_large")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one address."""

    name: str
    method: str
    path: str
    """Of this server; `{session}`, `{subject}` and `{file}` are filled in."""
    text: str
    status: int = 200
    """Of a success."""
    answer: Mapping[str, Any] | None = None
    """JSON Schema of a success's body; None where there is none."""
    media: tuple[str, ...] = ("application/json",)
    who: str | None = None
    body: Sequence[Field] = ()
    body_needed: bool = True
    problems: tuple[str, ...] = ()
    """Codes of refusals beside those of ANYWHERE."""
    head: bool = False
    """Whether HEAD is answered as well (RFC 9110 section 9.3.2)."""
    tagged: bool = False
    """Whether an answer has an ETag, and `If-None-Match` is answered 304."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that a page or a backend may send, and what for."""
    example: Mapping[str, Any] | None = None
    """A body that is taken."""


_NONCE = "b1f0c0a5-5a0e-4f5e-9a6b"

OPERATIONS = (
    Operation(
        "create_session",
        "POST",
        "/v1/sessions",
        "Start an attempt. Subject is needed for enroll and login, and absent for identify.",
        201,
        schemas.MADE,
        who=CLIENT,
        body=SESSION,
        problems=(*_BACKEND, *_BODY, "server_stopping", "subject_enrolled"),
        example={"purpose": "login", "subject": "ann", "nonce": _NONCE},
    ),
    Operation(
        "show_session",
        "GET",
        "/v1/sessions/{session}",
        "How an attempt went.",
        answer=schemas.SHOWN,
        who=CLIENT,
        problems=(*_BACKEND, "session_unknown"),
    ),
    Operation(
        "show_consent",
        "GET",
        "/v1/sessions/{session}/consent",
        "The text that the person of an enrolment is to agree to; null for other purposes.",
        answer=schemas.ASKED,
        who=TICKET,
        problems=(*_PAGE, "server_stopping", "ticket_used"),
        headers={"Accept-Language": "Which language of the text fits best."},
    ),
    Operation(
        "take_offer",
        "POST",
        "/v1/sessions/{session}/offer",
        "Use the ticket: an offer of one video track and one data channel is answered. Only the"
        " offer of an enrolment has a consent, and has to.",
        answer=schemas.ANSWER,
        who=TICKET,
        body=OFFER,
        problems=(
            *_PAGE,
            *_BODY,
            *CODES,
            "server_stopping",
            "ticket_used",
            "consent_needed",
            "too_many_failures",
            "face_disabled",
            "too_many_sessions",
            "busy",
        ),
        headers={"Prefer": "wait=N: be held for up to N seconds, at most 10, until there is room."},
        example={"type": "offer", "sdp": "v=0\r\n..."},
    ),
    Operation(
        "keep_device",
        "POST",
        "/v1/sessions/{session}/device",
        "Fetch the cookie of a known device with the word of a verdict, within a minute, once.",
        204,
        who=TICKET,
        problems=(*_PAGE, "ticket_used"),
    ),
    Operation(
        "show_subject",
        "GET",
        "/v1/subjects/{subject}",
        "Whether a person is enrolled, and whether a login can be compared with the template.",
        answer=schemas.SUBJECT_SHOWN,
        who=CLIENT,
        problems=(*_BACKEND, "request_invalid"),
    ),
    Operation(
        "remove_subject",
        "DELETE",
        "/v1/subjects/{subject}",
        "End a person's open sessions, remove everything that is held, and sign for it.",
        answer=schemas.REMOVED,
        who=CLIENT,
        problems=(*_BACKEND, "request_invalid"),
    ),
    Operation(
        "export_subject",
        "GET",
        "/v1/subjects/{subject}/export",
        "Everything that is held of a person.",
        answer=schemas.EXPORT,
        who=CLIENT,
        problems=(*_BACKEND, "request_invalid"),
    ),
    Operation(
        "unlock_subject",
        "POST",
        "/v1/subjects/{subject}/unlock",
        "Begin all counters of failures anew, once another factor has shown who it is.",
        answer=schemas.UNLOCKED,
        who=CLIENT,
        body=UNLOCK,
        body_needed=False,
        problems=(*_BACKEND, *_BODY),
        example={"forget_devices": False},
    ),
    Operation(
        "jwks",
        "GET",
        "/.well-known/jwks.json",
        "The published keys that tokens are verified with (RFC 7517).",
        answer=schemas.JWKS,
        problems=_STORED,
        head=True,
    ),
    Operation(
        "interface",
        "GET",
        "/openapi.json",
        "This description.",
        answer={"type": "object", "required": ["openapi", "paths"]},
        head=True,
        tagged=True,
    ),
    Operation(
        "healthz",
        "GET",
        "/healthz",
        "The process answers.",
        answer=schemas.HEALTH,
        head=True,
    ),
    Operation(
        "readyz",
        "GET",
        "/readyz",
        "Whether a login would work now.",
        answer=schemas.READY,
        problems=(*_STORED, "server_stopping"),
        head=True,
    ),
    Operation(
        "metrics",
        "GET",
        "/metrics",
        "Counters for the operator, in the text format of Prometheus.",
        answer={"type": "string"},
        media=("text/plain",),
        who=OPERATOR,
        problems=("metrics_forbidden", "not_ready"),
    ),
    Operation(
        "widget",
        "GET",
        "/web/{file}",
        "A module of the widget, or its style sheet.",
        answer={"type": "string"},
        media=("text/javascript", "text/css"),
        problems=("not_found",),
        head=True,
        tagged=True,
    ),
)
"""Every address of this server, in the order of docs/protocol.md."""
