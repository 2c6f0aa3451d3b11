"""Known devices: the cookie that a browser keeps after its person was accepted, sealed.

The cookie says whose device it is and until when, opens for that client and person only, and counts
only while the store knows the device: it is gone with the person, or by an unlock that says so. It
opens nothing by itself; it is what keeps strangers' failures from counting against its owner.
Not here: the counters (server/store/tries.py), how it is set and sent (server/http/devices.py).
Source: OWASP, "device cookies"; RFC 6265bis; CHIPS (Partitioned); docs/decisions/lockout.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import UTC, datetime, timedelta

from server.keys.vault import Vault, VaultError

KEPT = timedelta(days=90)
"""Since the last success."""
MOST = 20
"""Of one person; the one that is known for the shortest time goes. A browser that keeps no cookie
makes a new one with each success."""
LONGEST = 512
"""Characters of a cookie that is ours; one has some 200."""


def cookie_name(client_id: str, subject: str, *, secure: bool) -> str:
    """One for each person, because a family shares a browser. It does not say the name."""
    text = f"{len(client_id)}|{client_id}|{subject}".encode()
    name = f"lookgate-{hashlib.sha256(text).hexdigest()[:16]}"
    return f"__Host-{name}" if secure else name


def seal_device(
    vault: Vault, *, client_id: str, subject: str, device_id: str, now: datetime
) -> str:
    """The cookie's value, base64url. Raises VaultError."""
    until = now + KEPT
    told = {"device": device_id, "at": now.timestamp(), "until": until.timestamp()}
    sealed = vault.seal(json.dumps(told).encode(), owner=("device", client_id, subject))
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def open_device(
    vault: Vault, value: str, *, client_id: str, subject: str, now: datetime
) -> str | None:
    """The device's id; None for what is not ours, of another person, or expired."""
    if len(value) > LONGEST:
        return None
    try:
        sealed = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        told = json.loads(vault.open(sealed, owner=("device", client_id, subject)))
        until = datetime.fromtimestamp(told["until"], UTC)
        device_id = told["device"]
    except (VaultError, binascii.Error, ValueError, KeyError, TypeError, OverflowError):
        return None
    return device_id if isinstance(device_id, str) and now < until else None
