"""The life of one server: its store opened however long it is down, kept in order, and closed.

Not here: what is put together (app.py), what the store does then (store/port.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator

from pipeline.refusal import Refusal
from server.audit.chain import CHECKPOINT_S
from server.audit.started import in_force
from server.keys.master_key import fit
from server.parts import Parts
from server.people.forgetting import withdraw_subject
from server.people.marks import keep_marks, look_and_keep
from server.people.renewal import Renewal
from server.people.retention import believe_clock, erase
from server.session.withdrawn import LOOK_S, end_withdrawn
from server.store.port import Broken, Unavailable

RETRY_S = 2.0
"""Between attempts to open a store that is down at start."""
SETTLE_S = 60.0
"""Between two looks for verdicts that a dead process left half recorded (Endings in port.py)."""
SWEEP_S = 3600.0
"""Expired rows are absent already; this only frees their space."""

logger = logging.getLogger(__name__)


async def of(parts: Parts) -> AsyncIterator[None]:
    """Around the time in which its HTTP side answers."""
    lives = (_keep, _pay_debts, _withdraw, _vouch)
    tasks = [asyncio.create_task(kept(parts)) for kept in lives]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        parts.opening.admission.stop()
        await parts.peers.stop()
        with contextlib.suppress(Unavailable):
            await parts.verdicts.settle()
        if parts.verdicts.owing.is_set():
            logger.error("stopped with refusals that the store did not record")
        with contextlib.suppress(Refusal):
            await parts.audit.close()
        with contextlib.suppress(OSError):
            keep_marks(parts.settings.data_dir, parts.protection.ledger.seen)
        await parts.inference.close()
        await parts.store.close()


async def _keep(parts: Parts) -> None:
    """Open the store, however long it is down; then settle and sweep it now and then."""
    await open_parts(parts)
    swept_s = -math.inf
    while True:
        if parts.member is not None:
            await parts.member.keeping.wait()  # one process does it for all
        with contextlib.suppress(Unavailable):
            settled = await parts.store.endings.settle(parts.audit)
            if settled:
                logger.warning("verdicts settled", extra={"sessions": settled})
        with contextlib.suppress(Unavailable, OSError):
            folder = parts.settings.data_dir
            await parts.clients.settle()
            await look_and_keep(parts.store, parts.protection.ledger, folder)
        if parts.clock() - swept_s >= SWEEP_S:
            swept_s = parts.clock()
            await _sweep(parts)
        await asyncio.sleep(SETTLE_S)


async def _sweep(parts: Parts) -> None:
    """Erase what is over its time, unless the clock jumped."""
    await Renewal(parts.store, parts.protection).adopt()

    async def forget(client_id: str, subject: str) -> None:
        await withdraw_subject(
            parts.audit,
            parts.keyring,
            parts.vault,
            parts.store,
            parts.shelf,
            client_id=client_id,
            subject=subject,
            by="retention",
            now=parts.now,
            ledger=parts.protection.ledger,
        )

    try:
        await believe_clock(parts.store, parts.now())
        await parts.store.sweep(parts.now())
        await erase(parts.store, parts.shelf, parts.now(), forget)
    except Unavailable:
        pass  # the next time
    except (Refusal, OSError) as error:
        code = error.code if isinstance(error, Refusal) else type(error).__name__
        logger.error("what is over its time was not erased", extra={"code": code})


async def _withdraw(parts: Parts) -> None:
    """End the sessions of people who were removed, by whomever."""
    await parts.opened.wait()
    while True:
        with contextlib.suppress(Unavailable):
            await end_withdrawn(parts.peers, parts.store.sessions)
        await asyncio.sleep(LOOK_S)


async def _pay_debts(parts: Parts) -> None:
    """Record the refusals that pages heard while the store was away, as soon as it is back."""
    while True:
        await parts.verdicts.owing.wait()
        try:
            await parts.verdicts.settle()
        except Unavailable:
            await asyncio.sleep(RETRY_S)


async def _vouch(parts: Parts) -> None:
    """Sign where the audit's chains stand, once an hour."""
    await parts.opened.wait()
    while True:
        await asyncio.sleep(CHECKPOINT_S)
        while True:
            try:
                await parts.audit.checkpoint()
                break
            except Unavailable:
                await asyncio.sleep(RETRY_S)


async def open_parts(parts: Parts) -> None:
    """Open the store and make sure there is a signing key; then `parts.opened`.

    A store that is down is waited for: the server answers 503 meanwhile, and `/readyz` tells it.
    """
    told = False
    while True:
        try:
            store = parts.store
            await store.open()
            await fit(
                parts.vault,
                parts.settings.data_dir,
                templates=store.templates,
                keys=store.keys,
                clients=store.clients,
                now=parts.now(),
            )
            await parts.clients.count_those_of_before(parts.settings.data_dir)
            await parts.keyring.load(parts.now())
            await parts.audit.record("settings", **in_force(parts.settings, parts.policies))
            break
        except Broken as error:
            logger.error("the store is broken", extra={"code": error.code, "cause": error.text})
            parts.failed.set_result(error)
            return
        except Unavailable as error:
            if not told:
                logger.warning(
                    "the store cannot be reached; trying on",
                    extra={"cause": f"{error.text} {error.cause}"},
                )
            told = True
        except Exception as error:
            # Wrong schema, wrong master key: no waiting helps. Not ready, and the log says why.
            code = error.code if isinstance(error, Refusal) else "internal"
            logger.error("the store cannot be used", extra={"code": code}, exc_info=error)
            parts.failed.set_result(error)
            return
        await asyncio.sleep(RETRY_S)
    parts.opened.set()
    logger.info("ready")
