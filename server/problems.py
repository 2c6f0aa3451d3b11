"""What a caller over HTTP did wrong, or what the server cannot do now: one code, one JSON shape.

Here: the table of codes, and `Problem`. Not here: the answer that it becomes
(server/http/answers.py), reasons (the person's, pipeline/reasons.py).
Source: docs/protocol.md, "Errors".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table."""

    status: int
    """HTTP status code (RFC 9110 section 15)."""
    text: str
    """For people; never holds what the caller sent."""
    retry: bool = False
    """Whether the same request may work later."""


KINDS: Mapping[str, Kind] = {
    "request_malformed": Kind(400, "The body is not a JSON object."),
    "request_invalid": Kind(400, "A field of the request is missing, unknown or not allowed."),
    "request_too_large": Kind(413, "The body is too large."),
    "request_too_slow": Kind(408, "The body did not arrive in time.", True),
    "request_encoded": Kind(415, "The body is compressed, which this server does not take."),
    "request_bad": Kind(400, "The request is not valid HTTP for this server."),
    "not_found": Kind(404, "There is nothing at this address."),
    "method_not_allowed": Kind(405, "This address does not take this method."),
    "client_unauthorized": Kind(401, "Client id or secret is wrong."),
    "client_changed": Kind(
        503, "The row of this relying app was changed in the database; the operator must look."
    ),
    "oidc_client_unknown": Kind(
        400, "No app of this client_id is registered here for OpenID Connect."
    ),
    "oidc_redirect_uri": Kind(
        400, "This app may not send you here with such a redirect_uri, which is not registered."
    ),
    "oidc_parameter_twice": Kind(400, "A parameter of the request comes twice."),
    "oidc_request_uri": Kind(
        400, "This login was started before or too long ago. Start again where you came from."
    ),
    "oidc_logout": Kind(
        400, "The app that sent you here asks for a way back that is not registered."
    ),
    "invalid_client": Kind(401, "The client is unknown, or shows another way than its own."),
    "invalid_request": Kind(400, "A parameter is missing or not allowed."),
    "invalid_grant": Kind(
        400, "The code is unknown, used, expired or another's, or its verifier does not fit."
    ),
    "unsupported_grant_type": Kind(400, "The only grant_type is authorization_code."),
    "invalid_token": Kind(401, "The access token is unknown, revoked or expired."),
    "unsupported_response_type": Kind(400, "The only response_type is code."),
    "invalid_scope": Kind(400, "The scope openid is missing."),
    "login_required": Kind(400, "Every login needs the person."),
    "request_not_supported": Kind(400, "The parameter request is not supported."),
    "registration_not_supported": Kind(400, "The parameter registration is not supported."),
    "metrics_forbidden": Kind(403, "Metrics are for the operator only."),
    "origin_not_allowed": Kind(403, "This web origin may not use this session."),
    "session_unknown": Kind(404, "There is no such session."),
    "subject_enrolled": Kind(409, "This subject has a template; ask for it to be replaced."),
    "people_elsewhere": Kind(
        409, "The people of this client are another's; they log in here by OpenID Connect alone."
    ),
    "consent_needed": Kind(
        409, "An enrolment needs the person's consent, to the text that this client asks for now."
    ),
    "ticket_invalid": Kind(401, "The ticket is wrong or has expired."),
    "ticket_used": Kind(409, "The ticket has been used."),
    "too_many_requests": Kind(429, "Requests come too fast.", True),
    "too_many_connections": Kind(503, "There are too many connections at this moment.", True),
    "too_many_failures": Kind(429, "Too many failed attempts; wait before the next.", True),
    "face_disabled": Kind(
        403, "Too many failed attempts in all; use another factor until the face is unlocked."
    ),
    "too_many_sessions": Kind(
        429, "This person or this address has as many sessions as it may at this moment.", True
    ),
    "invitation_over": Kind(410, "This invitation was used or is too old; ask for a new one."),
    "login_over": Kind(410, "This login was used or is too old; start again at the app."),
    "login_foreign": Kind(403, "This login was begun in another browser; start again at the app."),
    "login_step": Kind(409, "This is not what the login asks for now; load its page again."),
    "level_unmet": Kind(403, "This way is not enough for the app; use another one."),
    "key_refused": Kind(403, "The key does not open this login; use another key or another way."),
    "face_refused": Kind(403, "This face was not accepted in this login; look into the camera."),
    "code_refused": Kind(403, "The code is wrong or was used; take the next one."),
    "busy": Kind(503, "The server has as many sessions as it takes.", True),
    "store_unavailable": Kind(503, "The server cannot reach its database.", True),
    "store_broken": Kind(503, "The server's database is damaged; the operator must mend it."),
    "server_stopping": Kind(503, "The server is being stopped.", True),
    "not_ready": Kind(503, "The server is not ready yet.", True),
    "internal": Kind(500, "The server made a mistake.", True),
}
"""Every code that an HTTP answer may carry, but for those of `server.rtc.lines`, which come with
texts of their own and status 400."""

_OF_AN_OFFER = Kind(400, "The offer is not one this server can answer.")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands in line."""

    ahead: int
    """People before."""
    wait_s: float
    """How long it will take, as far as is known."""


class Problem(Refusal):
    """A refusal that the caller learns of."""

    def __init__(
        self,
        code: str,
        text: str | None = None,
        *,
        retry_after_s: float | None = None,
        standing: Standing | None = None,
    ) -> None:
        kind = KINDS.get(code, _OF_AN_OFFER)
        super().__init__(code, text or kind.text)
        self.status = kind.status
        self.retry = kind.retry
        self.retry_after_s = retry_after_s
        self.standing = standing
        """Set where the caller waits in line."""
