"""Every command that is offered is one that runs."""

from __future__ import annotations

import re

from server.commands.arguments import parser
from server.commands.main import COMMANDS


def test_every_command_runs() -> None:
    offered = re.findall(r"^    ([a-z]+)\b", parser().format_help(), re.MULTILINE)
    assert "login" in offered
    assert offered == list(COMMANDS)
