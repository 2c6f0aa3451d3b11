"""A device key of a browser: its signature counts for one challenge on one origin."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from server.factors.refused import FactorRefused
from server.factors.webcrypto import (
    check_public_key,
    key_id_of,
    signed_text,
    verify_signature,
)

ORIGIN = "https://login.example"
CHALLENGE = bytes(range(32))
PRIVATE = ec.generate_private_key(ec.SECP256R1())


def spki(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def signed(origin: str = ORIGIN, challenge: bytes = CHALLENGE) -> bytes:
    """As WebCrypto does."""
    text = signed_text(origin=origin, challenge=challenge)
    r, s = decode_dss_signature(PRIVATE.sign(text, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(signature: bytes, key: bytes | None = None) -> None:
    verify_signature(
        key or spki(PRIVATE), signature, expected_origin=ORIGIN, expected_challenge=CHALLENGE
    )


def test_a_signature_of_this_key_on_this_origin_counts() -> None:
    verify(signed())


@pytest.mark.parametrize(
    "signature",
    [
        signed(origin="https://evil.example"),
        signed(challenge=bytes(32)),
        bytes(64),
        b"\xff" * 64,
        b"",
        signed() + b"\0",
    ],
)
def test_any_other_does_not(signature: bytes) -> None:
    with pytest.raises(FactorRefused) as caught:
        verify(signature)
    assert caught.value.code == "key_refused"


def test_another_key_does_not() -> None:
    with pytest.raises(FactorRefused, match="does not open"):
        verify(signed(), spki(ec.generate_private_key(ec.SECP256R1())))


@pytest.mark.parametrize(
    "key",
    [
        spki(ec.generate_private_key(ec.SECP384R1())),
        spki(rsa.generate_private_key(65537, 2048)),
        b"no key",
        b"",
    ],
)
def test_only_p256_is_taken(key: bytes) -> None:
    with pytest.raises(FactorRefused) as caught:
        check_public_key(key)
    assert caught.value.code == "key_malformed"


def test_the_name_follows_from_the_key() -> None:
    assert key_id_of(spki(PRIVATE)) == key_id_of(spki(PRIVATE))
    assert key_id_of(spki(PRIVATE)) != key_id_of(spki(ec.generate_private_key(ec.SECP256R1())))
