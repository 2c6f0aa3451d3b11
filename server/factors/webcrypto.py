"""A device key without an authenticator: P-256 in a browser's IndexedDB, which it cannot export.

It shows the browser profile, and no more: nobody touches anything, and who copies the profile has
it. So it is `swk` and never `phr` (docs/assurance.md). Not here: challenges (key_challenge.py), the
page (web/login/). Source: W3C Web Cryptography API section 23 (ECDSA); FIPS 186-5.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from server.factors.refused import FactorRefused
from server.keys.token import base64url

SIGNATURE_BYTES = 64
"""r and s, as WebCrypto and JWS write them (RFC 7518 section 3.4)."""
MOST_SPKI_BYTES = 200
"""One of P-256 has 91."""


def key_id_of(spki: bytes) -> str:
    """The name of a key follows from it: nobody can register another's name."""
    return base64url(hashlib.sha256(b"lookgate device key id\0" + spki).digest())


def signed_text(*, origin: str, challenge: bytes) -> bytes:
    """What is signed: the origin too, as an authenticator does by itself. 32 bytes of challenge."""
    return b"lookgate device key v1\0" + origin.encode() + b"\0" + challenge


def check_public_key(spki: bytes) -> ec.EllipticCurvePublicKey:
    """A P-256 key in SubjectPublicKeyInfo (RFC 5480). Raises FactorRefused `key_malformed`."""
    try:
        if len(spki) > MOST_SPKI_BYTES:
            raise ValueError
        found = load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise FactorRefused("key_malformed", "This is no public key of P-256.") from error
    if not isinstance(found, ec.EllipticCurvePublicKey) or found.curve.name != "secp256r1":
        raise FactorRefused("key_malformed", "This is no public key of P-256.")
    return found


def verify_signature(
    spki: bytes, signature: bytes, *, expected_origin: str, expected_challenge: bytes
) -> None:
    """Whether the key signed this challenge on this origin.

    Raises FactorRefused: `key_malformed`, `key_refused`.
    """
    public = check_public_key(spki)
    refused = FactorRefused("key_refused", "This key does not open this login.")
    if len(signature) != SIGNATURE_BYTES:
        raise refused
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    text = signed_text(origin=expected_origin, challenge=expected_challenge)
    try:
        public.verify(encode_dss_signature(r, s), text, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise refused from error
