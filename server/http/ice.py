"""What a page is told about STUN and TURN: servers, and credentials for one session.

Source: coturn's `use-auth-secret` (draft-uberti-behave-turn-rest-00): the user name holds the time
of expiry, the password is an HMAC over it, and coturn checks both without asking anybody.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any

from server.settings.load import Settings


def servers(settings: Settings, session_id: str, until: datetime) -> list[dict[str, Any]]:
    """`RTCConfiguration.iceServers` (W3C WebRTC section 4.2.4) for one session."""
    found: list[dict[str, Any]] = []
    if settings.stun_url is not None:
        found.append({"urls": [settings.stun_url]})
    if settings.turn_urls and settings.turn_secret is not None:
        # The part after the colon is for coturn's log: a prefix is enough and opens nothing.
        username = f"{int(until.timestamp())}:{session_id[:8]}"
        mac = hmac.new(settings.turn_secret.encode(), username.encode(), hashlib.sha1).digest()
        found.append(
            {
                "urls": list(settings.turn_urls),
                "username": username,
                "credential": base64.b64encode(mac).decode(),
            }
        )
    return found
