"""What every store must do with tries: taken before a session runs, races included."""

from __future__ import annotations

from datetime import datetime

import pytest

from server.store.port import Conflict, NotFound, Store
from server.store.tries import IN_A_ROW, Counter, Held, Kind, Refused, Tally, limits_of
from tests.server.conformance.backends import Backend
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import DAY, MINUTE, NOW, a_client, a_session, a_template
from tests.server.failing import failed, failures, strangers

ADA = strangers("shop", "ada")
DOOR = Counter("shop", Kind.ADDRESS, "17", None, "aa")
PHONE = Counter("shop", Kind.DEVICE, "d1", "ada")


async def _take(
    store: Store, session_id: str, *counters: Counter, at: datetime = NOW
) -> Refused | None:
    await store.sessions.add(a_session(session_id, state="live", claimed_at=at))
    return await store.tries.take(session_id, counters or (ADA,), at)


async def test_a_try_is_counted_until_its_session_ends_in_a_success(shop: Store) -> None:
    assert await _take(shop, "s1", ADA, DOOR) is None
    for counter in (ADA, DOOR):
        assert await shop.tries.tally(counter) == Tally(1, 1, NOW, None, (("s1", NOW),))
    await shop.endings.accept("s1", at=NOW + MINUTE, subject="ada")
    for counter in (ADA, DOOR):
        assert await shop.tries.tally(counter) == Tally()


@pytest.mark.parametrize("failure", [False, True])
async def test_it_is_given_back_or_fails_with_the_record(shop: Store, failure: bool) -> None:
    await _take(shop, "s1", ADA, DOOR)
    ended = await shop.endings.refuse("s1", now_is="expired", at=NOW + MINUTE, failure=failure)
    assert ended is None
    for counter in (ADA, DOOR):
        after = Tally(1, 1, NOW, NOW + MINUTE, ()) if failure else Tally()
        assert await shop.tries.tally(counter) == after


async def test_the_last_of_five_failures_says_how_long_to_wait(shop: Store) -> None:
    for n in range(IN_A_ROW):
        await _take(shop, f"s{n}")
        said = await shop.endings.refuse(f"s{n}", now_is="rejected", at=NOW, failure=True)
        assert said == (Refused(30.0) if n == IN_A_ROW - 1 else None)
    assert await _take(shop, "early") == Refused(30.0)
    assert (await shop.tries.tally(ADA)).taken == ()


async def test_an_operator_lets_an_address_fail_more_or_less(backend: Backend) -> None:
    shop = backend.store(limits_of(address=6))
    await shop.open()
    await shop.clients.add(a_client())
    for n in range(6):
        assert await _take(shop, f"s{n}", DOOR) is None
        said = await shop.endings.refuse(f"s{n}", now_is="rejected", at=NOW, failure=True)
        assert said == (Refused(30.0) if n == 5 else None)
    assert await _take(shop, "late", DOOR) == Refused(30.0)
    assert await _take(shop, "other", ADA) is None


async def test_of_fifty_tries_at_once_five_run_and_the_others_are_refused(
    two: tuple[Store, Store],
) -> None:
    for n in range(50):
        await two[0].sessions.add(a_session(f"s{n}", state="live", claimed_at=NOW))
    refusals: list[Refused | None] = []

    async def one(n: int) -> None:
        refusals.append(await two[n % 2].tries.take(f"s{n}", [ADA, DOOR], NOW))

    assert await outcomes([one(n) for n in range(50)]) == {"ok": 50}
    assert refusals.count(None) == IN_A_ROW
    assert {one for one in refusals if one is not None} == {Refused(30.0)}
    for counter in (ADA, DOOR):
        assert (await two[1].tries.tally(counter)).n == IN_A_ROW


