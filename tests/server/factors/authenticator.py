"""A passkey authenticator and a browser around it, in memory: what they send to a page's script.

Not a conforming one: it does what a test tells it, lies included. A real one is in tests/e2e.
Source: WebAuthn Level 3 sections 5.8.1 (client data), 6.1 (authenticator data), 6.5.4.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from server.keys.token import base64url

UP, UV, AT = 0x01, 0x04, 0x40


@dataclass
class Passkey:
    """One discoverable key."""

    user_handle: bytes
    rp_id: str = "localhost"
    key_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    count: int = 0
    flags: int = UP | UV

    def cose(self) -> bytes:
        """The public key (RFC 9053 section 7.1)."""
        numbers = self.private.public_key().public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    def register(self, challenge: bytes, origin: str) -> dict[str, Any]:
        """The answer to navigator.credentials.create."""
        attested = bytes(16) + len(self.key_id).to_bytes(2, "big") + self.key_id + self.cose()
        data = self._data(self.flags | AT) + attested
        client = client_data("webauthn.create", challenge, origin)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return {
            "id": base64url(self.key_id),
            "client_data": base64url(client),
            "attestation": base64url(attestation),
        }

    def sign(self, challenge: bytes, origin: str, **client: object) -> dict[str, Any]:
        """The answer to navigator.credentials.get, with the next count. `client`: more members of
        the client data."""
        self.count += 1
        told = client_data("webauthn.get", challenge, origin, **client)
        data = self._data(self.flags)
        signed = data + hashlib.sha256(told).digest()
        return {
            "id": base64url(self.key_id),
            "client_data": base64url(told),
            "authenticator_data": base64url(data),
            "signature": base64url(self.private.sign(signed, ec.ECDSA(hashes.SHA256()))),
            "user_handle": base64url(self.user_handle),
        }

    def _data(self, flags: int) -> bytes:
        hashed = hashlib.sha256(self.rp_id.encode()).digest()
        return hashed + bytes([flags]) + self.count.to_bytes(4, "big")


def client_data(kind: str, challenge: bytes, origin: str, **more: object) -> bytes:
    """As a browser writes it."""
    told = {"type": kind, "challenge": base64url(challenge), "origin": origin, "crossOrigin": False}
    return json.dumps(told | more, separators=(",", ":")).encode()
