"""What every store must do with clients, races included."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.store.port import Conflict, NotFound, Store
from server.store.relying import RelyingParty
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import NOW, TICKET, a_client, a_session, a_template, everybody
from tests.server.failing import failed, failures


async def test_a_client_is_found_again(store: Store) -> None:
    await store.clients.add(a_client("zoo"))
    await store.clients.add(a_client("bank", origins=(), policy="strict"))
    assert await store.clients.get("zoo") == a_client("zoo")
    assert await store.clients.all() == [
        a_client("bank", origins=(), policy="strict"),
        a_client("zoo"),
    ]


async def test_a_client_id_is_taken_once(shop: Store) -> None:
    with pytest.raises(Conflict):
        await shop.clients.add(a_client(policy="other"))
    assert await shop.clients.get("shop") == a_client()


async def test_an_unknown_client_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.clients.get("nobody")
    with pytest.raises(NotFound):
        await store.clients.change(a_client("nobody"), a_client("nobody", secret_hash=TICKET))
    with pytest.raises(NotFound):
        await store.clients.remove("nobody")
    assert await store.clients.all() == []


async def test_a_new_secret_replaces_the_old_one(shop: Store) -> None:
    new = a_client(secret_hash=TICKET, seal=b"seal")
    await shop.clients.change(a_client(), new)
    assert await shop.clients.get("shop") == new
    with pytest.raises(Conflict):
        await shop.clients.change(a_client(), a_client(seal=b"another"))
    await shop.clients.change(new, a_client())
    assert await shop.clients.get("shop") == a_client()


async def test_settings_of_openid_connect_come_and_go(shop: Store) -> None:
    relying = RelyingParty(name="Shop", redirect_uris=("https://shop.example/cb?a=1",))
    more = replace(
        relying,
        post_logout_uris=("https://shop.example/bye",),
        auth="private_key_jwt",
        jwks='{"keys": []}',
        min_acr="phr",
        ways=("key", "otp"),
        key_alone=True,
        accent="#112233",
    )
    for was, now in ((None, relying), (relying, more), (more, None)):
        with pytest.raises(Conflict):
            await shop.clients.change(a_client(relying=more if was is None else None), a_client())
        await shop.clients.change(a_client(relying=was), a_client(relying=now))
        assert await shop.clients.get("shop") == a_client(relying=now)
    await shop.clients.add(a_client("zoo", relying=more))
    assert await shop.clients.get("zoo") == a_client("zoo", relying=more)


async def test_of_twenty_changes_one_wins(two: tuple[Store, Store]) -> None:
    new = [a_client(origins=(f"https://{n}.example",), seal=bytes([n])) for n in range(20)]
    seen = await outcomes([two[n % 2].clients.change(a_client(), one) for n, one in enumerate(new)])
    assert seen == {"ok": 1, "Conflict": 19}
    assert await two[0].clients.get("shop") in new


async def test_new_origins_replace_the_old_ones_and_nothing_else(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    await shop.sessions.add(a_session())
    await shop.templates.put(a_template(), replace=False)
    await failed(shop, "shop", "ada", NOW)
    was = a_client()
    for origins in (("https://new.example", "http://localhost:1"), ()):
        new = a_client(origins=origins)
        await shop.clients.change(was, new)
        assert await shop.clients.get("shop") == new
        was = new
    assert await shop.clients.get("zoo") == a_client("zoo")
    assert await shop.sessions.get("s1") == a_session()
    assert await everybody(shop, "shop") == [a_template()]
    assert await failures(shop, "shop", "ada") == 1


async def test_removing_a_client_removes_what_it_owns_and_nothing_else(shop: Store) -> None:
    await shop.clients.add(a_client("zoo"))
    for client_id in ("shop", "zoo"):
        await shop.sessions.add(a_session(f"s-{client_id}", client_id=client_id))
        await shop.templates.put(a_template(client_id=client_id), replace=False)
        await failed(shop, client_id, "ada", NOW)
    version = (await shop.templates.gallery_version("shop")).changes

    await shop.clients.remove("shop")

    for gone in (
        shop.clients.get("shop"),
        shop.sessions.get("s-shop"),
        shop.templates.get("shop", "ada"),
    ):
        with pytest.raises(NotFound):
            await gone
    assert await everybody(shop, "shop") == []
    assert await failures(shop, "shop", "ada") == 0
    assert (
        await shop.templates.gallery_version("shop")
    ).changes > version  # or a cached gallery would live on
    assert await shop.clients.all() == [a_client("zoo")]
    assert (await shop.sessions.get("s-zoo")).client_id == "zoo"
    assert len(await everybody(shop, "zoo")) == 1
    assert await failures(shop, "zoo", "ada") == 1

    await shop.clients.add(a_client())
    assert await everybody(shop, "shop") == []
    assert (await shop.templates.gallery_version("shop")).changes > version


async def test_nothing_is_kept_for_a_client_that_is_gone(shop: Store) -> None:
    await shop.clients.remove("shop")
    with pytest.raises(NotFound):
        await shop.sessions.add(a_session())
    with pytest.raises(NotFound):
        await shop.templates.put(a_template(), replace=True)
    with pytest.raises(NotFound):
        await failed(shop, "shop", "ada", NOW)
    with pytest.raises(NotFound):
        await shop.sessions.get("s1")
    assert await everybody(shop, "shop") == []
    assert await failures(shop, "shop", "ada") == 0


async def test_a_client_removed_while_it_is_written_for_leaves_nothing(
    two: tuple[Store, Store],
) -> None:
    one, other = two
    writes = [one.templates.put(a_template(f"p{n}"), replace=False) for n in range(10)]
    seen = await outcomes([*writes[:5], other.clients.remove("shop"), *writes[5:]])
    assert set(seen) <= {"ok", "NotFound"}
    assert await everybody(one, "shop") == []
    assert await other.clients.all() == []