async def test_no_end_of_a_try_is_lost(two: tuple[Store, Store]) -> None:
    """Five at once on many counters' one address, each ended by two servers at once."""
    names = [f"s{n}" for n in range(12)]
    for n in names:
        assert await _take(two[0], n, DOOR) is None
    seen = await outcomes(
        [
            two[k % 2].endings.refuse(n, now_is="rejected", at=NOW, failure=i % 3 == 0)
            for i, n in enumerate(names)
            for k in range(2)
        ]
    )
    assert seen == {"ok": 12, "Conflict": 12}
    assert await two[0].tries.tally(DOOR) == Tally(4, 4, NOW, NOW, ())


async def test_a_try_is_taken_on_all_counters_or_on_none(shop: Store) -> None:
    for _ in range(IN_A_ROW):
        await failed(shop, "shop", "ada", NOW)
    assert await _take(shop, "s1", DOOR, ADA) == Refused(30.0)
    assert await shop.tries.tally(DOOR) == Tally()


async def test_a_session_takes_once(shop: Store) -> None:
    await _take(shop, "s1")
    assert await shop.tries.take("s1", [ADA], NOW) is None
    assert await failures(shop, "shop", "ada") == 1


async def test_a_place_of_a_table_forgets_whose_it_was(shop: Store) -> None:
    other = Counter("shop", Kind.ADDRESS, "17", None, "bb")
    await _take(shop, "s1", DOOR)
    assert await shop.tries.tally(other) == Tally()
    await _take(shop, "s2", other)
    assert await shop.tries.tally(DOOR) == Tally()
    await shop.endings.refuse("s1", now_is="rejected", at=NOW, failure=True)
    assert (await shop.tries.tally(other)).n == 1


async def test_nobody_counts_for_a_client_that_is_not_there(shop: Store) -> None:
    with pytest.raises(NotFound):
        await shop.tries.take("s1", [strangers("nobody", "ada")], NOW)
    assert await shop.tries.tally(strangers("nobody", "ada")) == Tally()


# Known devices


async def test_a_device_is_known_until_its_time_and_with_its_subject(shop: Store) -> None:
    assert not await shop.tries.knows_device(PHONE, NOW)
    await shop.tries.keep_device(PHONE, NOW + DAY, most=3)
    assert await shop.tries.knows_device(PHONE, NOW)
    assert not await shop.tries.knows_device(PHONE, NOW + DAY)
    assert not await shop.tries.knows_device(Counter("shop", Kind.DEVICE, "d1", "bob"), NOW)
    with pytest.raises(Conflict):
        await shop.tries.keep_device(PHONE, NOW + 2 * DAY, most=3)
    await shop.templates.put(a_template(), replace=False)
    await shop.sweep(NOW + DAY)
    assert await shop.tries.knows_device(PHONE, NOW)
    await shop.sweep(NOW + 4 * DAY)
    assert not await shop.tries.knows_device(PHONE, NOW)


async def test_a_device_takes_the_place_of_another(shop: Store) -> None:
    tablet, other = (Counter("shop", Kind.DEVICE, key, "ada") for key in ("d2", "d3"))
    for device in (PHONE, other):
        await shop.tries.keep_device(device, NOW + DAY, most=3)
    await shop.tries.keep_device(tablet, NOW + DAY, most=3, instead="d1")
    known = [await shop.tries.knows_device(one, NOW) for one in (PHONE, tablet, other)]
    assert known == [False, True, True]
    with pytest.raises(NotFound):
        await shop.tries.keep_device(Counter("zoo", Kind.DEVICE, "d", "ada"), NOW + DAY, most=3)


async def test_a_device_that_is_not_known_takes_no_try(shop: Store) -> None:
    with pytest.raises(NotFound):
        await _take(shop, "s1", PHONE)


