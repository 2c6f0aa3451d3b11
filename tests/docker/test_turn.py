"""docker/turnserver.conf in a real coturn on loopback: the server's credentials open it alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aioice import stun, turn

from server.http import ice
from server.settings.load import load

CONF = Path(__file__).parents[2] / "docker" / "turnserver.conf"
SECRET = "a-secret-that-only-this-test-knows"

pytestmark = pytest.mark.skipif(
    shutil.which("turnserver") is None, reason="needs coturn's turnserver"
)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest_asyncio.fixture
async def coturn(tmp_path: Path) -> AsyncIterator[int]:
    """The port of a coturn with the file's rules, and the lines that docker-compose.yml appends."""
    port = _free_port()
    shipped = CONF.read_text().replace("listening-port=3478", f"listening-port={port}")
    appended = f"""
external-ip=127.0.0.1
allowed-peer-ip=127.0.0.1
static-auth-secret={SECRET}
listening-ip=127.0.0.1
relay-ip=127.0.0.1
"""  # the last two keep it on loopback
    conf = tmp_path / "turnserver.conf"
    conf.write_text(shipped + appended)
    log = tmp_path / "log"
    with log.open("w") as out:
        process = await asyncio.create_subprocess_exec(
            *("turnserver", "-c", str(conf), "--pidfile", str(tmp_path / "pid")),
            stdout=out,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )
    try:
        for _ in range(100):
            assert process.returncode is None, "turnserver ended by itself"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        else:
            pytest.fail("turnserver does not listen")
        text = log.read_text().lower()
        assert "bad configuration" not in text
        assert "unknown" not in text
        yield port
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)


def _told(port: int, until: datetime, secret: str = SECRET) -> dict[str, Any]:
    """What a page is told: the server's own words."""
    environ = {
        "LOOKGATE_TURN_URL": f"turn:127.0.0.1:{port}?transport=udp",
        "LOOKGATE_TURN_SECRET": secret,
    }
    (entry,) = ice.servers(load(environ), "session-0123456789", until)
    return entry


async def _allocate(port: int, username: str, credential: str) -> tuple[str, int]:
    """The relayed address; raises aioice's TransactionFailed."""
    transport, _ = await turn.create_turn_endpoint(
        asyncio.DatagramProtocol,
        server_addr=("127.0.0.1", port),
        username=username,
        password=credential,
        lifetime=60,
    )
    try:
        relayed: tuple[str, int] = transport.get_extra_info("sockname")
        return relayed
    finally:
        transport.close()


async def test_the_servers_credentials_open_it(coturn: int) -> None:
    entry = _told(coturn, datetime.now(UTC) + timedelta(seconds=60))
    host, port = await _allocate(coturn, entry["username"], entry["credential"])
    assert host == "127.0.0.1"
    assert 49160 <= port <= 49223


@pytest.mark.parametrize("fault", ["expired", "other secret", "longer by hand", "wrong password"])
async def test_no_other_credentials_open_it(coturn: int, fault: str) -> None:
    until = datetime.now(UTC) + timedelta(seconds=-10 if fault == "expired" else 60)
    entry = _told(coturn, until, "not-the-secret-of-this-server" if "other" in fault else SECRET)
    username, credential = entry["username"], entry["credential"]
    if fault == "longer by hand":
        username = f"{int(until.timestamp()) + 86400}:{username.partition(':')[2]}"
    if fault == "wrong password":
        credential = credential[::-1]
    with pytest.raises(stun.TransactionFailed) as refused:
        await _allocate(coturn, username, credential)
    assert refused.value.response.attributes["ERROR-CODE"][0] == 401
