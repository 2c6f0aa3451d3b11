"""Bodies that cost much to read: compressed ones, endless ones (facts: attack 3, CWE-409)."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from pathlib import Path

import pytest

from tests.attack.victim import victim

BOMB_BYTES = 130 * 1024 * 1024


def bomb() -> bytes:
    """126 KB that are 130 MB of zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = bytes(1024 * 1024)
    return (
        b"".join(packer.compress(piece) for _ in range(BOMB_BYTES // len(piece))) + packer.flush()
    )


async def told(port: int, head: str, body: bytes) -> bytes:
    """What the server answers, until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode())
    try:
        for at in range(0, len(body), 65536):
            writer.write(body[at : at + 65536])
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("path", ["/healthz", "/.well-known/jwks.json", "/nowhere", "/v1/sessions"])
async def test_nothing_is_inflated(tmp_path: Path, path: str) -> None:
    body = bomb()
    async with victim(tmp_path) as found:
        before_s = found.cpu_s()
        for _ in range(5):
            answered = await told(
                found.port,
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
                f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n",
                body,
            )
            head, _, rest = answered.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 415")
            assert json.loads(rest)["error"]["code"] == "request_encoded"
        assert found.cpu_s() - before_s < 0.2


async def test_what_nobody_wants_is_not_read_for_ever(tmp_path: Path) -> None:
    async with victim(tmp_path) as found:
        before_s, began_s = found.cpu_s(), time.monotonic()
        size = 200 * 1024 * 1024
        await told(
            found.port,
            f"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n",
            bytes(size),
        )
        assert time.monotonic() - began_s < 5.0
        assert found.cpu_s() - before_s < 0.2
