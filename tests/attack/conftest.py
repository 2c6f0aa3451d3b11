"""The database server of the server's own tests, for attacks on what is kept."""

from __future__ import annotations

from tests.server.conftest import own_secantus, secantus

__all__ = ["own_secantus", "secantus"]
