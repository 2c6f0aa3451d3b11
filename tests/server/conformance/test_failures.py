"""What every store must do with failed logins in a row, races included."""

from __future__ import annotations

import asyncio

from server.store.port import Store
from tests.server.conformance.records import MINUTE, NOW


async def test_failures_are_counted_and_cleared(shop: Store) -> None:
    assert await shop.failures.count("shop", "ada") == (0, None)
    assert await shop.failures.add("shop", "ada", NOW) == 1
    assert await shop.failures.add("shop", "ada", NOW + MINUTE) == 2
    assert await shop.failures.add("shop", "ada", NOW) == 3  # a late one does not turn time back
    assert await shop.failures.count("shop", "ada") == (3, NOW + MINUTE)
    assert await shop.failures.count("shop", "bob") == (0, None)
    await shop.failures.clear("shop", "ada")
    await shop.failures.clear("shop", "ada")
    assert await shop.failures.count("shop", "ada") == (0, None)
    assert await shop.failures.add("shop", "ada", NOW) == 1


async def test_no_failure_is_lost(two: tuple[Store, Store]) -> None:
    counts = await asyncio.gather(
        *(two[n % 2].failures.add("shop", "ada", NOW + n * MINUTE) for n in range(50))
    )
    assert await two[0].failures.count("shop", "ada") == (50, NOW + 49 * MINUTE)
    assert max(counts) == 50
    assert all(1 <= count <= 50 for count in counts)
