"""What may stand in a profile: name and e-mail address, as an inviter or the operator gives them.

Pure. Not here: how it is sealed (server/people/sealed_people.py), which scope gives what
(claims.py). Source: OpenID Connect Core 5.1 (standard claims); RFC 5321 section 4.5.3.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pipeline.refusal import Refusal

MOST_NAME = 128
MOST_EMAIL = 254
"""RFC 5321, errata 1690."""
MEMBERS = ("name", "email", "email_verified")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+")


class ProfileError(Refusal):
    """A profile that nobody may have."""


def profile_bytes(said: Mapping[str, Any]) -> bytes:
    """A profile as it is sealed: a JSON object in UTF-8, without what is None.

    An address that nobody looked at is not verified. Raises ProfileError `profile_invalid`.
    """
    kept = {name: value for name, value in said.items() if value is not None}
    name, email, verified = (kept.get(one) for one in MEMBERS)
    if kept.keys() - set(MEMBERS):
        raise _invalid(f"has no other members than {', '.join(MEMBERS)}")
    if name is not None and not _line(name, MOST_NAME):
        raise _invalid(f"has a name of 1 to {MOST_NAME} characters on one line")
    if email is not None and not (_line(email, MOST_EMAIL) and _EMAIL.fullmatch(email)):
        raise _invalid(f"has an e-mail address of at most {MOST_EMAIL} characters")
    if not isinstance(verified, bool | None) or (verified is not None and email is None):
        raise _invalid("says of its e-mail address whether it is verified, true or false")
    if email is not None:
        kept["email_verified"] = bool(verified)
    return json.dumps(kept, sort_keys=True).encode()


def profile_of(raw: bytes) -> dict[str, Any]:
    """What `profile_bytes` wrote."""
    said: dict[str, Any] = json.loads(raw)
    return said


def _line(value: object, most: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= most and value.isprintable()


def _invalid(rule: str) -> ProfileError:
    return ProfileError("profile_invalid", f"A profile {rule}.")
