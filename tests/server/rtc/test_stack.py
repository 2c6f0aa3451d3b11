"""Versions, robustness, and what the stack says; each patch with when it may go."""

from __future__ import annotations

import json
import logging
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aioice import ice

from server.rtc import stack
from server.rtc.answer import candidates
from tests.server.pictures import HERE, call, held, pictured, soon, until


def test_another_version_of_the_stack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stack.check_versions()
    monkeypatch.setitem(stack.KNOWN, "aioice", "0.14.")
    with pytest.raises(RuntimeError, match=r"aioice 0\.14\.x is needed, 0\.13"):
        stack.apply()


async def test_what_the_stack_chokes_on_ends_the_connection_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """May go when aiortc ends a connection by itself on what it cannot read (1.16 does not)."""
    caplog.set_level(logging.DEBUG)
    before = held()
    pair = await call()
    await pictured(pair.connection)
    sctp = pair.caller._pc.sctp
    await sctp._send(pair.caller._channel.id, 51, b"\xff\xfe peer's own words")  # not UTF-8
    await soon(pair.connection.closed, 2)
    await pair.close()
    await until(lambda: held() == before)
    assert "peer sent what the webrtc stack chokes on" in caplog.text
    assert "own words" not in caplog.text
    assert "Traceback" not in caplog.text


async def test_messages_that_never_end_end_the_connection() -> None:
    """May go when aiortc bounds what it keeps of unfinished messages (1.16 does not)."""
    pair = await call()
    await soon(pair.connection.channel_open)
    pair.caller._pc.sctp._remote_max_message_size = 0
    pair.caller.send("x" * 60_000)
    await until(lambda: bool(pair.at_server))
    assert not pair.connection.closed.is_set()
    pair.caller.send("x" * 1_000_000)
    await soon(pair.connection.closed)
    assert len(pair.at_server) == 1
    await pair.close()


async def test_a_stranger_cannot_end_or_fill_a_connection() -> None:
    """May go when aioice drops what is empty or from a stranger (0.13 does not)."""
    pair = await call()
    connection = pair.connection
    await pictured(connection)
    _, port, _ = candidates(connection.answer_sdp)[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((HERE, 0))
        for junk in (b"", b"\x16\xfe\xfd" + bytes(40), b"\x80\x60" + bytes(60), os.urandom(100)):
            for _ in range(20):
                stranger.sendto(junk, (HERE, port))
    seen = connection.stats()["frames"]
    await until(lambda: connection.stats()["frames"] > seen + 3)
    assert not connection.closed.is_set()
    await pair.close()


VECTORS = Path(__file__).parents[2] / "vectors" / "stun"
NO_STUN = [json.loads(path.read_text()) for path in sorted(VECTORS.glob("*.json"))]


@pytest.mark.parametrize("vector", NO_STUN, ids=lambda vector: vector["name"])
async def test_a_strangers_stun_that_cannot_be_read_is_dropped_in_silence(
    vector: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """May go when aioice drops what it cannot parse (0.13 raises, or takes it for media)."""
    pair = await call()
    connection = pair.connection
    await pictured(connection)
    _, port, _ = candidates(connection.answer_sdp)[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((HERE, 0))
        for _ in range(50):
            stranger.sendto(bytes.fromhex(vector["hex"]), (HERE, port))
    seen = connection.stats()["frames"]
    await until(lambda: connection.stats()["frames"] > seen + 3)
    assert not connection.closed.is_set()
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
    await pair.close()


@pytest.mark.parametrize("vector", NO_STUN, ids=lambda vector: vector["name"])
async def test_what_is_no_stun_is_not_taken_for_media(vector: dict[str, str]) -> None:
    """May go with the test above: nothing of a stranger waits in the queue of a session."""
    taken: list[bytes] = []
    receiver: Any = SimpleNamespace(
        data_received=lambda data, component: taken.append(data), remote_candidates=[]
    )
    stack.apply()
    protocol = ice.StunProtocol(receiver)
    protocol.local_candidate = ice.Candidate("1", 1, "udp", 1, HERE, 1, "host")
    protocol.datagram_received(bytes.fromhex(vector["hex"]), (HERE, 9))
    assert taken == []


def test_the_stack_says_nothing_that_a_peer_wrote(caplog: pytest.LogCaptureFixture) -> None:
    """May go when the stack's log lines quote no peer (those of aiortc 1.16 do)."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("aiortc.rtcrtpreceiver").warning("failed: %s", "peer's own words")
    logging.getLogger("aioice.ice").info("candidate %s", "peer's own words")
    assert "own words" not in caplog.text
    assert [record.msg for record in caplog.records] == ["webrtc stack warned"]
