"""What the demo app says to its operator: one line a second for one cause.

Not here: what is said; static messages, never a name, a password, a code or a token.
"""

from __future__ import annotations

import logging
import time


class OncePerSecond(logging.Filter):
    """Lets a message of one place in the code pass once a second, however often it comes.

    A stranger who makes us say something a thousand times fills no disk.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said_s: dict[tuple[str, int, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        # The message before its values are filled in: static, so that there are few of them.
        cause, now_s = (record.pathname, record.lineno, record.name), time.monotonic()
        if now_s - self._said_s.get(cause, float("-inf")) < 1.0:
            return False
        self._said_s[cause] = now_s
        return True


def set_up() -> None:
    handler = logging.StreamHandler()
    handler.addFilter(OncePerSecond())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