async def test_a_success_resets_the_counter_of_its_own_device_only(shop: Store) -> None:
    tablet = Counter("shop", Kind.DEVICE, "d2", "ada")
    for device in (PHONE, tablet):
        await shop.tries.keep_device(device, NOW + DAY, most=3)
        await _take(shop, device.key, device)
        await shop.endings.refuse(device.key, now_is="rejected", at=NOW, failure=True)
    await failed(shop, "shop", "ada", NOW)
    await _take(shop, "s1", PHONE)
    await shop.endings.accept("s1", at=NOW, subject="ada")
    counts = [(await shop.tries.tally(one)).total for one in (PHONE, tablet, ADA)]
    assert counts == [0, 1, 1]
    assert await shop.tries.knows_device(PHONE, NOW)


async def test_a_subject_has_so_many_devices_and_the_newest_is_among_them(shop: Store) -> None:
    for n in range(4):
        device = Counter("shop", Kind.DEVICE, f"d{n}", "ada")
        await shop.tries.keep_device(device, NOW + (5 - n) * DAY, most=2)
    known = [
        await shop.tries.knows_device(Counter("shop", Kind.DEVICE, f"d{n}", "ada"), NOW)
        for n in range(4)
    ]
    assert known == [True, False, False, True]


async def test_what_is_forgotten_or_removed_takes_counters_and_devices(shop: Store) -> None:
    await failed(shop, "shop", "ada", NOW)
    await failed(shop, "shop", "bob", NOW)
    await shop.tries.keep_device(PHONE, NOW + DAY, most=3)
    await _take(shop, "s1", PHONE)
    await shop.forget_subject("shop", "ada")
    assert not await shop.tries.knows_device(PHONE, NOW)
    assert (await failures(shop, "shop", "ada"), await failures(shop, "shop", "bob")) == (0, 1)
    with pytest.raises(NotFound):
        await shop.endings.refuse("s1", now_is="rejected", at=NOW, failure=True)
    await shop.clients.remove("shop")
    assert await failures(shop, "shop", "bob") == 0


async def test_a_try_that_was_taken_while_its_subject_was_forgotten_is_swept(shop: Store) -> None:
    for subject in ("ada", "bob"):
        await failed(shop, "shop", subject, NOW)
    await shop.templates.put(a_template("bob"), replace=False)
    await shop.sweep(NOW)
    assert (await failures(shop, "shop", "ada"), await failures(shop, "shop", "bob")) == (0, 1)


async def test_the_counters_of_a_subject_are_told(shop: Store) -> None:
    await shop.tries.keep_device(PHONE, NOW + DAY, most=3)
    await failed(shop, "shop", "ada", NOW)
    await failed(shop, "shop", "bob", NOW)
    assert await shop.tries.of_subject("shop", "ada") == [
        Held(PHONE, Tally(), NOW + DAY),
        Held(ADA, Tally(1, 1, NOW, NOW), None),
    ]


async def test_unlocking_begins_all_counters_of_a_subject_anew(shop: Store) -> None:
    await shop.tries.keep_device(PHONE, NOW + DAY, most=3)
    await _take(shop, "s1", PHONE)
    await shop.endings.refuse("s1", now_is="rejected", at=NOW, failure=True)
    for _ in range(IN_A_ROW):
        await failed(shop, "shop", "ada", NOW)
    await failed(shop, "shop", "bob", NOW)
    assert await shop.tries.unlock("shop", "ada") == 2
    assert await shop.tries.unlock("shop", "ada") == 0
    assert await _take(shop, "s2", ADA) is None
    assert await shop.tries.tally(PHONE) == Tally()
    assert await shop.tries.knows_device(PHONE, NOW)
    assert await failures(shop, "shop", "bob") == 1


async def test_a_try_under_way_may_fail_after_an_unlock(shop: Store) -> None:
    await failed(shop, "shop", "ada", NOW)
    await _take(shop, "s1")
    await shop.tries.unlock("shop", "ada")
    assert await failures(shop, "shop", "ada") == 1
    await shop.endings.refuse("s1", now_is="rejected", at=NOW, failure=True)
    assert await shop.tries.tally(ADA) == Tally(1, 1, NOW, NOW, ())
