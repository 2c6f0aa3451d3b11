"""Whether an access token is valid, asked and ended by the relying app that was given it.

Not here: who asks (client_auth.py), what a token opens (claims.py). Source: RFC 7662; RFC 7009.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from server.oidc.claims import sub_of
from server.oidc.codes import granted_of, hash_of
from server.problems import Problem
from server.store.oidc.codes import AccessTokens
from server.store.port import Client, NotFound


async def introspect(
    access: AccessTokens, client: Client, form: Mapping[str, str], *, issuer: str, now: datetime
) -> dict[str, Any]:
    """The answer of /introspect. Another app's token is as inactive as an unknown one (RFC 7662
    section 2.2). Raises Problem invalid_request, invalid_client; Unavailable."""
    assert client.relying is not None, "client_auth.py lets no other in"
    if client.relying.auth == "none":
        # Section 2.1: the endpoint needs authorization, or anybody could try tokens here.
        raise Problem("invalid_client")
    try:
        found = await access.get(hash_of(_token(form)), now)
    except NotFound:
        return {"active": False}
    if found.client_id != client.client_id:
        return {"active": False}
    granted = granted_of(found.claims)
    return {
        "active": True,
        "iss": issuer,
        "client_id": client.client_id,
        "aud": client.client_id,
        "sub": sub_of(client, found.subject),
        "scope": found.scopes,
        "token_type": "Bearer",
        "exp": int(found.expires_at.timestamp()),
        "auth_time": granted.auth_time,
        "acr": granted.acr,
    }


async def revoke(access: AccessTokens, client: Client, form: Mapping[str, str]) -> None:
    """End a token of this client. One that there is not is no error (RFC 7009 section 2.2). Raises
    Problem invalid_request, Unavailable."""
    await access.revoke(hash_of(_token(form)), client.client_id)


def _token(form: Mapping[str, str]) -> str:
    if "token" not in form:
        raise Problem("invalid_request", "token is missing.")
    return form["token"]
