"""Where a browser goes that a relying app sends to /logout.

There is no session here that could be ended (docs/oidc.md), so it is about the way back alone.
Pure. Not here: what is forgotten in the browser (server/http/oidc), the hint (hint.py).
Source: OpenID Connect RP-Initiated Logout 1.0 sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from server.oidc.hint import Hint
from server.problems import Problem
from server.store.port import Client


def client_of(asked: Mapping[str, str], hint: Hint | None) -> str | None:
    """Which app says it sent the browser; None if the request does not say. Raises Problem
    oidc_logout where hint and client_id name two (section 2)."""
    named = asked.get("client_id")
    if hint is not None and named not in (None, hint.client_id):
        raise Problem("oidc_logout")
    return named if hint is None else hint.client_id


def way_back(asked: Mapping[str, str], client: Client | None) -> str | None:
    """Where to send the browser; None: it stays on a page of ours. Raises Problem oidc_logout for
    an address that the app did not register: never an open redirect (section 3)."""
    uri = asked.get("post_logout_redirect_uri")
    if uri is None:
        return None
    relying = None if client is None else client.relying
    if relying is None or uri not in relying.post_logout_uris:
        raise Problem("oidc_logout")
    state = asked.get("state")
    if state is None:
        return uri
    return uri + ("&" if "?" in uri else "?") + urlencode({"state": state})
