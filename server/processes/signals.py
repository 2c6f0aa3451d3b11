"""The supervisor under the signals of its operator, from the port's binding to the exit status.

Not here: what it does (supervisor.py). Source: signal(7); nginx and gunicorn, whose SIGTERM and
SIGHUP mean the same.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping, Sequence

from server.processes.sockets import listen, url_of
from server.processes.supervisor import Supervisor
from server.settings.load import Settings

logger = logging.getLogger(__name__)


async def supervise(
    count: int,
    command: Sequence[str],
    *,
    settings: Settings,
    environ: Mapping[str, str],
    on_started: Callable[[str], None] = lambda _: None,
) -> int:
    """Run so many processes until SIGTERM or SIGINT; SIGHUP replaces them. The exit status.

    Raises OSError if the port is taken.
    """
    sockets = listen(settings.host, settings.port)
    try:
        supervisor = Supervisor(count, command, sockets, settings=settings, environ=environ)
        ending, rolls = asyncio.Event(), set[asyncio.Task[None]]()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)

        def roll() -> None:
            task = asyncio.create_task(supervisor.roll())
            rolls.add(task)
            task.add_done_callback(rolls.discard)

        loop.add_signal_handler(signal.SIGHUP, roll)
        url = url_of(sockets[0])
        logger.info("listening", extra={"url": url, "processes": count})
        return await supervisor.run(ending, lambda: on_started(url))
    finally:
        for one in sockets:
            one.close()
