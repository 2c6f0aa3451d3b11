"""RSA keys for tests: the same few again and again, because one takes 32 ms of CPU to make."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import rsa

from server.keys.signing_key import PrivateKey

FEW = 8
"""More than one database of a test ever has."""
_made: list[PrivateKey] = []


def some_rsa_key() -> PrivateKey:
    """One that the last FEW - 1 calls did not give."""
    if len(_made) < FEW:
        _made.append(rsa.generate_private_key(65537, 2048))
    else:
        _made.append(_made.pop(0))
    return _made[-1]
