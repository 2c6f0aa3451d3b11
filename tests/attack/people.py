"""People who ask a server for sessions, each from an address of its own on this machine."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
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

    async def offer(self, sdp: str, within_s: float = 0.0) -> tuple[int, dict[str, Any]]:
        """Status and answer to one offer with a fresh ticket; 0 if there was none to get.

        Who may wait for a place waits in line `within_s`, as the element does; a place that comes
        later is none.
        """
        until_s = time.monotonic() + within_s
        wish = {"purpose": "login", "subject": self.subject, "nonce": secrets.token_hex(10)}
        url = f"{self._url}/v1/sessions"
        async with self._http.post(url, json=wish, headers=self._auth) as response:
            if response.status != 201:
                return 0, {}
            made = await response.json()
        headers = {"Authorization": f"Bearer {made['ticket']}"}
        while True:
            async with self._http.post(
                f"{url}/{made['session']}/offer",
                json={"type": "offer", "sdp": sdp},
                headers=headers,
            ) as response:
                status, answer = response.status, await response.json()
                again_s = float(response.headers.get("Retry-After", "0"))
            left_s = until_s - time.monotonic() - again_s
            if "line" not in answer or left_s <= 0.0:
                late = within_s and time.monotonic() > until_s + 0.5
                return (503 if late else status), answer
            await asyncio.sleep(again_s)
            headers["Prefer"] = f"wait={min(8, math.ceil(left_s))}"
