"""STUN and TURN servers as a page is told of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace

from server.parts import Parts
from tests.server.http.asking import Http, create


async def test_turn_credentials_are_coturns(http: Http, parts: Parts) -> None:
    parts.settings = replace(
        parts.settings,
        stun_url="stun:t:3478",
        turn_urls=("turn:t:3478?transport=udp",),
        turn_secret="0123456789abcdef",
    )
    stun, turn = (await create(http))["ice_servers"]
    assert stun == {"urls": ["stun:t:3478"]}
    until, _, name = turn["username"].partition(":")
    assert 60 < int(until) - parts.now().timestamp() < 120
    assert name
    mac = hmac.new(b"0123456789abcdef", turn["username"].encode(), hashlib.sha1).digest()
    assert turn["credential"] == base64.b64encode(mac).decode()
