"""What one running server holds, in one value that the HTTP side is given. No behaviour.

Made by app.py from the settings. Not for sessions: each module of session/ is given what it uses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pipeline.policy import Policy
from server.audit.chain import Audit
from server.frames.inference import Inference
from server.keys.keyring import Keyring
from server.keys.vault import Vault
from server.limits import Once, Rates
from server.metrics import Metrics
from server.peers import Peers
from server.people.protection import Protection
from server.people.sealed_clients import SealedClients
from server.people.shelf import Shelf
from server.processes.member import Member
from server.readiness import Readiness
from server.session.opening import Opening
from server.session.pressure import Pressure
from server.session.verdict import Verdicts
from server.settings.load import Settings
from server.store.port import Store


def utc_now() -> datetime:
    """The wall clock; only stores and tokens are told of it."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Parts:
    """One server."""

    settings: Settings
    store: Store
    vault: Vault
    protection: Protection
    clients: SealedClients
    keyring: Keyring
    member: Member | None
    """Of a server that has several processes; None: this one is alone."""
    model_id: str
    """The embedder whose templates can be compared."""
    readiness: Readiness
    inference: Inference
    pressure: Pressure
    """What this process carries."""
    opening: Opening
    verdicts: Verdicts
    audit: Audit
    """The chain of this process."""
    peers: Peers
    """Sessions with a connection."""
    metrics: Metrics
    shelf: Shelf | None
    """Where sessions are recorded; None: they are not."""
    policies: Mapping[str, Policy]
    """By the name that clients use, with the thresholds of the embedder that runs."""
    rates: Rates
    """How often callers may ask."""
    clock: Callable[[], float]
    """Monotonic seconds, the clock that stamps frames."""
    now: Callable[[], datetime]
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    """The store was opened and the keys are there; stays set through later outages."""
    failed: asyncio.Future[Exception] = field(init=False)
    """Why the store can never be used, if that is so."""
    told: Once = field(default_factory=Once)
    """Faults of the set-up that the log names once."""

    def __post_init__(self) -> None:
        self.failed = asyncio.get_running_loop().create_future()
