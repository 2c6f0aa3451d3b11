"""What every store must do with logins: one winner of each step, and no code without its login."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.store.oidc.logins import DONE
from server.store.port import Conflict, NotFound, Store
from tests.server.conformance.oidc.records import a_code, a_login, done, hashed
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import MINUTE, NOW, a_client


async def test_a_login_is_kept_until_its_end(shop: Store) -> None:
    full = a_login("l2", subject="ada", shown=("key", "face"), session_id="s1", attempts=3)
    for login in (a_login(), full):
        await shop.logins.add(login)
        assert await shop.logins.get(login.login_id, NOW) == login
    with pytest.raises(Conflict):
        await shop.logins.add(a_login(subject="bob"))
    with pytest.raises(NotFound):
        await shop.logins.add(a_login("l3", client_id="nobody"))
    for login_id, at in (("l3", NOW), ("l1", NOW + 10 * MINUTE)):
        with pytest.raises(NotFound):
            await shop.logins.get(login_id, at)
    assert await shop.logins.get("l1", NOW + 10 * MINUTE - MINUTE / 60) == a_login()


async def test_a_move_changes_what_may_change_and_nothing_else(shop: Store) -> None:
    await shop.logins.add(a_login())
    wanted = a_login(
        state="face",
        version=7,
        subject="ada",
        shown=("key",),
        session_id="s1",
        attempts=1,
        challenge_salt=bytes(32),
    )
    kept = await shop.logins.move(a_login(), wanted)
    assert kept == replace(wanted, version=2)
    assert await shop.logins.get("l1", NOW) == kept
    stolen = replace(
        kept, cookie_hash=bytes(32), client_id="zoo", request="{}", expires_at=NOW + 60 * MINUTE
    )
    assert await shop.logins.move(kept, stolen) == replace(kept, version=3)
    assert await shop.logins.get("l1", NOW) == replace(kept, version=3)


async def test_a_move_starts_from_what_is_there(shop: Store) -> None:
    with pytest.raises(NotFound):
        await shop.logins.move(a_login(), a_login(state="key"))
    await shop.logins.add(a_login())
    kept = await shop.logins.move(a_login(), a_login(state="key"))
    for code in (None, a_code()):
        with pytest.raises(Conflict):
            await shop.logins.move(a_login(subject="ada"), a_login(state=DONE, subject="ada"), code)
    assert await shop.logins.get("l1", NOW) == kept
    with pytest.raises(NotFound):
        await shop.codes.redeem(a_code().code_hash, "shop", NOW)


async def test_of_fifty_moves_one_wins_and_its_code_is_the_one(two: tuple[Store, Store]) -> None:
    await two[0].logins.add(a_login())
    end = a_login(state=DONE, subject="ada")
    codes = [a_code(str(n)) for n in range(50)]
    seen = await outcomes(
        [two[n % 2].logins.move(a_login(), end, code) for n, code in enumerate(codes)]
    )
    assert seen == {"ok": 1, "Conflict": 49}
    assert await two[1].logins.get("l1", NOW) == replace(end, version=2)
    redeemed = await outcomes([two[0].codes.redeem(code.code_hash, "shop", NOW) for code in codes])
    assert redeemed == {"ok": 1, "NotFound": 49}


async def test_a_login_that_is_over_gets_no_code(shop: Store) -> None:
    await shop.logins.add(a_login())
    end = a_login(state=DONE, subject="ada")
    late = a_code(issued_at=NOW + 10 * MINUTE, expires_at=NOW + 11 * MINUTE)
    with pytest.raises(NotFound):
        await shop.logins.move(a_login(), end, late)
    assert await shop.logins.get("l1", NOW) == a_login()
    in_time = replace(late, issued_at=NOW + 9 * MINUTE)
    await shop.logins.move(a_login(), end, in_time)
    assert await shop.codes.redeem(late.code_hash, "shop", NOW + 10 * MINUTE) == in_time


async def test_a_login_has_one_code(shop: Store) -> None:
    code = await done(shop)
    was = await shop.logins.get("l1", NOW)
    with pytest.raises(Conflict):
        await shop.logins.move(was, was, a_code("another"))
    assert await shop.logins.get("l1", NOW) == was
    with pytest.raises(NotFound):
        await shop.codes.redeem(hashed("another"), "shop", NOW)
    assert await shop.codes.redeem(code.code_hash, "shop", NOW) == code


async def test_a_code_is_of_its_login_client_and_subject(shop: Store) -> None:
    await shop.logins.add(a_login())
    end = a_login(state=DONE, subject="ada")
    for code in (a_code(login_id="l2"), a_code(client_id="zoo"), a_code(subject="bob")):
        with pytest.raises(AssertionError):
            await shop.logins.move(a_login(), end, code)
    with pytest.raises(AssertionError):
        await shop.logins.move(a_login(), replace(end, state="face"), a_code())
    assert await shop.logins.get("l1", NOW) == a_login()


async def test_the_logins_of_a_subject(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    mine = [a_login("b", subject="ada"), a_login("a", subject="ada", created_at=NOW + MINUTE)]
    others = [a_login("c", subject="bob"), a_login("d"), a_login("e", client_id="zoo")]
    for login in [*others, *reversed(mine)]:
        await shop.logins.add(login)
    assert await shop.logins.of_subject("shop", "ada") == mine
    assert await shop.logins.of_subject("zoo", "ada") == []
