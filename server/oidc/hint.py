"""An id token of ours that a relying app sends back: whose it was, for which app.

Pure. It may have expired (RP-Initiated Logout 1.0 section 2), so it lets nobody in. Not here: what
is done with it (authorize.py, logout.py). Source: OpenID Connect Core 3.1.2.1; RFC 8725.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from pipeline.refusal import Refusal

ALGS = {"RSA": "RS256", "EC": "ES256"}
"""By the kind of a published key, and never by what a token says (RFC 8725 section 3.1)."""
_MOST_CHARACTERS = 8192


class HintError(Refusal):
    """It is not an id token that this provider signed."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What an id token said."""

    client_id: str
    sub: str


def hint_of(token: str, *, jwks: Mapping[str, Any], issuer: str) -> Hint | None:
    """None if its key is not published any more, so that nobody can say whether it was ours: then
    it is as if there were none. Raises HintError for any other token than an id token of ours."""
    wrong = HintError("hint_invalid", "The id_token_hint is not an id token of this provider.")
    if len(token) > _MOST_CHARACTERS or not token.isascii():
        raise wrong
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise wrong from None
    if header.get("typ") != "JWT" or header.get("alg") not in ALGS.values():
        raise wrong  # a face+jwt is none (RFC 8725 section 3.11)
    key = next((one for one in jwks["keys"] if one["kid"] == header.get("kid")), None)
    if key is None:
        return None
    alg = ALGS[key["kty"]]
    try:
        payload = jwt.api_jws.decode(token, jwt.PyJWK(key, algorithm=alg).key, algorithms=[alg])
        claims = json.loads(payload)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise wrong from None
    match claims:
        case {"iss": str(by), "aud": str(client_id), "sub": str(sub)} if by == issuer:
            return Hint(client_id, sub)
    raise wrong
