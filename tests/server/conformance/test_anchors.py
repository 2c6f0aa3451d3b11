"""What every store must do with anchors, races included."""

from __future__ import annotations

import pytest

from server.store.anchors import HEAD, PARTS, AnchorRecord
from server.store.port import Conflict, NotFound, Store
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import a_client


def a_part(part: int, version: int = 1, sealed: bytes = b"sealed", **whose: str) -> AnchorRecord:
    return AnchorRecord(whose.get("client_id", "shop"), part, version, sealed)


async def test_parts_are_kept_by_client_and_number(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    parts = [a_part(number) for number in (PARTS - 1, 3, HEAD)]
    for part in (*parts, a_part(3, client_id="zoo")):
        await shop.anchors.put(part)
    assert await shop.anchors.of("shop") == parts[::-1]
    assert await shop.anchors.of("shop", [HEAD, 3, 4]) == [a_part(HEAD), a_part(3)]
    assert await shop.anchors.of("shop", []) == []
    assert await shop.anchors.of("zoo") == [a_part(3, client_id="zoo")]


async def test_a_part_takes_the_place_of_the_version_before(shop: Store) -> None:
    await shop.anchors.put(a_part(3))
    for wrong in (a_part(3), a_part(3, 3), a_part(4, 2)):
        with pytest.raises(Conflict):
            await shop.anchors.put(wrong)
    await shop.anchors.put(a_part(3, 2, b"newer"))
    assert await shop.anchors.of("shop") == [a_part(3, 2, b"newer")]


@pytest.mark.parametrize("version", [1, 2])
async def test_of_twenty_changes_of_a_part_one_wins(two: tuple[Store, Store], version: int) -> None:
    if version == 2:
        await two[0].anchors.put(a_part(3))
    new = [a_part(3, version, bytes([n])) for n in range(20)]
    seen = await outcomes([two[n % 2].anchors.put(one) for n, one in enumerate(new)])
    assert seen == {"ok": 1, "Conflict": 19}
    (left,) = await two[0].anchors.of("shop")
    assert left in new


async def test_they_go_with_their_client(shop: Store) -> None:
    await shop.anchors.put(a_part(HEAD))
    await shop.clients.remove("shop")
    assert await shop.anchors.of("shop") == []
    with pytest.raises(NotFound):
        await shop.anchors.put(a_part(HEAD))
    assert await shop.anchors.of("shop") == []
