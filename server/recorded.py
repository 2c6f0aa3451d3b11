"""What makes verdicts count and be remembered, put together for one server.

Here: the audit of this process and the Verdicts that note in it. Not here: the rest of the house
(app.py), what they do (server/audit/chain.py, server/session/verdict.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from server.adaptation import Adaptation
from server.audit.chain import Audit
from server.audit.witness import Witness
from server.keys.keyring import Keyring
from server.people.duplicates import Duplicates
from server.people.galleries import Galleries
from server.people.protection import Protection
from server.session.lockout import Lockout
from server.session.replays import Replays
from server.session.verdict import Verdicts
from server.settings.load import Settings
from server.store.port import Store


def recorded(
    settings: Settings,
    store: Store,
    protection: Protection,
    keyring: Keyring,
    lockout: Lockout,
    galleries: Galleries,
    *,
    model_id: str,
    now: Callable[[], datetime],
) -> tuple[Audit, Verdicts]:
    """The audit of this process, and the verdicts that it records; nothing is written yet."""
    audit = Audit(
        store.audit, protection.vault, now=now, by="serve", witness=Witness(settings.data_dir)
    )
    verdicts = Verdicts(
        endings=store.endings,
        lockout=lockout,
        templates=store.templates,
        keyring=keyring,
        protection=protection,
        model_id=model_id,
        now=now,
        audit=audit,
        duplicates=Duplicates(galleries, settings.duplicates),
        replays=Replays(store.fingerprints, protection.vault, settings.replayed, now),
        adaptation=Adaptation(store.templates, protection, audit, settings.adapt),
    )
    return audit, verdicts
