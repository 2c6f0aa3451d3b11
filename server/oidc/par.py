"""Requests that a relying app pushes before it sends the browser, so that nobody on the way changes
or reads them.

Not here: what a request may say (authorize.py), who pushes (client_auth.py). Source: RFC 9126.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from server.keys.token import base64url
from server.oidc.authorize import PUSHED, Declined, checked
from server.oidc.codes import hash_of
from server.problems import Problem
from server.store.oidc.pushed import Pushed, PushedRequests
from server.store.port import Client, NotFound

LASTS = timedelta(seconds=60)
_OF_THE_CLIENT = ("client_secret", "client_assertion", "client_assertion_type")


async def push(
    pushed: PushedRequests,
    client: Client,
    form: Mapping[str, str],
    *,
    now: datetime,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> dict[str, Any]:
    """The answer of /par. Raises Problem invalid_request or the error that /authorize would send;
    Unavailable."""
    assert client.relying is not None, "client_auth.py lets no other in"
    if "request_uri" in form:  # section 2.1, item 2
        raise Problem("invalid_request", "A pushed request has no request_uri.")
    asked = {name: value for name, value in form.items() if name not in _OF_THE_CLIENT}
    try:
        checked(asked, client.client_id, client.relying)
    except Declined as refused:
        raise Problem(refused.error, refused.description) from None
    except Problem as refused:
        raise Problem("invalid_request", refused.text) from None
    uri = PUSHED + base64url(random_bytes(32))
    try:
        await pushed.add(Pushed(hash_of(uri), client.client_id, json.dumps(asked), now + LASTS))
    except NotFound:  # it was removed at this moment
        raise Problem("invalid_client") from None
    return {"request_uri": uri, "expires_in": int(LASTS.total_seconds())}


async def pulled(
    pushed: PushedRequests, client: Client, asked: Mapping[str, str], now: datetime
) -> Mapping[str, str]:
    """What was pushed, in place of what the browser brings beside it (section 4); the browser's own
    parameters if it names no pushed request. Once. Raises Problem oidc_request_uri, Unavailable."""
    uri = asked.get("request_uri", "")
    if not uri.startswith(PUSHED):
        return asked
    try:
        found = await pushed.take(hash_of(uri), client.client_id, now)
    except NotFound:
        raise Problem("oidc_request_uri") from None
    parameters: dict[str, str] = json.loads(found.request)
    return parameters
