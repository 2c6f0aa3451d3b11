"""For all tests: logging as it was before each, a few RSA keys in place of many, Hypothesis for
mutants, the list of skips, and that tests/peers runs when it is named (`make test-peers`) and not
with the rest."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import Phase, settings

from server.keys.signing_key import ALGORITHMS
from server.store.keys import RS256
from tests.rsa_keys import some_rsa_key
from tests.skips import add_option
from tests.skips import hold as pytest_configure  # noqa: F401

collect_ignore = ["peers"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--may-skip`, and which database the store's suite runs against."""
    add_option(parser)
    parser.addoption(
        "--store", choices=["ferretdb"], help="in place of the usual databases of the store's suite"
    )


# For tests/mutants/run.py: the examples of every other run, but one that fails is enough there, so
# none is shrunk, which can take minutes.
settings.register_profile(
    "mutants", settings.get_profile("ci"), phases=(Phase.explicit, Phase.generate)
)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """`log.set_up` configures the whole process; a later test's caplog must not feel it."""
    loggers = [logging.getLogger(name) for name in (None, "server", "lookgate")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


@pytest.fixture(autouse=True, scope="session")
def _few_rsa_keys() -> Iterator[None]:
    """Each server that a test starts wants one, which takes 32 ms of CPU to make."""
    with patch.dict(ALGORITHMS, {RS256: some_rsa_key}):
        yield
