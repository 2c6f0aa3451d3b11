"""What a code stands for, and how codes and access tokens are made and looked up.

Pure. Not here: keeping them (server/store/oidc/codes.py), exchanging them.
Source: RFC 6749 sections 4.1.2 and 10.10 (guessing); RFC 9700 section 2.1.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import timedelta

CODE_FOR = timedelta(seconds=60)
"""RFC 6749 section 4.1.2 recommends 10 minutes at most; backends redeem at once."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What the login showed, as the tokens say it."""

    scopes: tuple[str, ...]
    auth_time: int
    """Seconds since 1970 UTC."""
    acr: str
    amr: tuple[str, ...]
    liveness: tuple[str, ...]
    nonce: str | None
    sid: str

    def to_json(self) -> str:
        """As a code and an access token keep it."""
        return json.dumps(asdict(self))


def granted_of(text: str) -> Granted:
    """What `Granted.to_json` wrote."""
    said = json.loads(text)
    lists = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
    return Granted(**{**said, **lists})


def hash_of(secret: str) -> bytes:
    """How a cookie, code, access token or request_uri is kept: 256 random bits need no slow hash.
    A text that no such secret has is hashed as well, and found nowhere."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
