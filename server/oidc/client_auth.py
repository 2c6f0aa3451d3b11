"""Which relying app asks at /token, /par, /introspect and /revoke, shown in its one way.

Here: client_secret_basic, client_secret_post, private_key_jwt and none. Not here: reading headers
and bodies (server/http/oidc), how often one may fail. Source: RFC 6749 section 2.3; OpenID Connect
Core 9; RFC 7523 section 3; RFC 8725 (JWT best practice).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from server.oidc.registration import alg_of, keys_of
from server.problems import Problem
from server.store.oidc.seen import Seen
from server.store.port import Client, NotFound

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTED_FOR = timedelta(minutes=5)
"""An assertion lives so long at most, and its name is remembered so long."""
LEEWAY = timedelta(seconds=5)
"""How far the two clocks may be apart."""
TYPES = (None, "JWT", "client-authentication+jwt")
"""`typ` of an assertion; never that of our own tokens (RFC 8725 section 3.11)."""
_MOST_CHARACTERS, _MOST_JTI = 8192, 256
_NOBODY = hashlib.sha256(b"no such client").digest()


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request shows of its client."""

    form: Mapping[str, str]
    basic: tuple[str, str] | None = None
    """User and password of an Authorization header; empty ones if it is of another scheme. None:
    there is no such header."""


async def authenticated(
    shown: Presented,
    *,
    find: Callable[[str], Awaitable[Client]],
    seen: Seen,
    audiences: Sequence[str],
    now: datetime,
) -> Client:
    """The registered client that shows its way, and no other.

    `find` raises NotFound; `audiences` are our own names in an assertion. Raises Problem
    invalid_client or invalid_request; Unavailable.
    """
    how, client_id, secret = way_of(shown)
    client: Client | None = None
    with contextlib.suppress(NotFound):
        client = await find(client_id)
    relying = None if client is None else client.relying
    expected = _NOBODY if client is None else client.secret_hash
    # As long for an unknown client as for a wrong secret.
    given = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
    fits = hmac.compare_digest(given, expected)
    if client is None or relying is None or relying.auth != how:
        raise Problem("invalid_client")
    if how == "private_key_jwt":
        fits = await _fits(secret, client, seen, audiences, now)
    elif how == "none":
        fits = True  # a public client: its code_verifier shows who began (RFC 7636)
    if not fits:
        raise Problem("invalid_client")
    return client


def way_of(shown: Presented) -> tuple[str, str, str]:
    """Way, client and secret. Raises Problem invalid_request for two ways at once (RFC 6749 section
    2.3), and for two names."""
    form, named = shown.form, shown.form.get("client_id")
    ways = [
        shown.basic is not None,
        "client_secret" in form,
        "client_assertion" in form or "client_assertion_type" in form,
    ]
    if sum(ways) > 1:
        raise Problem("invalid_request", "The client shows two ways at once.")
    if shown.basic is not None:
        how, (client_id, secret) = "client_secret_basic", shown.basic
    elif "client_secret" in form:
        how, client_id, secret = "client_secret_post", named or "", form["client_secret"]
    elif ways[2]:
        if form.get("client_assertion_type") != JWT_BEARER:
            raise Problem("invalid_client")
        how, secret = "private_key_jwt", form.get("client_assertion", "")
        client_id = _subject_of(secret)
    else:
        how, client_id, secret = "none", named or "", ""
    if named is not None and named != client_id:
        raise Problem("invalid_request", "The request names two clients.")
    return how, client_id, secret


def _subject_of(assertion: str) -> str:
    """Whose assertion it says it is, not checked yet; "" if it is none."""
    subject = _decoded(assertion, 1).get("sub")
    return subject if isinstance(subject, str) else ""


def _decoded(assertion: str, part: int) -> dict[str, Any]:
    """The header (0) or the claims (1), not checked; {} if it is no assertion."""
    if len(assertion) > _MOST_CHARACTERS or not assertion.isascii():
        return {}
    try:
        said = json.loads(jwt.utils.base64url_decode(assertion.split(".")[part]))
    except (ValueError, IndexError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


async def _fits(
    assertion: str, client: Client, seen: Seen, audiences: Sequence[str], now: datetime
) -> bool:
    """RFC 7523 section 3, item by item; the name last, so that only its owner uses it up."""
    header = _decoded(assertion, 0)
    if header.get("typ") not in TYPES or header.keys() & {"crit", "b64"}:
        return False
    claims = _verified(assertion, header, client)
    if claims is None or claims.get("iss") != client.client_id:  # items 1 and 2
        return False
    if claims.get("sub") != client.client_id:
        return False
    aud = claims.get("aud")
    named = aud if isinstance(aud, list) else [aud]
    if not named or any(one not in audiences for one in named):
        # Item 3: one that is for another server as well could have been sent on by it.
        return False
    times = [claims.get(name, 0) for name in ("exp", "nbf", "iat")]
    if any(type(one) not in (int, float) for one in times) or "exp" not in claims:
        return False
    try:
        until, not_before, issued = (datetime.fromtimestamp(one, UTC) for one in times)
    except (ValueError, OverflowError, OSError):
        return False
    if not now - LEEWAY < until <= now + ASSERTED_FOR + LEEWAY:  # item 4
        return False
    if max(not_before, issued) > now + LEEWAY:  # items 5 and 6
        return False
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= _MOST_JTI:
        return False
    try:
        return await seen.once(client.client_id, jti, until + LEEWAY, now)  # item 7
    except NotFound:
        return False  # the client was removed at this moment


def _verified(assertion: str, header: Mapping[str, Any], client: Client) -> dict[str, Any] | None:
    """The claims that one of the client's keys signed. What the header says chooses among these
    keys and never the algorithm: that is the key's (RFC 8725 sections 3.1 and 3.10)."""
    assert client.relying is not None
    kid = header.get("kid")
    for key in keys_of(client.relying.jwks or '{"keys": []}'):
        if key.get("kid") is not None and kid is not None and key["kid"] != kid:
            continue
        alg = alg_of(key)
        if header.get("alg") != alg:
            continue
        try:
            payload = jwt.api_jws.decode(
                assertion, jwt.PyJWK(key, algorithm=alg).key, algorithms=[alg]
            )
            claims = json.loads(payload)
        except (jwt.PyJWTError, ValueError, RecursionError):
            continue
        return claims if isinstance(claims, dict) else None
    return None
