"""From a ticket and an offer to an answer and a living peer, in the order that loses nothing.

What is cheap and harmless comes before the ticket is taken; whatever fails after that ends the
session in the store and gives its place back.
"""

from __future__ import annotations

import asyncio
import logging

from pipeline.policy import Policy
from pipeline.reasons import Reason
from server.parts import Parts
from server.problems import Problem
from server.rtc.connection import Connection, NoAddress, RtcSettings
from server.rtc.lines import BadOffer
from server.rtc.offer import check_offer
from server.session import whom
from server.session.peer import Peer
from server.store.port import Conflict, NotFound, SessionRecord, Unavailable

logger = logging.getLogger(__name__)


def rtc_settings(parts: Parts) -> RtcSettings:
    """How this server's connections are made."""
    settings = parts.settings
    return RtcSettings(
        bind=settings.rtc_addresses,
        advertised=settings.rtc_public_address,
        ports=settings.rtc_ports,
    )


async def open_peer(
    parts: Parts, record: SessionRecord, ticket_hash: bytes, sdp: str, policy: Policy
) -> str:
    """The answer to an offer; the peer lives on in a task of its own.

    Raises Problem (codes of server.rtc.lines, ticket_invalid, ticket_used, too_many_failures, busy)
    and Unavailable.
    """
    try:
        check_offer(sdp)  # a malformed offer must not burn the ticket
    except BadOffer as bad:
        raise Problem(bad.code, bad.text) from None
    # Tickets from before the lock must not pass it; only who holds the ticket learns of it.
    if record.ticket_hash == ticket_hash and (wait_s := await whom.locked(parts, record)):
        raise Problem("too_many_failures", retry_after_s=wait_s)
    if not parts.inference.try_reserve():
        raise Problem("busy", retry_after_s=2.0)
    try:
        claimed = await parts.store.sessions.claim(record.session_id, ticket_hash, parts.now())
    except NotFound:
        parts.inference.release()
        raise Problem("ticket_invalid") from None
    except Conflict:
        parts.inference.release()
        raise Problem("ticket_used") from None
    except BaseException:
        parts.inference.release()
        raise
    try:
        return await _accept(parts, claimed, sdp, policy)
    except BaseException as error:
        parts.inference.release()
        await _abandon(parts, claimed)
        if isinstance(error, BadOffer):
            raise Problem(error.code, error.text) from None
        if isinstance(error, NoAddress):
            logger.error("no address for media")
            raise Problem("busy") from None
        raise


async def _accept(parts: Parts, record: SessionRecord, sdp: str, policy: Policy) -> str:
    gallery = await whom.gallery_for(parts, record)
    peer = Peer(parts, record, policy, gallery, asyncio.get_running_loop().call_later)
    try:
        connection = await Connection.accept(
            sdp,
            rtc_settings(parts),
            on_message=peer.on_message,
            on_state=peer.on_state,
            on_encoded=peer.on_encoded if peer.recorded else None,
            clock=parts.clock,
        )
    except BaseException:
        peer.unrecord()
        raise
    parts.peers.start(peer, peer.run(connection))
    return connection.answer_sdp


async def _abandon(parts: Parts, record: SessionRecord) -> None:
    try:
        await parts.store.sessions.finish(
            record.session_id,
            was="live",
            now_is="expired",
            at=parts.now(),
            reasons=(Reason.INTERNAL.value,),
        )
    except (Conflict, NotFound, Unavailable):
        logger.warning("session not closed", extra={"session": record.session_id[:8]})
