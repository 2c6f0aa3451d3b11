"""What every store must do with codes and access tokens: once, and nothing after a replay."""

from __future__ import annotations

import pytest

from server.store.oidc.logins import DONE
from server.store.port import Conflict, NotFound, Store, Used
from tests.server.conformance.oidc.records import a_code, an_access, done, hashed
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import DAY, MINUTE, NOW, a_client


@pytest.mark.parametrize("challenge", ["c" * 43, None])
async def test_a_code_is_redeemed_once(shop: Store, challenge: str | None) -> None:
    code = await done(shop, code_challenge=challenge)
    assert await shop.codes.redeem(code.code_hash, "shop", NOW) == code
    for at in (NOW, NOW + 2 * MINUTE):  # a replay is told after the code's time, too
        with pytest.raises(Used):
            await shop.codes.redeem(code.code_hash, "shop", at)


async def test_of_fifty_redemptions_one_wins(two: tuple[Store, Store]) -> None:
    code = await done(two[0])
    calls = [two[n % 2].codes.redeem(code.code_hash, "shop", NOW) for n in range(50)]
    assert await outcomes(calls) == {"ok": 1, "Used": 49}


async def test_a_code_is_nobody_elses_and_has_its_time(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    code = await done(shop)
    for code_hash, client_id, at in (
        (hashed("other"), "shop", NOW),
        (code.code_hash, "zoo", NOW),
        (code.code_hash, "shop", NOW + MINUTE),
    ):
        with pytest.raises(NotFound):
            await shop.codes.redeem(code_hash, client_id, at)
    assert await shop.codes.redeem(code.code_hash, "shop", NOW + MINUTE - MINUTE / 60) == code
    with pytest.raises(NotFound):  # and another learns nothing of its use
        await shop.codes.redeem(code.code_hash, "zoo", NOW)


async def test_an_access_token_has_its_time(shop: Store) -> None:
    code = await done(shop)
    access = an_access(code_hash=code.code_hash)
    await shop.access.add(access)
    assert await shop.access.get(access.token_hash, NOW) == access
    with pytest.raises(Conflict):
        await shop.access.add(an_access(code_hash=code.code_hash, subject="bob"))
    for token_hash, at in ((hashed("other"), NOW), (access.token_hash, NOW + 5 * MINUTE)):
        with pytest.raises(NotFound):
            await shop.access.get(token_hash, at)
    assert await shop.access.get(access.token_hash, NOW) == access


async def test_a_client_revokes_its_own(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    code = await done(shop)
    for text in ("one", "two"):
        await shop.access.add(an_access(text, code_hash=code.code_hash))
    assert await shop.access.revoke(hashed("one"), "zoo") == 0
    await shop.access.get(hashed("one"), NOW)
    assert await shop.access.revoke(hashed("one"), "shop") == 1
    assert await shop.access.revoke(hashed("one"), "shop") == 0
    with pytest.raises(NotFound):
        await shop.access.get(hashed("one"), NOW)
    await shop.access.get(hashed("two"), NOW)


async def test_what_a_replayed_code_gave_is_revoked_and_it_gives_no_more(shop: Store) -> None:
    code, other = await done(shop), await done(shop, "l2")
    for text, of in (("one", code), ("two", code), ("other", other)):
        await shop.access.add(an_access(text, code_hash=of.code_hash))
    assert await shop.access.revoke_of(code.code_hash) == 2
    for text in ("one", "two"):
        with pytest.raises(NotFound):
            await shop.access.get(hashed(text), NOW)
    with pytest.raises(NotFound):
        await shop.access.add(an_access("late", code_hash=code.code_hash))
    with pytest.raises(NotFound):
        await shop.access.get(hashed("late"), NOW)
    await shop.access.get(hashed("other"), NOW)
    assert await shop.access.revoke_of(hashed("unknown")) == 0


async def test_no_token_outlives_a_replay_at_the_same_time(two: tuple[Store, Store]) -> None:
    code = await done(two[0])
    tokens = [an_access(str(n), code_hash=code.code_hash) for n in range(20)]
    adds = [two[n % 2].access.add(token) for n, token in enumerate(tokens)]
    seen = await outcomes([*adds[:10], two[1].access.revoke_of(code.code_hash), *adds[10:]])
    assert set(seen) <= {"ok", "NotFound"}
    reads = await outcomes([two[0].access.get(token.token_hash, NOW) for token in tokens])
    assert reads == {"NotFound": 20}


async def test_no_token_without_its_code(shop: Store) -> None:
    with pytest.raises(NotFound):
        await shop.access.add(an_access())
    code = await done(shop, subject="bob")
    await shop.forget_subject("shop", "bob")
    with pytest.raises(NotFound):
        await shop.access.add(an_access(code_hash=code.code_hash, subject="bob"))


async def test_codes_and_tokens_go_with_their_login(shop: Store) -> None:
    code = await done(shop)
    await shop.access.add(an_access(code_hash=code.code_hash))
    assert await shop.sweep(NOW + DAY + 10 * MINUTE) == 0
    assert (await shop.logins.get("l1", NOW)).state == DONE
    assert await shop.sweep(NOW + DAY + 11 * MINUTE) == 1
    with pytest.raises(NotFound):
        await shop.codes.redeem(a_code("l1").code_hash, "shop", NOW)
    with pytest.raises(NotFound):
        await shop.access.get(hashed("token"), NOW)
