"""The database server of the server's own tests, for faults of what is kept."""

from __future__ import annotations

from tests.server.conftest import secantus

__all__ = ["secantus"]
