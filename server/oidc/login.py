"""How a login begins, and what it ends with: a code for the relying app, or an error.

Not here: what happens between (the login page), the request (authorize.py), who is redirected
how. Source: OpenID Connect Core 3.1.2.5 and 3.1.2.6; RFC 9207 (`iss`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlencode

from server.keys.token import base64url
from server.oidc.authorize import Declined, Request, request_of
from server.oidc.claims import meets, sub_of
from server.oidc.codes import CODE_FOR, Granted, hash_of
from server.oidc.registration import registered
from server.problems import Problem
from server.store.oidc.codes import Code
from server.store.oidc.logins import DONE, Login, Logins
from server.store.port import Client

LASTS = timedelta(minutes=10)
FIRST = "who"
"""The state of a login that was just begun."""


class _Store(Protocol):
    @property
    def logins(self) -> Logins: ...


@dataclass(frozen=True, slots=True)
class Location:
    """Where the browser goes with which answer."""

    url: str
    """The registered redirect address."""
    params: Mapping[str, str]
    response_mode: str = "query"
    """query, or form_post (OAuth 2.0 Form Post Response Mode)."""

    @property
    def href(self) -> str:
        """The address with the answer in its query. One that it has stays (RFC 6749 section
        3.1.2); encoding leaves no line break that would end a header."""
        joint = "&" if "?" in self.url else "?"
        return self.url + joint + urlencode(self.params)


@dataclass(frozen=True, slots=True)
class Begun:
    """A login to be kept, and the secret that binds it to the browser."""

    login: Login
    cookie: str


def begin(
    asked: Request,
    now: datetime,
    *,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Begun:
    """A login of somebody who is not known yet."""
    cookie = base64url(random_bytes(32))
    login = Login(
        login_id=base64url(random_bytes(32)),
        client_id=asked.client_id,
        request=asked.to_json(),
        cookie_hash=hash_of(cookie),
        state=FIRST,
        version=1,
        subject=None,
        shown=(),
        session_id=None,
        attempts=0,
        challenge_salt=random_bytes(32),
        created_at=now,
        expires_at=now + LASTS,
    )
    return Begun(login, cookie)


def cookie_name(login_id: str, *, secure: bool) -> str:
    """One for each login, so that two tabs do not disturb each other. `secure`: whether browsers
    come by TLS, without which they keep no cookie of the prefix `__Host-` (RFC 6265bis 4.1.3)."""
    return f"{'__Host-' if secure else ''}login-{login_id[:8]}"


async def finish(
    store: _Store,
    login: Login,
    *,
    client: Client,
    subject: str,
    shown: Sequence[str],
    auth_time: datetime,
    liveness: Sequence[str],
    issuer: str,
    now: datetime,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Location:
    """End a login with a code, or with an error if the app wants more than was shown.

    `login` is as it is kept; with the code it is DONE, in one act, or refused. `subject` was
    recognised, and `shown` is all that was shown; `liveness` is of the face's token. Raises
    Problem oidc_client_unknown or oidc_redirect_uri: the operator changed the client meanwhile.
    Raises Conflict, NotFound and Unavailable as Logins.move: then there is no code.
    """
    asked = request_of(login.request)
    relying = client.relying
    assert client.client_id == login.client_id, "a login is one client's"
    if relying is None:
        raise Problem("oidc_client_unknown")
    if not registered(asked.redirect_uri, relying):
        raise Problem("oidc_redirect_uri")
    said = meets(relying.min_acr, asked.acr_values, frozenset(shown), key_alone=relying.key_alone)
    error = None
    if said is None:
        error = "unmet_authentication_requirements"
    elif asked.expected_sub not in (None, sub_of(client, subject)):
        error = "login_required"  # Core 3.1.2.2, item 4: somebody else than the hint says
    if said is None or error is not None:
        await store.logins.move(login, replace(login, state="refused"))
        return refuse(login, error or "access_denied", issuer=issuer)
    code = base64url(random_bytes(32))
    granted = Granted(
        scopes=asked.scopes,
        auth_time=int(auth_time.timestamp()),
        acr=said.acr,
        amr=said.amr,
        liveness=tuple(liveness),
        nonce=asked.nonce,
        # Tells this login from others, and nothing else: a login's id opens nothing once it ended,
        # and is not handed out all the same.
        sid=base64url(hashlib.sha256(b"sid " + login.login_id.encode()).digest()[:16]),
    )
    kept = Code(
        code_hash=hash_of(code),
        client_id=login.client_id,
        login_id=login.login_id,
        subject=subject,
        redirect_uri=asked.redirect_uri,
        code_challenge=asked.code_challenge,
        claims=granted.to_json(),
        issued_at=now,
        expires_at=now + CODE_FOR,
    )
    done = replace(login, state=DONE, subject=subject, shown=tuple(shown))
    await store.logins.move(login, done, kept)
    return _answer(asked, issuer, {"code": code})


def refuse(login: Login, error: str, *, issuer: str, text: str | None = None) -> Location:
    """What the relying app is told instead of a code: access_denied, login_required,
    unmet_authentication_requirements, temporarily_unavailable. The caller moves the login."""
    return _answer(
        request_of(login.request),
        issuer,
        {"error": error} | ({} if text is None else {"error_description": text}),
    )


def declined(said: Declined, *, issuer: str) -> Location:
    """The answer to a request that was refused before there was a login."""
    told = {"error": said.error, "error_description": said.description}
    return Location(said.redirect_uri, _told(told, said.state, issuer), said.response_mode)


def _answer(asked: Request, issuer: str, told: Mapping[str, str]) -> Location:
    return Location(asked.redirect_uri, _told(told, asked.state, issuer), asked.response_mode)


def _told(told: Mapping[str, str], state: str | None, issuer: str) -> dict[str, str]:
    # RFC 9207 section 2: in success and in error, so that an app that knows several providers
    # takes no answer of one for that of another.
    return {**told, **({} if state is None else {"state": state}), "iss": issuer}
