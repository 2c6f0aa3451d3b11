"""What the command line does in line; attempts themselves run in tests/server/test_app.py."""

from __future__ import annotations

from server.tools.caller.attempt import IN_LINE_S, in_line
from server.tools.caller.http_caller import NoPlace


def full(ahead: int | None, wait_s: float | None) -> NoPlace:
    return NoPlace("Full.", again_s=1.0, ahead=ahead, wait_s=wait_s)


def test_where_we_stand_is_said_when_it_changes() -> None:
    said: list[str] = []
    wait_on = in_line(said.append, lambda: 0.0)
    for standing in ((3, 4.2), (3, 4.9), (1, 0.4), (None, None)):
        assert wait_on(full(*standing))
    assert said == [
        "in line: 3 before us, about 5 s",
        "in line: 1 before us, about 1 s",
        "the server is busy; asking again",
    ]


def test_nobody_at_a_terminal_waits_for_ever() -> None:
    now_s = [0.0]
    wait_on = in_line(lambda text: None, lambda: now_s[0])
    now_s[0] = IN_LINE_S - 1.0
    assert wait_on(full(1, 1.0))
    now_s[0] = IN_LINE_S
    assert not wait_on(full(1, 1.0))
