"""People who ask a server for sessions, each from an address of its own on this machine."""

from __future__ import annotations

import secrets
from typing import Any

import aiohttp
from aiohttp import encode_basic_auth


class Person:
    """Somebody with an account at the relying app, at one address."""

    def __init__(self, url: str, secret: str, subject: str, address: str) -> None:
        self.subject = subject
        self._url = url
        self._auth = {"Authorization": encode_basic_auth("shop", secret)}
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(local_addr=(address, 0), force_close=True)
        )

    async def close(self) -> None:
        await self._http.close()

    async def offer(self, sdp: str) -> tuple[int, dict[str, Any]]:
        """Status and answer to one offer with a fresh ticket; 0 if there was none to get."""
        wish = {"purpose": "login", "subject": self.subject, "nonce": secrets.token_hex(10)}
        url = f"{self._url}/v1/sessions"
        async with self._http.post(url, json=wish, headers=self._auth) as response:
            if response.status != 201:
                return 0, {}
            made = await response.json()
        async with self._http.post(
            f"{url}/{made['session']}/offer",
            json={"type": "offer", "sdp": sdp},
            headers={"Authorization": f"Bearer {made['ticket']}"},
        ) as response:
            return response.status, await response.json()
