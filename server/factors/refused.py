"""Why a key or a code does not count, and how bytes that a page sends are read.

Not here: what is told to the page (server/problems.py). Source: RFC 4648 section 5.
"""

from __future__ import annotations

import base64
import binascii

from pipeline.refusal import Refusal
from server.keys.token import base64url


class FactorRefused(Refusal):
    """A key or a code that must not count. `code` is stable; nothing of what was sent is in it."""


def bytes_of(value: object, *, least: int = 1, most: int) -> bytes:
    """Bytes from canonical base64url without padding, as keys/token.py writes it.

    Raises FactorRefused `key_malformed`.
    """
    if isinstance(value, str) and len(value) <= (4 * most + 2) // 3:
        try:
            found = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            found = b""
        if least <= len(found) <= most and base64url(found) == value:
            return found
    raise FactorRefused("key_malformed", "A part of the key's answer is missing or malformed.")
