"""A run in which a skip is a failure, unless a list names it: `pytest --may-skip FILE`.

Here: the option and the list. A line of the list is a test's id, or the beginning of one, and after
two spaces the reason as pytest tells it, or the beginning of that. `.ci/run` passes
tests/may_skip.txt, so that nothing is left out there without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest


class Skips:
    """Every skip of a run, held against a list."""

    def __init__(self, allowed: Sequence[tuple[str, str]]) -> None:
        """`allowed`: beginnings of a test's id and of its reason."""
        self._allowed = allowed
        self.unnamed: list[str] = []
        """Skips that are not on the list."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test, or its preparation, was skipped."""
        self._hold(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A whole file was skipped."""
        self._hold(report)

    def _hold(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        told = report.longrepr
        reason = str(told[2] if isinstance(told, tuple) else told).removeprefix("Skipped: ")
        if not any(report.nodeid.startswith(i) and reason.startswith(r) for i, r in self._allowed):
            self.unnamed.append(f"{report.nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """The run fails for them."""
        if self.unnamed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which."""
        for line in self.unnamed:
            terminalreporter.write_line(f"SKIPPED, AND NOT ON THE LIST {line}", red=True)


def listed(text: str) -> list[tuple[str, str]]:
    """Lines of a list. Raises ValueError for one without a reason."""
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            test, gap, reason = line.partition("  ")
            if not gap or not reason.strip():
                raise ValueError(f"a skip without a reason: {line}")
            found.append((test, reason.strip()))
    return found


def add_option(parser: pytest.Parser) -> None:
    """`--may-skip`."""
    parser.addoption("--may-skip", metavar="FILE", type=Path, help="every other skip fails the run")


def hold(config: pytest.Config) -> None:
    """Hold the run against the list, if there is one."""
    if (file := config.getoption("--may-skip")) is not None:
        config.pluginmanager.register(Skips(listed(file.read_text("utf-8"))), "skips")
