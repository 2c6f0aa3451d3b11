"""`python -m web.demo`: read the settings, serve until stopped."""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3
import sys

from aiohttp import web

from web.demo import logs
from web.demo.app import make_app
from web.demo.config import BadSettings, Settings, read_settings
from web.demo.front import Caps, listening


def main(arguments: list[str]) -> int:
    logs.set_up()
    try:
        settings = read_settings(arguments)
    except BadSettings as bad:
        for problem in bad.problems:
            print(f"demo: {problem}", file=sys.stderr)
        return 2
    try:
        app = make_app(settings)
    except (sqlite3.Error, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        print(f"demo: database: cannot open {str(settings.database)!r}: {reason}", file=sys.stderr)
        return 2
    try:
        asyncio.run(_serve(app, settings))
    except OSError as error:
        print(
            f"demo: port: cannot listen on {settings.host}:{settings.port}: {error.strerror}",
            file=sys.stderr,
        )
        return 1
    return 0


async def _serve(app: web.Application, settings: Settings) -> None:
    ending, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    caps = Caps(connections_of_address=None) if settings.behind_proxy else Caps()
    async with listening(app, host=settings.host, port=settings.port, caps=caps) as port:
        logging.getLogger("demo").info("listening on http://%s:%d", settings.host, port)
        await ending.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
