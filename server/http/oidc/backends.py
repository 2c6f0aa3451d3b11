"""What relying apps ask by themselves: /token, /par, /userinfo, /introspect, /revoke, and what this
provider is.

Not here: what is checked and said (server/oidc). Source: RFC 6749 section 3.2; RFC 6750; RFC 7009;
RFC 7662; RFC 9126; OpenID Connect Core 5.3 and Discovery 1.0 section 4.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from server.http.answers import oauth
from server.http.oidc.reading import (
    FORM,
    client_of,
    for_page,
    form_of,
    relying_client,
    take_turn,
    told,
)
from server.http.requests import opened_parts
from server.oidc import par
from server.oidc.claims import userinfo as claims_of
from server.oidc.codes import hash_of
from server.oidc.discovery import document
from server.oidc.introspect import introspect as introspected
from server.oidc.introspect import revoke as revoked
from server.oidc.token import exchange
from server.parts import Parts
from server.people.sealed_people import open_profile
from server.problems import Problem
from server.store.port import Client, NotFound
from server.store.relying import people_of

MAX_AGE_S = 300
"""How long anybody may keep what discovery says."""


async def discovery(request: web.Request) -> web.Response:
    """What this provider is. Anybody may read it, from any page."""
    parts = opened_parts(request)
    headers = {
        "Cache-Control": f"public, max-age={MAX_AGE_S}",
        "Access-Control-Allow-Origin": "*",
    }
    return web.json_response(document(parts.settings.public_url), headers=headers)


async def token(request: web.Request) -> web.Response:
    """A code becomes tokens."""
    parts = opened_parts(request)
    form = await form_of(request)
    client = await client_of(request, parts, form)
    said = await exchange(
        parts.store,
        parts.keyring,
        client,
        form,
        issuer=parts.settings.public_url,
        now=parts.now(),
        profile_of=lambda subject: _profile(parts, client, subject),
    )
    return for_page(request, client, told(said))


async def push(request: web.Request) -> web.Response:
    """A request is kept for the browser that comes with its name."""
    parts = opened_parts(request)
    form = await form_of(request)
    client = await client_of(request, parts, form)
    said = await par.push(parts.store.pushed, client, form, now=parts.now())
    return for_page(request, client, told(said, status=201))


async def introspect(request: web.Request) -> web.Response:
    """Whether an access token is valid."""
    parts = opened_parts(request)
    form = await form_of(request)
    client = await client_of(request, parts, form)
    now, issuer = parts.now(), parts.settings.public_url
    return told(await introspected(parts.store.access, client, form, issuer=issuer, now=now))


async def revoke(request: web.Request) -> web.Response:
    """An access token ends."""
    parts = opened_parts(request)
    form = await form_of(request)
    client = await client_of(request, parts, form)
    await revoked(parts.store.access, client, form)
    return for_page(request, client, web.Response(headers={"Cache-Control": "no-store"}))


async def userinfo(request: web.Request) -> web.Response:
    """Who it is, for who has the access token."""
    parts = opened_parts(request)
    token = await _bearer(request)
    if token is None:
        response = oauth(Problem("invalid_token"))
        # RFC 6750 section 3.1: who showed nothing is told the scheme and no error.
        response.headers["WWW-Authenticate"] = 'Bearer realm="lookgate"'
        return response
    try:
        found = await parts.store.access.get(hash_of(token), parts.now())
        client = await relying_client(parts, found.client_id)
    except NotFound:
        await take_turn(request, parts)
        raise Problem("invalid_token") from None
    if client.relying is None:
        raise Problem("invalid_token")
    scopes = found.scopes.split()
    profile = await _profile(parts, client, found.subject)
    said = claims_of(client, found.subject, scopes, profile)
    return for_page(request, client, told(said))


async def _bearer(request: web.Request) -> str | None:
    """The access token of a header, or of a form (RFC 6750 sections 2.1 and 2.2), never of an
    address. Raises Problem invalid_request where there are two."""
    found = []
    for header in request.headers.getall("Authorization", []):
        scheme, _, rest = header.partition(" ")
        if scheme.lower() == "bearer":
            found.append(rest.strip())
    if request.method == "POST" and request.content_type == FORM:
        form = await form_of(request)
        if "access_token" in form:
            found.append(form["access_token"])
    if len(found) > 1:
        raise Problem("invalid_request", "The access token comes twice.")
    return found[0] if found else None


async def _profile(parts: Parts, client: Client, subject: str) -> dict[str, Any]:
    """What is held of a person beside the face, {} for nothing. Raises Unavailable, VaultError."""
    try:
        kept = await parts.store.profiles.get(people_of(client), subject)
    except NotFound:
        return {}
    said: dict[str, Any] = json.loads(open_profile(parts.vault, kept))
    return said
