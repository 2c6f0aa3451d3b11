"""How many HTTP connections a process can take with the files that it may open.

Not here: which connection gives way (http/connections.py), the server itself (app.py).
"""

from __future__ import annotations

import logging
import resource

from server.http import listening
from server.http.connections import Connections, kept_back
from server.rtc.network import host_addresses
from server.settings.load import ConfigError, Settings

FEWEST_CONNECTIONS = 32
"""HTTP connections that a server is of no use without."""

logger = logging.getLogger(__name__)


def connections(settings: Settings, descriptors: int) -> Connections:
    """The caps of HTTP connections, where this process may open so many files (-1: any number).

    Raises ConfigError if media and files leave too few of them.
    """
    most = settings.max_connections
    if descriptors != resource.RLIM_INFINITY:
        kept = kept_back(
            sessions=settings.max_sessions + settings.max_connecting,
            addresses=len(settings.rtc_addresses) or len(host_addresses(True, True)),
            backlog=listening.BACKLOG,
        )
        most = min(most, descriptors - kept)
        if most < FEWEST_CONNECTIONS:
            raise ConfigError(
                [
                    f"LOOKGATE_MAX_SESSIONS needs {kept + FEWEST_CONNECTIONS} open files here, and"
                    f" this process may have {descriptors} (ulimit -n)"
                ]
            )
        if most < settings.max_connections:
            logger.warning(
                "fewer HTTP connections than LOOKGATE_MAX_CONNECTIONS",
                extra={"connections": most, "open_files": descriptors, "kept_for_media": kept},
            )
    return Connections(most, settings.address_connections)
