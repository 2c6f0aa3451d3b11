"""The token that is handed to the relying app: an ES256 JWT, made and verified. Pure functions.

Not here: the keys that sign, and which of them (keyring.py), the store, a clock. A session
gets one only after the store said "finished" (server/session/verdict.py). Source: docs/protocol.md;
RFC 7519 (JWT), RFC 7515 (JWS), RFC 7517 (JWK), RFC 8725 (best practice).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from pipeline.refusal import Refusal

ALGORITHM = "ES256"
TYPE = "face+jwt"
"""Its own `typ`, so that no other JWT passes for one of these (RFC 8725 section 3.11)."""

LIFETIME_S = 120
"""Longest life that docs/protocol.md promises; a token is exchanged at once, by a backend."""

NOT_BEFORE_S = 10
"""`nbf` lies so long before `iat`: a relying app whose clock is a little behind must not refuse a
good token, and many libraries compare without leeway."""

_CLAIMS: Mapping[str, type | tuple[type, ...]] = {
    "iss": str,
    "aud": str,
    "sub": str,
    "iat": int,
    "nbf": int,
    "exp": int,
    "auth_time": int,
    "jti": str,
    "nonce": str,
    "sid": str,
    "purpose": str,
    "amr": list,
    "acr": str,
    "lookgate_liveness": list,
}
"""What docs/protocol.md says a token holds: all of it, always."""

LIVENESS = ("passive", "light", "turn")
"""What a session can ask of a living person, and a token say was passed. Passive evidence is asked
of everybody, a challenge beside it."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")
"""JWS compact serialisation with an ES256 signature of 64 bytes (RFC 7518 section 3.4)."""

_MAX_CHARACTERS = 8192


class TokenError(Refusal):
    """A token that must not be believed. `code` is stable; the text never quotes the token."""


def base64url(data: bytes) -> str:
    """Base64 for URLs without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mint(
    private: ec.EllipticCurvePrivateKey,
    *,
    kid: str,
    issuer: str,
    audience: str,
    subject: str,
    nonce: str,
    session_id: str,
    token_id: str,
    purpose: str,
    acr: str,
    liveness: Sequence[str],
    auth_time: datetime,
    lifetime_s: int,
    now: datetime,
) -> str:
    """A signed token. `token_id` (`jti`) is not used twice; it expires `lifetime_s` after `now`.
    `liveness`: of LIVENESS, what was asked and passed."""
    assert _is_liveness(list(liveness)), "an acceptance passed what it was asked"
    issued_at = int(now.timestamp())
    claims = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "iat": issued_at,
        "nbf": issued_at - NOT_BEFORE_S,
        "exp": issued_at + lifetime_s,
        "auth_time": int(auth_time.timestamp()),
        "jti": token_id,
        "nonce": nonce,
        "sid": session_id,
        "purpose": purpose,
        "amr": ["face"],
        "acr": acr,
        "lookgate_liveness": list(liveness),
    }
    return jwt.encode(claims, private, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": kid})


def verify(
    token: str,
    *,
    expected_issuer: str,
    expected_audience: str,
    expected_nonce: str,
    expected_purpose: str,
    jwks: Mapping[str, Any],
    now: datetime,
    leeway_s: float = 5.0,
) -> dict[str, Any]:
    """The claims of a token that stands every check of docs/protocol.md, except `jti` seen before.

    `leeway_s`: how far the two clocks may be apart. Raises TokenError: `token_malformed`,
    `token_algorithm`, `token_type`, `token_key_unknown`, `token_signature`, `token_claims`,
    `token_issuer`, `token_audience`, `token_nonce`, `token_purpose`, `token_early`,
    `token_expired`.
    """
    header = header_of(token)
    if header.get("alg") != ALGORITHM:  # compared, never obeyed (RFC 8725 section 3.1)
        raise TokenError("token_algorithm", f"Only {ALGORITHM} signatures are accepted.")
    if header.get("typ") != TYPE:
        raise TokenError("token_type", "This is not a face login token.")
    public = public_key_of(jwks, header.get("kid"))
    try:
        payload = jwt.api_jws.decode(token, public, algorithms=[ALGORITHM])
        claims = json.loads(payload)
    except (jwt.InvalidTokenError, ValueError) as error:
        raise TokenError("token_signature", "The signature does not fit.") from error
    if not isinstance(claims, dict) or any(
        not isinstance(claims.get(name), kind) or isinstance(claims.get(name), bool)
        for name, kind in _CLAIMS.items()
    ):
        raise TokenError("token_claims", "A claim is missing or of the wrong type.")
    if claims["amr"] != ["face"] or claims["exp"] - claims["iat"] > LIFETIME_S:
        raise TokenError("token_claims", "A claim has a value that no face login token has.")
    if not _is_liveness(claims["lookgate_liveness"]):
        raise TokenError("token_claims", "A claim has a value that no face login token has.")
    for name, expected in (
        ("issuer", expected_issuer),
        ("audience", expected_audience),
        ("nonce", expected_nonce),
        ("purpose", expected_purpose),
    ):
        claim = {"issuer": "iss", "audience": "aud"}.get(name, name)
        if claims[claim] != expected:
            raise TokenError(f"token_{name}", f"The {name} is not the expected one.")
    seconds = now.astimezone(UTC).timestamp()
    if seconds + leeway_s < max(claims["iat"], claims["nbf"]):
        raise TokenError("token_early", "The token is not valid yet.")
    if seconds - leeway_s >= claims["exp"]:
        raise TokenError("token_expired", "The token is not valid any more.")
    return claims


def _is_liveness(given: list[Any]) -> bool:
    """Whether a session can have asked for just this: passive evidence, and what of LIVENESS else,
    in its order and once each."""
    return given[:1] == ["passive"] and given == [name for name in LIVENESS if name in given]


def header_of(token: str) -> dict[str, Any]:
    """The unverified header of a well-formed token: three canonical base64url parts.

    Canonical, because base64 ignores the last bits of the last character, and some decoders skip
    what is not in the alphabet (RFC 4648 sections 3.3 and 3.5). That does not make a text single:
    an ECDSA signature (r, s) has a twin (r, n - s) that verifies, too. `jti` alone tells whether a
    token was seen before.
    """
    if len(token) <= _MAX_CHARACTERS and _COMPACT.fullmatch(token):
        parts = token.split(".")
        try:
            raw = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts]
            header = json.loads(raw[0])
        except (ValueError, RecursionError):
            header = None
        if isinstance(header, dict) and [base64url(part) for part in raw] == parts:
            return header
    raise TokenError("token_malformed", "This is not a signed token in compact form.")


def public_key_of(jwks: Mapping[str, Any], kid: object) -> ec.EllipticCurvePublicKey:
    """The key `kid` of a set, if it is one for ES256 signatures."""
    keys = jwks.get("keys")
    for jwk in keys if isinstance(keys, list) else ():
        if (
            isinstance(jwk, dict)
            and isinstance(kid, str)
            and jwk.get("kid") == kid
            and jwk.get("kty") == "EC"
            and jwk.get("crv") == "P-256"
            and jwk.get("use", "sig") == "sig"
            and jwk.get("alg", ALGORITHM) == ALGORITHM
        ):
            try:
                key = ECAlgorithm.from_jwk({name: jwk[name] for name in ("kty", "crv", "x", "y")})
            except (jwt.InvalidKeyError, KeyError, ValueError, TypeError):
                continue
            if isinstance(key, ec.EllipticCurvePublicKey):
                return key
    raise TokenError("token_key_unknown", "The key set has no key of this token's id.")
