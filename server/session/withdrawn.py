"""Sessions that run here and are no more in the store, because the person or the relying app was
removed: they end at once, and their pages hear `session_over`.

The store is the one place that every remover writes to: another process, another machine, and
`lookgate subject remove`. So it is asked, and nobody has to be told. Not here: that such a session
stores nothing whenever it ends (Endings and forget_subject of server/store/port.py).
"""

from __future__ import annotations

import logging

from server.peers import Peers
from server.store.port import Sessions

LOOK_S = 1.0
"""Between two looks: one read by primary key, only while somebody is connected. A camera of
somebody who withdrew runs on for so long at most."""

logger = logging.getLogger(__name__)


async def end_withdrawn(peers: Peers, sessions: Sessions) -> int:
    """End those that are gone from the store; how many. Raises Unavailable."""
    running = {name: peer for peer in peers if (name := peer.running()) is not None}
    if not running:
        return 0
    gone = running.keys() - await sessions.live(list(running))
    for session_id in gone:
        running[session_id].withdraw()
    if gone:
        logger.info("sessions withdrawn", extra={"sessions": len(gone)})
    return len(gone)
