"""A code becomes tokens, once: the id token says who logged in, the access token opens /userinfo.

Not here: who asks (client_auth.py), what the tokens say (claims.py), the keys (server/keys/).
Source: RFC 6749 sections 4.1.3 and 5; RFC 7636 section 4.6; OpenID Connect Core 3.1.3.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from server.keys.token import base64url
from server.oidc.claims import id_token
from server.oidc.codes import granted_of, hash_of
from server.problems import Problem
from server.store.oidc.codes import Access, Code
from server.store.oidc.nouns import OidcNouns
from server.store.port import Client, NotFound, Used

LASTS = timedelta(seconds=300)
"""Of both tokens. There is no refresh token: whoever wants to know more asks the person anew."""
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""RFC 7636 section 4.1."""


class Signer(Protocol):
    """Who signs id tokens (server/keys/keyring.py)."""

    async def sign(self, claims: Mapping[str, Any], *, alg: str, typ: str, now: datetime) -> str:
        """A JWT with the newest key of that algorithm. Raises Unavailable, VaultError."""


Profiles = Callable[[str], Awaitable[Mapping[str, Any]]]
"""What is held of a subject beside the face."""


async def _none(subject: str) -> Mapping[str, Any]:
    return {}


async def exchange(
    nouns: OidcNouns,
    signer: Signer,
    client: Client,
    form: Mapping[str, str],
    *,
    issuer: str,
    now: datetime,
    profile_of: Profiles = _none,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> dict[str, Any]:
    """The answer of /token to a client that was authenticated.

    Raises Problem invalid_request, unsupported_grant_type, invalid_grant; Unavailable, VaultError.
    """
    if "grant_type" not in form:
        raise Problem("invalid_request", "grant_type is missing.")
    if form["grant_type"] != "authorization_code":
        raise Problem("unsupported_grant_type")
    if "code" not in form or "redirect_uri" not in form:
        raise Problem("invalid_request", "code or redirect_uri is missing.")
    code = await _redeemed(nouns, hash_of(form["code"]), client, now)
    if code.redirect_uri != form["redirect_uri"]:  # RFC 6749 section 4.1.3
        raise Problem("invalid_grant")
    _check_verifier(form.get("code_verifier"), code.code_challenge)
    assert client.relying is not None, "client_auth.py lets no other in"
    if code.code_challenge is None and client.relying.pkce == "required":
        raise Problem("invalid_grant")  # since the login began; nothing else binds a public client
    granted = granted_of(code.claims)
    access_token = base64url(random_bytes(32))
    scope = " ".join(granted.scopes)
    access = Access(
        token_hash=hash_of(access_token),
        code_hash=code.code_hash,
        client_id=client.client_id,
        subject=code.subject,
        scopes=scope,
        claims=code.claims,
        expires_at=now + LASTS,
    )
    claims = id_token(
        client,
        code.subject,
        granted,
        access_token=access_token,
        issuer=issuer,
        now=now,
        lasts=LASTS,
        profile=await profile_of(code.subject),
    )
    # Signed first: a key that fails must leave nothing that is valid.
    signed = await signer.sign(claims, alg=client.relying.id_token_alg, typ="JWT", now=now)
    try:
        await nouns.access.add(access)
    except NotFound:  # a replay came between, or the person was removed
        raise Problem("invalid_grant") from None
    return {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": int(LASTS.total_seconds()),
        "scope": scope,
        "id_token": signed,
    }


async def _redeemed(nouns: OidcNouns, code_hash: bytes, client: Client, now: datetime) -> Code:
    """The code, for the one who comes first. Whoever comes second shows that somebody has a code
    who should not, so the first one's token is taken back (RFC 6749 section 4.1.2)."""
    try:
        return await nouns.codes.redeem(code_hash, client.client_id, now)
    except Used:
        await nouns.access.revoke_of(code_hash)
        raise Problem("invalid_grant") from None
    except NotFound:
        raise Problem("invalid_grant") from None


def _check_verifier(verifier: str | None, challenge: str | None) -> None:
    """RFC 7636 section 4.6; in both directions, so that nobody downgrades (RFC 9700 section 4.8).
    Raises Problem invalid_grant."""
    if verifier is None and challenge is None:
        return
    if verifier is None or challenge is None or not _VERIFIER.fullmatch(verifier):
        raise Problem("invalid_grant")
    made = base64url(hashlib.sha256(verifier.encode()).digest())
    if not hmac.compare_digest(made, challenge):
        raise Problem("invalid_grant")
