"""What a key signs: a number that only this try of this login has.

Not here: who keeps the salt and counts the tries (server/store/oidc/), the signatures (passkey.py,
webcrypto.py). Source: WebAuthn Level 3 section 13.4.3 (challenges).
"""

from __future__ import annotations

import hashlib

SALT_BYTES = 32
"""Random, of each login: twice what WebAuthn asks for (13.4.3: at least 16)."""


def challenge_of(login_id: str, attempt: int, salt: bytes) -> bytes:
    """32 bytes. `attempt` never comes twice in a login, so no challenge does; the salt never leaves
    the server, so nobody can have one signed before it is asked for.

    SHA-256 over length-prefixed parts: no two logins or attempts give the same bytes.
    """
    if len(salt) != SALT_BYTES or attempt < 0:
        raise AssertionError("a login has a salt and counts from 0")
    name = login_id.encode()
    hashed = hashlib.sha256(b"lookgate key v1\0")
    hashed.update(len(name).to_bytes(4, "big") + name + attempt.to_bytes(8, "big") + salt)
    return hashed.digest()
