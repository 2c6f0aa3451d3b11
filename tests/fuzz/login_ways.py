"""Ways in of the login page: answers of keys, new keys, and the cookie that remembers people.

Not here: the list of all ways in (targets.py).
"""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime

from server.factors.passkey import read_assertion, verify_assertion, verify_registration
from server.factors.refused import FactorRefused
from server.keys.vault import Vault
from server.oidc import remembered
from server.oidc.remembered import Person
from tests.server.factors.authenticator import Passkey

NOW = datetime(2030, 1, 1, tzinfo=UTC)
VAULT = Vault([bytes(32)])
ORIGIN, CHALLENGE, HANDLE = "https://login.example", bytes(range(32)), bytes(32)
KEY = Passkey(HANDLE, "login.example")
ANSWER, MADE = KEY.sign(CHALLENGE, ORIGIN), KEY.register(CHALLENGE, ORIGIN)
PEOPLE = (Person("shop", "ann"), Person("bank", "bob"))
COOKIE = remembered.write(VAULT, PEOPLE, NOW)
EXPECTED = {
    "expected_challenge": CHALLENGE,
    "expected_origin": ORIGIN,
    "expected_rp_id": "login.example",
}

ANSWERS = [json.dumps(ANSWER).encode()]
NEW_KEYS = [json.dumps(MADE).encode()]
COOKIES = [COOKIE.encode()]


def answer(data: bytes) -> None:
    """An answer counts only if what the key signed is what it signed."""
    fields = _object(data)
    with contextlib.suppress(FactorRefused):
        verify_assertion(
            read_assertion(fields),
            **EXPECTED,  # type: ignore[arg-type]
            expected_user_handle=HANDLE,
            public_key=KEY.cose(),
            sign_count=0,
        )
        # Not the id: it names the key whose signature is looked at.
        for signed in ("client_data", "authenticator_data", "user_handle"):
            assert fields[signed] == ANSWER[signed], "another answer than the one that was signed"


def new_key(data: bytes) -> None:
    """A new key is refused by a code or taken, because nothing vouches for it."""
    with contextlib.suppress(FactorRefused):
        verify_registration(_object(data), **EXPECTED)  # type: ignore[arg-type]


def cookie(data: bytes) -> None:
    """Whoever is remembered was sealed."""
    found = remembered.read(VAULT, data.decode("utf-8", "replace"), NOW)
    assert found in ((), PEOPLE), "other people than those who were sealed"
    inside = VAULT.seal(data[:1000], owner=("remembered people",))
    remembered.read(VAULT, remembered.encoded(inside), NOW)


def _object(data: bytes) -> dict[str, object]:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(data)
        if isinstance(found, dict):
            return found
    return {}
