"""Whether a login would work now: what it needs is tried, once a second at most.

A login needs a database that writes, a token that can be signed and a template that opens, so that
these are done and not asked about. Not here: who asks (http/operator.py), the steps (store/, keys/,
people/). Source: docs/operations.md, "Start and stop".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from pipeline.refusal import Refusal
from server.keys.keyring import Keyring
from server.keys.master_key import LOOKED_AT
from server.keys.vault import Vault, VaultError
from server.people.templates import open_template
from server.store.port import Store, Unavailable

LOOK_S = 1.0
"""How long an answer holds. `/readyz` is open to anybody, and each look is a write to the disk."""

logger = logging.getLogger(__name__)


class Readiness:
    """Tries what a login needs, and shares the answer with all who ask meanwhile."""

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        vault: Vault,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        """`clock`: monotonic seconds; `now`: UTC."""
        self._store = store
        self._keyring = keyring
        self._vault = vault
        self._clock = clock
        self._now = now
        self._looking = asyncio.Lock()
        self._looked_at_s: float | None = None
        self._fault: Refusal | None = None

    async def fault(self) -> Refusal | None:
        """Why no login would work now: an Unavailable, a Broken or a VaultError; None if one would.

        It was looked at most LOOK_S ago.
        """
        async with self._looking:
            at_s = self._looked_at_s
            if at_s is None or self._clock() - at_s >= LOOK_S:
                self._fault = await self._tried()
                self._looked_at_s = self._clock()
        return self._fault

    async def _tried(self) -> Refusal | None:
        try:
            await self._store.check(self._now())
            await self._mint()
            await self._open()
        except (Unavailable, VaultError) as fault:
            told = {"code": fault.code, "cause": f"{fault.text} {fault.cause}".strip()}
            logger.error("not ready", extra=told)
            return fault
        return None

    async def _mint(self) -> None:
        """A token that nobody gets, for a client that cannot be."""
        nobody = ".ready"
        await self._keyring.mint(
            subject=nobody,
            client_id=nobody,
            nonce=nobody,
            session_id=nobody,
            purpose="login",
            acr="passive",
            liveness=("passive",),
            auth_time=self._now(),
            now=self._now(),
        )

    async def _open(self) -> None:
        """One template of a few: a damaged one is its owner's trouble, not everybody's."""
        fault: VaultError | None = None
        for record in await self._store.templates.sample(LOOKED_AT):
            try:
                open_template(self._vault, record)
            except VaultError as error:
                fault = error
            else:
                return
        if fault is not None:
            raise fault
