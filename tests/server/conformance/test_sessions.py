"""What every store must do with sessions: a ticket opens one once, an ending counts once."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from server.store.port import Conflict, NotFound, Store
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import DAY, MINUTE, NOW, TICKET, a_client, a_session


async def test_a_session_is_found_again(shop: Store) -> None:
    full = a_session(
        "s2",
        purpose="identify",
        subject=None,
        claimed_at=NOW,
        finished_at=NOW + MINUTE,
        reasons=("no_match", "quality"),
        evidence='[{"cue": "identity", "llr": -2.5}]',
        replace=True,
        state="rejected",
    )
    await shop.sessions.add(a_session())
    await shop.sessions.add(full)
    assert await shop.sessions.get("s1") == a_session()
    assert await shop.sessions.get("s2") == full
    with pytest.raises(Conflict):
        await shop.sessions.add(a_session(nonce="x" * 16))
    assert await shop.sessions.get("s1") == a_session()
    with pytest.raises(NotFound):
        await shop.sessions.get("s3")


async def test_a_ticket_opens_its_session_once(shop: Store) -> None:
    await shop.sessions.add(a_session())
    claimed = await shop.sessions.claim("s1", TICKET, NOW + MINUTE / 2)
    assert claimed == a_session(state="live", claimed_at=NOW + MINUTE / 2)
    assert await shop.sessions.get("s1") == claimed
    with pytest.raises(Conflict):
        await shop.sessions.claim("s1", TICKET, NOW + MINUTE / 2)


async def test_a_wrong_ticket_opens_nothing_and_spoils_nothing(shop: Store) -> None:
    await shop.sessions.add(a_session())
    await shop.sessions.add(a_session("s2", ticket_hash=hashlib.sha256(b"other").digest()))
    for session_id, ticket in (("s1", bytes(32)), ("s1", b""), ("s2", TICKET), ("s3", TICKET)):
        with pytest.raises(NotFound):
            await shop.sessions.claim(session_id, ticket, NOW)
    assert (await shop.sessions.get("s1")).state == "new"
    assert (await shop.sessions.claim("s1", TICKET, NOW)).state == "live"


async def test_an_expired_ticket_is_absent_before_it_is_swept(shop: Store) -> None:
    await shop.sessions.add(a_session())
    with pytest.raises(NotFound):
        await shop.sessions.claim("s1", TICKET, NOW + MINUTE)  # "until then": not at that moment
    with pytest.raises(NotFound):
        await shop.sessions.claim("s1", TICKET, NOW + DAY)
    assert (await shop.sessions.get("s1")).state == "new"
    await shop.sessions.claim("s1", TICKET, NOW + MINUTE - timedelta(milliseconds=1))
    with pytest.raises(NotFound):
        await shop.sessions.claim("s1", TICKET, NOW + MINUTE)  # used and over: over


async def test_a_ticket_is_put_off_and_never_brought_forward(shop: Store) -> None:
    await shop.sessions.add(a_session())
    await shop.sessions.extend("s1", NOW + 3 * MINUTE)
    await shop.sessions.extend("s1", NOW + 2 * MINUTE)
    await shop.sessions.extend("unknown", NOW + 2 * MINUTE)
    longer = a_session(expires_at=NOW + 3 * MINUTE)
    assert await shop.sessions.get("s1") == longer
    late = NOW + 2.5 * MINUTE
    claimed = await shop.sessions.claim("s1", TICKET, late)
    assert claimed == a_session(expires_at=NOW + 3 * MINUTE, state="live", claimed_at=late)
    await shop.sessions.extend("s1", NOW + DAY)  # a used one is not
    assert (await shop.sessions.get("s1")).expires_at == NOW + 3 * MINUTE


async def test_of_fifty_claims_one_wins(two: tuple[Store, Store]) -> None:
    await two[0].sessions.add(a_session())
    seen = await outcomes([two[n % 2].sessions.claim("s1", TICKET, NOW) for n in range(50)])
    assert seen == {"ok": 1, "Conflict": 49}


async def test_a_session_is_finished_once(shop: Store) -> None:
    await shop.sessions.add(a_session())
    with pytest.raises(Conflict):
        await shop.sessions.finish("s1", was="live", now_is="accepted", at=NOW)
    await shop.sessions.claim("s1", TICKET, NOW)
    done = await shop.sessions.finish(
        "s1",
        was="live",
        now_is="rejected",
        at=NOW + MINUTE,
        reasons=("liveness",),
        evidence='[{"cue": "spoof"}]',
    )
    assert done == a_session(
        state="rejected",
        claimed_at=NOW,
        finished_at=NOW + MINUTE,
        reasons=("liveness",),
        evidence='[{"cue": "spoof"}]',
    )
    assert await shop.sessions.get("s1") == done
    with pytest.raises(Conflict):
        await shop.sessions.finish("s1", was="live", now_is="accepted", at=NOW)
    with pytest.raises(NotFound):
        await shop.sessions.finish("s9", was="live", now_is="accepted", at=NOW)
    assert await shop.sessions.get("s1") == done


async def test_of_fifty_endings_one_counts(two: tuple[Store, Store]) -> None:
    await two[0].sessions.add(a_session(state="live"))
    ends = ["accepted", "rejected", "expired"]
    seen = await outcomes(
        [
            two[n % 2].sessions.finish("s1", was="live", now_is=ends[n % 3], at=NOW)
            for n in range(50)
        ]
    )
    assert seen == {"ok": 1, "Conflict": 49}
    assert (await two[1].sessions.get("s1")).state in ends


async def test_an_ending_names_whom_it_found_but_never_somebody_else(shop: Store) -> None:
    await shop.sessions.add(a_session("found", purpose="identify", subject=None, state="live"))
    await shop.sessions.add(a_session("nobody", purpose="identify", subject=None, state="live"))
    await shop.sessions.add(a_session("login", state="live"))
    found = await shop.sessions.finish(
        "found", was="live", now_is="accepted", at=NOW, subject="grace"
    )
    assert found.subject == "grace"
    assert (await shop.sessions.get("found")).subject == "grace"
    nobody = await shop.sessions.finish("nobody", was="live", now_is="rejected", at=NOW)
    assert nobody.subject is None
    with pytest.raises(Conflict):
        await shop.sessions.finish("login", was="live", now_is="accepted", at=NOW, subject="grace")
    assert await shop.sessions.get("login") == a_session("login", state="live")
    done = await shop.sessions.finish("login", was="live", now_is="accepted", at=NOW, subject="ada")
    assert (done.subject, done.state) == ("ada", "accepted")


async def test_live_are_those_that_neither_ended_nor_went(shop: Store) -> None:
    for state in ("new", "live", "accepted", "rejected", "expired"):
        await shop.sessions.add(a_session(state, state=state))
    await shop.sessions.add(a_session("gone", state="live", subject="bob"))
    everyone = ["new", "live", "accepted", "rejected", "expired", "gone", "nobody"]
    assert await shop.sessions.live(everyone) == {"live", "gone"}
    assert await shop.sessions.live(["new", "live"]) == {"live"}
    assert await shop.sessions.live([]) == frozenset()
    await shop.forget_subject("shop", "bob")
    assert await shop.sessions.live(everyone) == {"live"}


async def test_the_sessions_of_a_subject_are_told_oldest_first(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    later = a_session("a", created_at=NOW + MINUTE, state="accepted", evidence='["x"]')
    await shop.sessions.add(later)
    await shop.sessions.add(a_session("b"))
    for name, changes in (
        ("c", {"subject": "bob"}),
        ("d", {"client_id": "zoo"}),
        ("e", {"subject": None, "purpose": "identify"}),
    ):
        await shop.sessions.add(a_session(name, **changes))
    assert await shop.sessions.of_subject("shop", "ada") == [a_session("b"), later]
    assert await shop.sessions.of_subject("shop", "eve") == []
