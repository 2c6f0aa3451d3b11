"""Recovery codes: ten, each good once in place of a one-time code. Only their hashes are kept.

Not here: using one up, which is the store's compare-and-set (server/store/oidc/).
Source: NIST SP 800-63B section 5.1.2.2 (look-up secrets of 112 bits need no slow hash).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable

COUNT = 10
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no letter that reads as a digit."""
CHARACTERS = 24
"""120 bits, in six groups: from 112 on a plain hash is enough."""
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_CODE = re.compile(f"[{_ALPHABET}]{{{CHARACTERS}}}")


def new_codes(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> tuple[str, ...]:
    """As they are shown, once."""
    return tuple(_shown(random_bytes(CHARACTERS * 5 // 8)) for _ in range(COUNT))


def hash_of(code: str, *, people: str, subject: str) -> bytes | None:
    """SHA-256 of what a person typed, for this person only; None: it is no such code."""
    read = code.upper().translate(_READ_AS)
    if not _CODE.fullmatch(read):
        return None
    hashed = hashlib.sha256(b"lookgate recovery v1\0")
    for part in (people, subject, read):
        raw = part.encode()
        hashed.update(len(raw).to_bytes(4, "big") + raw)
    return hashed.digest()


def _shown(raw: bytes) -> str:
    number = int.from_bytes(raw, "big")
    drawn = [_ALPHABET[number >> 5 * place & 31] for place in range(CHARACTERS)]
    return "-".join("".join(drawn[at : at + 4]) for at in range(0, CHARACTERS, 4))
