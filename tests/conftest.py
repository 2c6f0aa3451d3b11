"""For all tests: what one of them does to logging ends with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """`log.set_up` configures the whole process; a later test's caplog must not feel it."""
    loggers = [logging.getLogger(name) for name in (None, "server", "lookgate")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
