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
from server.http.fields import (
    ACCESS,
    AUTHORIZE,
    EXCHANGE,
    INVITATION,
    LOGOUT,
    OFFER,
    ONE_TOKEN,
    PAR,
    SESSION,
    UNLOCK,
    Field,
)
from server.rtc.lines import CODES

CLIENT, TICKET, OPERATOR, APP, ACCESS_TOKEN = "client", "ticket", "operator", "app", "access"
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
JSON, HTML, OAUTH = "json", "html", "oauth"
"""How an operation refuses (answers.py)."""
_BROWSER = (*_STORED, "client_changed", "too_many_requests", *_BODY, "oidc_parameter_twice")
_AUTHORIZE = (*_BROWSER, "oidc_client_unknown", "oidc_redirect_uri", "oidc_request_uri")
_APP = (
    *(*_STORED, "client_changed", "too_many_requests"),
    *("request_malformed", "request_too_large", "oidc_parameter_twice"),
    *("invalid_client", "invalid_request"),
)
_ASKED = (
    *("unsupported_response_type", "invalid_scope", "login_required"),
    *("request_not_supported", "registration_not_supported"),
)


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
    query: Sequence[Field] = ()
    """Parameters in the address; others are ignored."""
    form: Sequence[Field] = ()
    """Parameters in a body of the type application/x-www-form-urlencoded; others are ignored."""
    shape: str = JSON
    """Of its refusals."""


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
        problems=(*_BACKEND, *_BODY, "server_stopping", "subject_enrolled", "people_elsewhere"),
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
        "make_invitation",
        "POST",
        "/v1/invitations",
        "Invite somebody who is not enrolled to do it by themselves, by a link that is good once.",
        201,
        schemas.INVITED,
        who=CLIENT,
        body=INVITATION,
        problems=(*_BACKEND, *_BODY, "subject_enrolled"),
        example={"subject": "bob", "profile": {"name": "Bob", "email": "bob@example.org"}},
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
    *(
        Operation(
            name,
            "GET",
            path,
            f"What this OpenID provider is ({source}).",
            answer=schemas.PROVIDER,
            problems=_STORED,
            head=True,
        )
        for name, path, source in (
            ("discovery", "/.well-known/openid-configuration", "OpenID Connect Discovery 1.0"),
            ("oauth_server", "/.well-known/oauth-authorization-server", "RFC 8414"),
        )
    ),
    Operation(
        "authorize",
        "GET",
        "/authorize",
        "Begin a login: the browser goes to its page, or back to the app with an error.",
        303,
        problems=_AUTHORIZE,
        query=AUTHORIZE,
        shape=HTML,
    ),
    Operation(
        "authorize_form",
        "POST",
        "/authorize",
        "The same, with a form.",
        303,
        problems=_AUTHORIZE,
        form=AUTHORIZE,
        shape=HTML,
    ),
    Operation(
        "push",
        "POST",
        "/par",
        "Push the parameters of /authorize (RFC 9126).",
        201,
        schemas.PUSHED,
        who=APP,
        problems=(*_APP, *_ASKED),
        form=PAR,
        shape=OAUTH,
    ),
    Operation(
        "token",
        "POST",
        "/token",
        "Exchange a code for an id token and an access token, once (RFC 6749).",
        answer=schemas.TOKENS,
        who=APP,
        problems=(*_APP, "invalid_grant", "unsupported_grant_type"),
        form=EXCHANGE,
        shape=OAUTH,
    ),
    *(
        Operation(
            name,
            method,
            "/userinfo",
            "Who logged in, and what the scopes give (OpenID Connect Core 5.3).",
            answer=schemas.USERINFO,
            who=ACCESS_TOKEN,
            problems=(
                *(*_STORED, "client_changed", "too_many_requests"),
                *("request_malformed", "request_too_large", "oidc_parameter_twice"),
                *("invalid_request", "invalid_token"),
            ),
            form=form,
            shape=OAUTH,
        )
        for name, method, form in (("userinfo", "GET", ()), ("userinfo_form", "POST", ACCESS))
    ),
    Operation(
        "introspect",
        "POST",
        "/introspect",
        "Whether an access token of this app is valid (RFC 7662).",
        answer=schemas.INTROSPECTED,
        who=APP,
        problems=_APP,
        form=ONE_TOKEN,
        shape=OAUTH,
    ),
    Operation(
        "revoke",
        "POST",
        "/revoke",
        "End an access token of this app (RFC 7009).",
        who=APP,
        problems=_APP,
        form=ONE_TOKEN,
        shape=OAUTH,
    ),
    Operation(
        "logout",
        "GET",
        "/logout",
        "Send the browser back to where the app registered, or say that nothing is kept.",
        answer={"type": "string"},
        media=("text/html",),
        problems=(*_BROWSER, "oidc_logout"),
        query=LOGOUT,
        shape=HTML,
    ),
    Operation(
        "logout_form",
        "POST",
        "/logout",
        "The same, with a form.",
        answer={"type": "string"},
        media=("text/html",),
        problems=(*_BROWSER, "oidc_logout"),
        form=LOGOUT,
        shape=HTML,
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
        "The widget: `face-login.js`, and what it loads.",
        answer={"type": "string"},
        media=("text/javascript", "text/css"),
        problems=("not_found",),
        head=True,
        tagged=True,
    ),
)
"""Every address of this server, in the order of docs/protocol.md."""
