"""`python -m web.demo`: read the settings, serve until stopped."""

from __future__ import annotations

import logging
import sqlite3
import sys

from aiohttp import web

from web.demo.app import make_app
from web.demo.config import BadSettings, read_settings


def main(arguments: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = read_settings(arguments)
        app = make_app(settings)
    except BadSettings as bad:
        for problem in bad.problems:
            print(f"demo: {problem}", file=sys.stderr)
        return 2
    except sqlite3.Error as error:
        print(f"demo: database: cannot be opened: {error}", file=sys.stderr)
        return 2
    logging.getLogger("demo").info("starting on http://%s:%d", settings.host, settings.port)
    try:
        # No access log: it would be the only place that knows when whom had their face looked at.
        web.run_app(app, host=settings.host, port=settings.port, access_log=None, print=None)
    except OSError as error:
        print(
            f"demo: port: cannot listen on {settings.host}:{settings.port}: {error.strerror}",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
