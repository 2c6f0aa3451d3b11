"""The receipt for an erasure: a signed text that says that a person is gone, and names nobody.

The subject is the keyed hash that the audit uses (server/audit/record.py), so that the operator can
find the record, and nobody else relates it to a name. Its type is its own, so that it is no login
token (token.py refuses it). Not here: the erasure (server/people/forgetting.py), which key signs
(keyring.py). Source: docs/protocol.md, "Erasure receipt"; RFC 7515 (JWS), RFC 8725 section 3.11.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from server.keys.token import ALGORITHM, TokenError, header_of, public_key_of

TYPE = "lookgate-erasure+jwt"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What a receipt is for."""

    record: str
    """The `ref` of the audit's record, and the receipt's `jti`."""
    client_id: str
    subject_hash: str
    hash_key: str
    """Id of the master key that the hash is made with."""
    erased: Mapping[str, int]
    """How many of each noun."""


def sign_receipt(
    private: ec.EllipticCurvePrivateKey,
    erasure: Erasure,
    *,
    kid: str,
    issuer: str,
    now: datetime,
) -> str:
    """The receipt. It has no `exp`, because what happened stays so; keep the public key with it."""
    claims = {
        "iss": issuer,
        "aud": erasure.client_id,
        "iat": int(now.timestamp()),
        "jti": erasure.record,
        "subject_hash": erasure.subject_hash,
        "hash_key": erasure.hash_key,
        "erased": dict(erasure.erased),
    }
    return jwt.encode(claims, private, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": kid})


def verify_receipt(
    receipt: str, *, expected_issuer: str, expected_audience: str, jwks: Mapping[str, Any]
) -> dict[str, Any]:
    """The claims of a receipt.

    `jwks`: with the key that signed it, which is published for an hour after its last use at the
    least. Raises TokenError: `token_malformed`, `token_algorithm`, `token_type`,
    `token_key_unknown`, `token_signature`, `token_claims`, `token_issuer`, `token_audience`.
    """
    header = header_of(receipt)
    if header.get("alg") != ALGORITHM:
        raise TokenError("token_algorithm", f"Only {ALGORITHM} signatures are accepted.")
    if header.get("typ") != TYPE:
        raise TokenError("token_type", "This is not a receipt for an erasure.")
    public = public_key_of(jwks, header.get("kid"))
    try:
        claims = json.loads(jwt.api_jws.decode(receipt, public, algorithms=[ALGORITHM]))
    except (jwt.InvalidTokenError, ValueError) as error:
        raise TokenError("token_signature", "The signature does not fit.") from error
    if not isinstance(claims, dict) or not isinstance(claims.get("erased"), dict):
        raise TokenError("token_claims", "A claim is missing or of the wrong type.")
    for claim, name, expected in (
        ("iss", "issuer", expected_issuer),
        ("aud", "audience", expected_audience),
    ):
        if claims.get(claim) != expected:
            raise TokenError(f"token_{name}", f"The {name} is not the expected one.")
    return claims
