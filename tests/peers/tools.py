"""The tools of other hands that a peer needs, looked for where distributions put them.

A test that lacks one is skipped by its name. Not here: what is run with them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket

import pytest

PLACES = (
    os.environ.get("PATH", os.defpath),
    "/usr/local/go/bin",
    "/usr/local/sbin:/usr/sbin:/sbin",
)


def tool(name: str, *, where: str = "") -> str:
    """Its path; a skip if it is not installed. `where`: a folder to look in first."""
    found = shutil.which(name, path=os.pathsep.join([where, *PLACES]))
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


def unprivileged() -> dict[str, object]:
    """Arguments of subprocess for a program that refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    pytest.skip("no user but root to run PostgreSQL as")


def free_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
