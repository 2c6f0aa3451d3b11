"""An id token that comes back: only one of ours says anything, and it lets nobody in."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from server.oidc.hint import Hint, HintError, hint_of
from tests.server.oidc.asking import APP, ISSUER
from tests.server.oidc.test_client_auth import EC_KEY, OTHER, RSA_KEY
from tests.server.oidc.test_registration import jwk

JWKS = {"keys": [jwk(EC_KEY.public_key(), kid="e"), jwk(RSA_KEY.public_key(), kid="r")]}
CLAIMS = {"iss": ISSUER, "aud": APP, "sub": "ann", "exp": 1}


def made(key: Any = RSA_KEY, alg: str = "RS256", kid: str = "r", **changes: Any) -> str:
    headers = {"kid": kid, "typ": changes.pop("typ", "JWT")}
    return jwt.encode(CLAIMS | changes, key, algorithm=alg, headers=headers)


def test_one_of_ours_is_read_though_it_expired() -> None:
    for token in (made(), made(EC_KEY, "ES256", "e")):
        assert hint_of(token, jwks=JWKS, issuer=ISSUER) == Hint(APP, "ann")


def test_a_key_that_is_not_published_any_more_says_nothing() -> None:
    assert hint_of(made(kid="old"), jwks=JWKS, issuer=ISSUER) is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "x.y.z",
        "é.é.é",
        "a" * 9000,
        made(OTHER, "ES256", "e"),
        made(EC_KEY, "ES256", "r"),
        made(RSA_KEY, "RS256", "e"),
        made("s" * 32, "HS256"),
        made(None, "none"),
        made(RSA_KEY, "PS256"),
        made(typ="face+jwt"),
        made(typ="at+jwt"),
        made(iss="https://other.example"),
        made(aud=[APP]),
        made(sub=7),
        made()[:-4] + "AAAA",
    ],
)
def test_any_other_token_is_refused(token: str) -> None:
    with pytest.raises(HintError):
        hint_of(token, jwks=JWKS, issuer=ISSUER)
