"""Requests that a relying app pushed before it sends the browser. Source: RFC 9126.

Not here: what was checked of them (server/oidc), the databases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pushed:
    """One pushed request."""

    uri_hash: bytes
    """SHA-256 of the `request_uri`, which holds 256 random bits."""
    client_id: str
    request: str
    """JSON: its parameters."""
    expires_at: datetime


class PushedRequests(Protocol):
    """The pushed requests. Every method may raise Unavailable."""

    async def add(self, pushed: Pushed) -> None:
        """Raises Conflict if the hash is taken, NotFound if there is no such client."""

    async def take(self, uri_hash: bytes, client_id: str, now: datetime) -> Pushed:
        """Once. Raises NotFound: unknown, taken, expired, another client's (which keeps it)."""
