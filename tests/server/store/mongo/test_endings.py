"""What is MongoDB's own about the end of a session: the steps that a dead server left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from server.store.mongo.store import MongoStore
from server.store.mongo.templates import content_of
from server.store.port import Conflict, NotFound, TemplateRecord, Unavailable
from tests.server.conformance.backends import MongoBackend
from tests.server.conformance.records import MINUTE, NOW, a_client, a_session, a_template, everybody
from tests.server.failing import failed, failures, strangers

NEW = a_template(template_id="new", sealed=b"new", created_at=NOW + MINUTE)


class Left:
    """A store with a session that was won, and whose server died right after."""

    def __init__(self, mongo: MongoBackend, store: MongoStore) -> None:
        self.mongo = mongo
        self.store = store

    async def won(self, *, may_replace: bool, template: TemplateRecord | None = NEW) -> None:
        await self.store.sessions.add(a_session(state="live", replace=may_replace))
        await self.store.tries.take("s1", [strangers("shop", "ada")], NOW)
        following = {
            "at": NOW,
            "failure": None,
            "template": None if template is None else content_of(template),
        }
        async with AsyncMongoClient[dict[str, Any]](self.mongo.url) as client:
            await client[self.mongo.name]["sessions"].update_one(
                {"_id": "s1"}, {"$set": {"state": "accepted", "unsettled": following}}
            )

    async def settled(self) -> tuple[int, int, int]:
        return (
            await self.store.endings.settle(),
            await self.store.endings.settle(),
            await self.store.endings.settle(),
        )


@pytest.fixture
async def left(mongo: MongoBackend) -> Left:
    store = mongo.store()
    assert isinstance(store, MongoStore)
    await store.open()
    await store.clients.add(a_client())
    await failed(store, "shop", "ada", NOW)
    return Left(mongo, store)


async def test_it_is_done_by_another_after_a_minute_and_open_until_then(left: Left) -> None:
    await left.won(may_replace=False)
    assert await left.store.endings.settle() == 0
    assert (await left.store.sessions.get("s1")).state == "live"
    with pytest.raises(NotFound):
        await left.store.templates.get("shop", "ada")
    assert await left.settled() == (1, 0, 0)
    assert (await left.store.sessions.get("s1")).state == "accepted"
    assert await left.store.templates.get("shop", "ada") == NEW
    assert await failures(left.store, "shop", "ada") == 1  # its own was given back


async def test_the_one_who_won_it_without_knowing_may_refuse_it_until_then(left: Left) -> None:
    await left.won(may_replace=False)
    await left.store.endings.settle()
    with pytest.raises(Conflict):  # somebody else may not
        await left.store.endings.refuse("s1", now_is="rejected", at=NOW)
    await left.store.endings.refuse("s1", now_is="rejected", at=NOW, won=True)
    assert await left.settled() == (0, 0, 0)
    assert (await left.store.sessions.get("s1")).state == "rejected"
    with pytest.raises(NotFound):
        await left.store.templates.get("shop", "ada")
    assert await failures(left.store, "shop", "ada") == 1


async def test_who_enrolled_again_meanwhile_keeps_that(left: Left) -> None:
    newest = a_template(template_id="newest", created_at=NOW + 2 * MINUTE)
    await left.won(may_replace=True)
    await left.store.templates.put(newest, replace=True)
    assert await left.settled() == (0, 1, 0)
    assert await left.store.templates.get("shop", "ada") == newest
    assert (await left.store.sessions.get("s1")).state == "accepted"


async def test_an_older_one_is_replaced(left: Left) -> None:
    await left.store.templates.put(a_template(), replace=False)
    await left.won(may_replace=True)
    version = (await left.store.templates.gallery_version("shop")).changes
    assert await left.settled() == (0, 1, 0)
    assert await left.store.templates.get("shop", "ada") == NEW
    assert (await left.store.templates.gallery_version("shop")).changes > version


async def test_a_second_first_enrolment_is_refused(left: Left) -> None:
    await left.won(may_replace=False)
    other = replace(NEW, template_id="other")
    await left.store.templates.put(other, replace=False)
    assert await left.settled() == (0, 1, 0)
    assert await left.store.templates.get("shop", "ada") == other
    assert (await left.store.sessions.get("s1")).state == "rejected"


@pytest.mark.parametrize("written", [False, True])
async def test_nobody_is_called_forgotten_while_a_dead_server_may_have_stored_them(
    left: Left, written: bool
) -> None:
    """It died before or after it wrote the template; who asks again later is told the truth."""
    await left.won(may_replace=False)
    if written:
        await left.store.templates.put(NEW, replace=False)
    await left.store.endings.settle()
    with pytest.raises(Unavailable):
        await left.store.forget_subject("shop", "ada")
    with pytest.raises(NotFound):
        await left.store.sessions.get("s1")
    with pytest.raises(NotFound):  # nor may the one who won it without knowing
        await left.store.endings.refuse("s1", now_is="rejected", at=NOW, failure=True, won=True)
    assert await left.settled() == (1, 0, 0)
    assert await everybody(left.store, "shop") == []
    erased = await left.store.forget_subject("shop", "ada")
    assert {noun for noun, count in erased.items() if count} == {"tries"}
