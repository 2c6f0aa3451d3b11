"""Where relying apps send browsers: /authorize, where a login begins, and /logout.

Not here: what a request may say (server/oidc/authorize.py), the login page. Source: OpenID Connect
Core 3.1.2; RP-Initiated Logout 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aiohttp import web

from server.http.answers import said
from server.http.login.ending import remember
from server.http.login.page import refusal
from server.http.oidc.reading import OUTCOME, Handler, parameters, relying_client, take_turn
from server.http.oidc.sending import see_other, send
from server.http.requests import opened_parts
from server.oidc.authorize import Declined, Request, checked
from server.oidc.hint import Hint, HintError, hint_of
from server.oidc.login import LASTS, begin, cookie_name, declined
from server.oidc.logout import client_of, way_back
from server.oidc.par import pulled
from server.parts import Parts
from server.problems import Problem
from server.store.port import Client, NotFound


def on_page(handler: Handler) -> Handler:
    """The same, and a refusal is told in the person's language. What the database or a bug stops is
    told by answers.py."""

    async def paged(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except Problem as problem:
            return refusal(request, problem)

    return paged


async def authorize(request: web.Request) -> web.Response:
    """Begin a login, bound to this browser, and show its page. GET and POST (Core 3.1.2.1)."""
    parts = opened_parts(request)
    await take_turn(request, parts)
    asked = await parameters(request)
    try:
        client = await relying_client(parts, asked.get("client_id", ""))
    except NotFound:
        raise Problem("oidc_client_unknown") from None
    if client.relying is None:
        raise Problem("oidc_client_unknown")
    asked = dict(await pulled(parts.store.pushed, client, asked, parts.now()))
    issuer = parts.settings.public_url
    try:
        wanted = checked(asked, client.client_id, client.relying)
        wanted = await _hinted(parts, client, asked, wanted)
    except Declined as refused:
        request[OUTCOME] = refused.error
        return send(declined(refused, issuer=issuer))
    begun = begin(wanted, parts.now())
    try:
        await parts.store.logins.add(begun.login)
    except NotFound:  # the client was removed at this moment
        raise Problem("oidc_client_unknown") from None
    response = see_other(f"{issuer}/login/{begun.login.login_id}")
    secure = issuer.startswith("https://")
    response.set_cookie(
        cookie_name(begun.login.login_id, secure=secure),
        begun.cookie,
        max_age=int(LASTS.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="Lax",  # the browser comes from the app's site
    )
    return response


async def _hinted(
    parts: Parts, client: Client, asked: Mapping[str, str], wanted: Request
) -> Request:
    """With whom an id_token_hint expects. Raises Declined."""
    hint = None
    if "id_token_hint" in asked:
        try:
            hint = await _hint(parts, asked["id_token_hint"])
        except HintError as wrong:
            raise _not_of_ours(wanted, wrong.text) from None
    if hint is None:
        return wanted
    if hint.client_id != client.client_id:
        raise _not_of_ours(wanted, "The id_token_hint is another app's.")
    return replace(wanted, expected_sub=hint.sub)


def _not_of_ours(wanted: Request, text: str) -> Declined:
    return Declined(
        "invalid_request",
        text,
        redirect_uri=wanted.redirect_uri,
        state=wanted.state,
        response_mode=wanted.response_mode,
    )


async def _hint(parts: Parts, token: str) -> Hint | None:
    """Raises HintError, Unavailable, VaultError."""
    jwks = await parts.keyring.jwks(parts.now())
    return hint_of(token, jwks=jwks, issuer=parts.settings.public_url)


async def logout(request: web.Request) -> web.Response:
    """Forget who logged in on this browser; send it back to where its app registered, or say that
    there is nothing more to end."""
    parts = opened_parts(request)
    await take_turn(request, parts)
    asked = await parameters(request)
    try:
        hint = await _hint(parts, asked["id_token_hint"]) if "id_token_hint" in asked else None
    except HintError:
        raise Problem("oidc_logout") from None
    client_id, client = client_of(asked, hint), None
    if client_id is not None:
        try:
            client = await relying_client(parts, client_id)
        except NotFound:
            raise Problem("oidc_logout") from None
    back = way_back(asked, client)
    if back is not None:
        response = see_other(back)
    else:
        text = "This server keeps no login. You can close this page."
        response = said("You are logged out here", text)
    remember(response, parts, ())  # the one thing that this browser keeps
    return response
