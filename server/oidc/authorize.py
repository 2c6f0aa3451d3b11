"""What a relying app asks for at /authorize: read, checked, kept with the login.

Pure: a client's settings and parameters in; a checked request, or a refusal, out. Here, too: which
refusals never redirect. Not here: who the client is, the login (login.py).
Source: OpenID Connect Core 3.1.2; RFC 6749 sections 3.1 and 4.1; RFC 7636; RFC 9700 section 2.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

from server.oidc.registration import registered
from server.problems import Problem
from server.store.relying import RelyingParty

SCOPES = ("openid", "profile", "email")
"""Those that do something. `offline_access` and unknown ones are ignored (Core 3.1.2.1, 11)."""
RESPONSE_MODES = ("query", "form_post")
PROMPTS = ("none", "login", "consent", "select_account")
LOCALES = ("en", "de")
"""Languages of the login page."""
PUSHED = "urn:ietf:params:oauth:request_uri:"
"""How our own request_uri begin (RFC 9126 section 2.2)."""

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""SHA-256 in base64url: 43 characters (RFC 7636 section 4.2)."""


class Declined(Exception):
    """A request that is told so by the way that it came (RFC 6749 section 4.1.2.1)."""

    def __init__(
        self,
        error: str,
        text: str,
        *,
        redirect_uri: str,
        state: str | None = None,
        response_mode: str = "query",
    ) -> None:
        super().__init__(error)
        self.error = error
        self.description = text
        """For people: printable ASCII without quotes (RFC 6749 section 4.1.2.1)."""
        self.redirect_uri = redirect_uri
        self.state = state
        self.response_mode = response_mode


_Refusal = Callable[[str, str], Declined]
"""Made of an error and a text for people."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, checked."""

    client_id: str
    redirect_uri: str
    response_mode: str
    scopes: tuple[str, ...]
    state: str | None = None
    nonce: str | None = None
    code_challenge: str | None = None
    """Of method S256; None: the client relies on its nonce."""
    acr_values: tuple[str, ...] = ()
    """Preferred first; unknown ones included."""
    login_hint: str | None = None
    """What the app believes who it is; may be anything."""
    ui_locales: tuple[str, ...] = ()
    """Preferred first."""
    expected_sub: str | None = None
    """Of an id_token_hint: nobody else may log in (Core 3.1.2.1)."""

    def to_json(self) -> str:
        """As a login keeps it."""
        return json.dumps(asdict(self))


def request_of(text: str) -> Request:
    """What `Request.to_json` wrote."""
    said = json.loads(text)
    lists = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
    return Request(**{**said, **lists})


def single(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Parameters by name; one without a value is as if it were absent (RFC 6749 section 3.1).

    Raises Problem oidc_parameter_twice: two readers could take two different ones for the one.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise Problem("oidc_parameter_twice")
        found[name] = value
    return {name: value for name, value in found.items() if value}


def redirect_uri_of(asked: Mapping[str, str], relying: RelyingParty) -> str:
    """Where the answer goes. Raises Problem oidc_redirect_uri, which is told on a page of ours:
    nobody may be sent to an address that the operator did not register (RFC 9700 section 4.1)."""
    uri = asked.get("redirect_uri")
    if uri is None or not registered(uri, relying):
        raise Problem("oidc_redirect_uri")
    return uri


def checked(asked: Mapping[str, str], client_id: str, relying: RelyingParty) -> Request:
    """The request of a registered client. Raises Problem oidc_redirect_uri, and Declined."""
    uri = redirect_uri_of(asked, relying)
    mode = asked.get("response_mode", "query")

    def no(error: str, text: str) -> Declined:
        told = mode if mode in RESPONSE_MODES else "query"
        return Declined(error, text, redirect_uri=uri, state=asked.get("state"), response_mode=told)

    # Core 3.1.2.6 and 6: what is not supported is refused by its name, because a request object
    # would hold what is not looked at here.
    for name in ("request", "request_uri", "registration"):
        if name in asked:
            raise no(f"{name}_not_supported", f"The parameter {name} is not supported.")
    if mode not in RESPONSE_MODES:
        raise no("invalid_request", "response_mode is query or form_post.")
    if "response_type" not in asked:
        raise no("invalid_request", "response_type is missing.")
    if asked["response_type"] != "code":
        raise no("unsupported_response_type", "The only response_type is code.")
    scopes = asked.get("scope", "").split(" ")
    if "openid" not in scopes:
        raise no("invalid_scope", "The scope openid is missing.")
    if not re.fullmatch(r"[0-9]{1,10}", asked.get("max_age", "0")):
        raise no("invalid_request", "max_age is a number of seconds.")
    _check_pkce(asked, relying, no)
    prompt = asked.get("prompt", "login").split(" ")
    if set(prompt) - set(PROMPTS) or ("none" in prompt and len(prompt) > 1):
        raise no("invalid_request", "prompt is none, or of login, consent and select_account.")
    if prompt == ["none"]:
        # There is no session: everybody is seen anew (docs/oidc.md).
        raise no("login_required", "Every login needs the person.")
    return Request(
        client_id=client_id,
        redirect_uri=uri,
        response_mode=mode,
        scopes=tuple(name for name in SCOPES if name in scopes),
        state=asked.get("state"),
        nonce=asked.get("nonce"),
        code_challenge=asked.get("code_challenge"),
        acr_values=tuple(asked.get("acr_values", "").split()),
        login_hint=asked.get("login_hint"),
        ui_locales=tuple(asked.get("ui_locales", "").split()),
    )


def _check_pkce(asked: Mapping[str, str], relying: RelyingParty, no: _Refusal) -> None:
    """RFC 7636 section 4.3; RFC 9700 section 2.1.1."""
    challenge, method = asked.get("code_challenge"), asked.get("code_challenge_method")
    if challenge is None:
        if method is not None:
            raise no("invalid_request", "A code_challenge_method needs a code_challenge.")
        if relying.pkce == "required":
            raise no("invalid_request", "A code_challenge of method S256 is missing.")
    elif method != "S256" or not _CHALLENGE.fullmatch(challenge):
        # Without a method it would be plain, which shows the verifier to whom it hides it from.
        raise no("invalid_request", "The code_challenge_method is S256.")
    if relying.pkce == "nonce" and "nonce" not in asked:
        raise no("invalid_request", "A nonce is missing.")
