"""One port, bound once."""

from __future__ import annotations

import socket

import pytest

from server.processes.sockets import listen, url_of


def test_a_port_of_the_systems_choice_is_the_same_at_every_address() -> None:
    made = listen("localhost", 0)
    try:
        assert len({one.getsockname()[1] for one in made}) == 1
        url = url_of(made[0])
        assert url.endswith(f":{made[0].getsockname()[1]}")
        socket.create_connection(made[0].getsockname()[:2], timeout=5).close()
    finally:
        for one in made:
            one.close()


def test_a_port_that_is_taken_is_told() -> None:
    (taken,) = listen("127.0.0.1", 0)
    with taken, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", taken.getsockname()[1])
