"""The database stops at every step of a verdict, and goes on: the record is what the page heard.

SIGSTOP keeps what was sent: the database does it once it goes on, when nobody waits any more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pymongo import monitoring

from pipeline.decision import Evidence, Stand, Topic
from pipeline.events import Decided
from pipeline.policy import POLICIES
from pipeline.reasons import Phase, Reason
from pipeline.template import Template
from server.adaptation import Adaptation
from server.audit.chain import Audit
from server.keys.keyring import Keyring
from server.keys.vault import Vault
from server.people.duplicates import Duplicates
from server.people.galleries import Galleries
from server.people.protection import Protection, Space, protection_of
from server.people.templates import seal_template
from server.session.lockout import Lockout
from server.session.replays import Replays
from server.session.verdict import Verdicts
from server.store.mongo.store import MongoStore
from server.store.port import NotFound, Unavailable
from tests.attack import verdict_steps
from tests.pipeline.observations import template
from tests.server.conformance.records import MINUTE, NOW, a_client, a_session
from tests.server.conformance.secantus import Secantus
from tests.server.failing import failures, strangers
from tests.server.stage import agreed_to

VAULT = Vault([bytes(32)])
FACE = Evidence("face", Topic.QUALITY, Stand.FOR, "usable")
MOST_STEPS = 50

# The driver (4.20) leaves a socket to the garbage collector when it is cancelled while it connects.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*<socket.socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module", autouse=True)
def _steps() -> Iterator[None]:
    monitoring.register(verdict_steps.Steps())  # for the clients that are made from here on
    yield
    verdict_steps.end()


async def _answers(store: MongoStore) -> None:
    deadline_s = time.monotonic() + 15
    while True:
        try:
            return await store.check(NOW)
        except Unavailable:
            assert time.monotonic() < deadline_s


def _protection(store: MongoStore) -> Protection:
    return protection_of(store, VAULT, lambda: NOW)


async def _person(store: MongoStore) -> Template | None:
    """Whom a login would be compared with."""
    try:
        record = await store.templates.get("shop", "ada")
    except NotFound:
        return None
    protection = _protection(store)
    standing = await protection.standing("shop", ["ada"])
    return protection.opened(record, standing, Space(None))


def _same(one: Template | None, other: Template | None) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.allclose(one.embeddings, other.embeddings, atol=1e-6))


@pytest.mark.parametrize("case", ["enroll", "replace", "login", "refuse"])
async def test_the_record_is_what_the_page_heard(
    own_secantus: Secantus, tmp_path: Path, case: str
) -> None:
    for n in range(1, MOST_STEPS):
        if not await _stopped_at(own_secantus, f"stopped_{case}_{n}", case, n):
            assert n > 4
            return
    raise AssertionError("there are more steps")


async def _stopped_at(secantus: Secantus, name: str, case: str, n: int) -> bool:
    """Whether there was a step `n`."""
    store = MongoStore(secantus.url, database=name, wait_s=0.4)
    await store.open()
    try:
        await store.clients.add(a_client())
        purpose = "login" if case in ("login", "refuse") else "enroll"
        old, new = template(1), template(2)
        if case != "enroll":
            record = seal_template(
                VAULT, old, client_id="shop", subject="ada", template_id="old", created_at=NOW
            )
            await store.templates.put(record, replace=False)
        session = a_session(
            state="live", purpose=purpose, replace=case == "replace", consent=agreed_to("s1")
        )
        await store.sessions.add(session)
        if purpose == "login":
            assert await store.tries.take("s1", [strangers("shop", "ada")], NOW) is None
        ring = Keyring(store.keys, VAULT, issuer="https://login.example")
        await ring.load(NOW)
        audit = Audit(store.audit, VAULT, now=lambda: NOW + MINUTE, by="test")
        await audit.record("settings")
        galleries = Galleries(store.templates, _protection(store), model_id=old.model_id)
        verdicts = Verdicts(
            endings=store.endings,
            lockout=Lockout(store.tries, store.templates, lambda: bytes(32), lambda: NOW + MINUTE),
            templates=store.templates,
            keyring=ring,
            protection=_protection(store),
            duplicates=Duplicates(galleries, "off"),
            replays=Replays(store.fingerprints, VAULT, "off", lambda: NOW + MINUTE),
            adaptation=Adaptation(store.templates, _protection(store), audit, "never"),
            model_id=old.model_id,
            now=lambda: NOW + MINUTE,
            audit=audit,
        )
        decided = Decided(Phase.ACCEPTED, subject="ada", template=new)
        if case == "refuse":
            decided = Decided(Phase.REJECTED, (Reason.NO_MATCH,))
        stopped = []

        def stop(number: int) -> None:
            if number == n:
                stopped.append(n)
                secantus.hang()

        verdict_steps.begin(stop)
        said = await verdicts.record(session, POLICIES["standard"], decided, [FACE])
        verdict_steps.end()
        if stopped:
            secantus.go_on()
            await _answers(store)
        if verdicts.owing.is_set():
            await verdicts.settle()
        for _ in range(2):  # the next two minutes of any server
            await store.endings.settle(audit)
        state = (await store.sessions.get("s1")).state
        before = None if case == "enroll" else old
        counted = await failures(store, "shop", "ada")
        assert (state == "accepted") == (said.token is not None), (case, n, said, state)
        assert state in ("accepted", "rejected")
        replaced = state == "accepted" and purpose == "enroll"
        assert _same(await _person(store), new if replaced else before), (case, n, state)
        assert counted == (1 if case == "refuse" else 0), (case, n)
        return bool(stopped)
    finally:
        verdict_steps.end()
        secantus.go_on()
        await asyncio.wait_for(store.close(), 10)
