"""Passwords as they are kept: one form of each, argon2id, and a short queue before it.

Not here: which passwords are refused (blocklist.py), how often one may try (tries.py). Sources:
OWASP Password Storage (argon2id), NIST SP 800-63B-4 section 3.1.1.2, RFC 9106 section 4.
"""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from web.demo.refusals import Refused

Lane = Literal["register", "stranger", "known"]
"""Who waits for argon2: somebody new, a login, a login from a device that its owner used before."""

MAX_WAITING: dict[Lane, int] = {"register": 8, "stranger": 32, "known": 32}
"""By lane; thirty people of one office log in at once."""
MAX_WAIT_S = 10.0

HASHER = PasswordHasher()
"""argon2-cffi's defaults: RFC 9106's low-memory profile, argon2id; some 50 ms and 64 MiB."""


def clean(text: str) -> str:
    """One form of the same password from every keyboard (NIST SP 800-63B-4, NFKC)."""
    return unicodedata.normalize("NFKC", text)


class Hashers:
    """argon2 in threads: one at a time in a lane, so that nobody waits for those of another lane.

    Three at once take 192 MiB. Those who find too many before them are refused at once, because an
    endless queue is a way to keep everybody out.
    """

    def __init__(self, hasher: PasswordHasher = HASHER) -> None:
        self._hasher = hasher
        self._nobody = hasher.hash(secrets.token_hex(16))
        """Verified when the user is unknown, so that both answers take the same time."""
        self._free: dict[Lane, asyncio.Semaphore] = {
            lane: asyncio.Semaphore(1) for lane in MAX_WAITING
        }
        self._waiting: dict[Lane, int] = dict.fromkeys(MAX_WAITING, 0)

    async def hash(self, password: str) -> str:
        """argon2id with a salt of its own. Raises Refused("app_busy")."""
        async with self._turn("register"):
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, stored: str | None, password: str, lane: Lane) -> bool:
        """Compare in the same time whether or not there is a user. Raises Refused("app_busy")."""
        async with self._turn(lane):
            return await asyncio.to_thread(self._fits, stored, clean(password[:1024]))

    @asynccontextmanager
    async def _turn(self, lane: Lane) -> AsyncIterator[None]:
        if self._waiting[lane] >= MAX_WAITING[lane]:
            raise Refused("app_busy")
        self._waiting[lane] += 1
        try:
            await asyncio.wait_for(self._free[lane].acquire(), MAX_WAIT_S)
        except TimeoutError:
            raise Refused("app_busy") from None
        finally:
            self._waiting[lane] -= 1
        try:
            yield
        finally:
            self._free[lane].release()

    def _fits(self, stored: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(stored or self._nobody, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False
