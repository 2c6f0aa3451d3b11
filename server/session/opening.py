"""From a ticket and an offer to an answer and a living peer, in the order that loses nothing.

What is cheap and harmless comes before the ticket is taken; whatever fails after that ends the
session in the store and gives its place back. Not here: reading requests (server/http/offers.py),
who may have a session (admission.py), the peer's life (peer.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pipeline.policy import Policy
from pipeline.reasons import Reason
from pipeline.template import Gallery
from server.peers import Peers
from server.people.galleries import Galleries
from server.problems import Problem
from server.rtc.connection import Connection, NoAddress, RtcSettings
from server.rtc.lines import BadOffer
from server.rtc.offer import check_offer
from server.session import whom
from server.session.admission import Admission, Elsewhere, Place
from server.session.line import AGAIN_S, GRACE_S
from server.session.lockout import Caller, Lockout
from server.session.occupancy import Holder
from server.session.peer import Peer
from server.store.port import Conflict, Endings, NotFound, SessionRecord, Sessions, Unavailable
from server.store.tries import Counter

logger = logging.getLogger(__name__)

KEPT_S = GRACE_S + 10.0
"""How long a ticket stays good after it should have been asked for again: the rank's grace, and
the time of a slow request."""
LONGEST_S = 900.0
"""From its making a ticket lives no longer, however often it asks."""


class NewPeer(Protocol):
    """Makes a peer with all that its server has for it."""

    def __call__(
        self, record: SessionRecord, policy: Policy, gallery: Gallery, place: Place
    ) -> Peer: ...


@dataclass(frozen=True, slots=True)
class Opening:
    """Where pages come in."""

    sessions: Sessions
    endings: Endings
    lockout: Lockout
    admission: Admission
    galleries: Galleries
    decoys: whom.Decoys
    peers: Peers
    new_peer: NewPeer
    rtc: RtcSettings
    clock: Callable[[], float]
    """Monotonic seconds, the clock that stamps frames."""
    now: Callable[[], datetime]

    async def answer(
        self,
        record: SessionRecord,
        ticket_hash: bytes,
        sdp: str,
        policy: Policy,
        caller: Caller,
        *,
        wait_s: float = 0.0,
        there: Callable[[], bool] = lambda: True,
    ) -> str:
        """The answer to an offer; the peer lives on in a task of its own.

        `wait_s`: how long the page waits for a place.
        `there`: whether it still waits for the answer.
        Raises Problem (codes of server.rtc.lines, ticket_invalid, ticket_used, too_many_failures,
        face_disabled, too_many_sessions, busy) and Unavailable.
        """
        try:
            check_offer(sdp)  # a malformed offer must not burn the ticket
        except BadOffer as bad:
            raise Problem(bad.code, bad.text) from None
        # Only who holds the ticket learns how its subject's counters stand.
        if record.ticket_hash == ticket_hash:
            # The claim says it again; but who cannot pass it stands in no line.
            if record.expires_at <= self.now():
                raise Problem("ticket_invalid")
            if record.state != "new":
                raise Problem("ticket_used")
            await self.lockout.check(await self.lockout.counters(record, caller))
        holder = Holder(record.client_id, record.subject, caller.address)
        place = await self._place(record, holder, wait_s)
        if not there():  # it went away in line, and its place is another's
            place.give_back()
            raise Problem("busy", retry_after_s=AGAIN_S)
        if isinstance(place, Elsewhere):
            return await place.answer(ticket_hash, sdp, caller)
        return await self.here(place, record, ticket_hash, sdp, policy, caller)

    async def here(
        self,
        place: Place,
        record: SessionRecord,
        ticket_hash: bytes,
        sdp: str,
        policy: Policy,
        caller: Caller,
    ) -> str:
        """The rest of `answer`, for one who has a place in this process."""
        try:
            counters = await self.lockout.counters(record, caller)
            claimed = await self._claim(record, ticket_hash)
            await self._take(claimed, counters)
            place.take_over()
            peer, connection = await self._connect(claimed, sdp, policy, place)
        except BaseException:
            place.give_back()
            raise
        # From here on the place is the peer's.
        self.peers.start(peer, peer.run(connection))
        return connection.answer_sdp

    async def _place(
        self, record: SessionRecord, holder: Holder, wait_s: float
    ) -> Place | Elsewhere:
        """A place; the ticket of one who waits for it stays good."""
        if wait_s:
            await self._keep(record, wait_s)
        try:
            return await self.admission.enter(holder, record.session_id, wait_s)
        except Problem as problem:
            if problem.standing is not None:
                await self._keep(record, AGAIN_S)
            raise

    async def _keep(self, record: SessionRecord, wait_s: float) -> None:
        now = self.now()
        if record.state != "new" or record.expires_at <= now:
            return  # as the claim will say
        until = now + timedelta(seconds=wait_s + KEPT_S)
        until = min(until, record.created_at + timedelta(seconds=LONGEST_S))
        if until > record.expires_at:
            await self.sessions.extend(record.session_id, until)

    async def _claim(self, record: SessionRecord, ticket_hash: bytes) -> SessionRecord:
        try:
            return await self.sessions.claim(record.session_id, ticket_hash, self.now())
        except NotFound:
            raise Problem("ticket_invalid") from None
        except Conflict:
            raise Problem("ticket_used") from None

    async def _take(self, record: SessionRecord, counters: tuple[Counter, ...]) -> None:
        """The session's try, before it looks at anything. Of several claims one gets here, so that
        no session runs on another's try; a ticket that comes too late is used up."""
        try:
            await self.lockout.take(record.session_id, counters)
        except BaseException as error:
            await self._abandon(record)
            if isinstance(error, NotFound):  # client or device are gone
                raise Problem("ticket_invalid") from None
            raise

    async def _connect(
        self, record: SessionRecord, sdp: str, policy: Policy, place: Place
    ) -> tuple[Peer, Connection]:
        """The session is ours; where it cannot begin, it ends in the store."""
        try:
            gallery = await whom.gallery_for(self.galleries, self.decoys, record)
            peer = self.new_peer(record, policy, gallery, place)
            try:
                connection = await Connection.accept(
                    sdp,
                    self.rtc,
                    on_message=peer.on_message,
                    on_state=peer.on_state,
                    on_too_large=peer.on_too_large,
                    on_encoded=peer.on_encoded if peer.recorded else None,
                    clock=self.clock,
                )
            except BaseException:
                peer.unrecord()
                raise
        except BaseException as error:
            await self._abandon(record)
            if isinstance(error, BadOffer):
                raise Problem(error.code, error.text) from None
            if isinstance(error, NoAddress):
                logger.error("no address for media")
                raise Problem("busy") from None
            raise
        return peer, connection

    async def _abandon(self, record: SessionRecord) -> None:
        try:
            await self.endings.refuse(
                record.session_id,
                now_is="expired",
                at=self.now(),
                reasons=(Reason.INTERNAL.value,),
            )
        except (Conflict, NotFound, Unavailable):
            logger.warning("session not closed", extra={"session": record.session_id[:8]})
