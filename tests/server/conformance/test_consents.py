"""What every store must do with consent: texts that stay, and a person's beside the template."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from server.store.consents import ConsentText
from server.store.port import Conflict, NotFound, Store
from tests.server.conformance.races import outcomes
from tests.server.conformance.records import MINUTE, NOW, TICKET, a_client, a_session, a_template


def a_text(version: str = "1", **changes: Any) -> ConsentText:
    text = ConsentText("shop", "face", version, NOW, '{"en": {}}')
    return dataclasses.replace(text, **changes)


async def test_the_newest_text_comes_first_and_the_old_ones_stay(shop: Store) -> None:
    assert await shop.consents.of_client("shop") == []
    old, new = a_text("2"), a_text("10", set_at=NOW + MINUTE)
    other = a_text("1", text_id="club", set_at=NOW + MINUTE / 2)
    for text in (new, old, other):
        await shop.consents.add(text)
    assert await shop.consents.of_client("shop") == [new, other, old]


async def test_a_version_is_never_written_over(shop: Store) -> None:
    await shop.consents.add(a_text())
    with pytest.raises(Conflict):
        await shop.consents.add(a_text(content="{}", set_at=NOW + MINUTE))
    assert await shop.consents.of_client("shop") == [a_text()]


async def test_of_texts_at_once_one_is_the_version(two: tuple[Store, Store]) -> None:
    texts = [a_text(content=str(n)) for n in range(20)]
    seen = await outcomes([two[n % 2].consents.add(text) for n, text in enumerate(texts)])
    assert seen == {"ok": 1, "Conflict": 19}
    (kept,) = await two[0].consents.of_client("shop")
    assert kept in texts


async def test_texts_are_their_clients_own_and_go_with_it(shop: Store) -> None:
    with pytest.raises(NotFound):
        await shop.consents.add(a_text(client_id="nobody"))
    await shop.clients.add(a_client("zoo"))
    await shop.consents.add(a_text())
    await shop.consents.add(a_text(client_id="zoo"))
    await shop.clients.remove("shop")
    assert await shop.consents.of_client("shop") == []
    assert await shop.consents.of_client("nobody") == []
    assert await shop.consents.of_client("zoo") == [a_text(client_id="zoo")]
    await shop.clients.add(a_client())
    assert await shop.consents.of_client("shop") == []


async def test_a_new_session_keeps_what_was_agreed_to(shop: Store) -> None:
    await shop.sessions.add(a_session(purpose="enroll"))
    for given in ("first", "second"):
        kept = await shop.sessions.agree("s1", TICKET, given, NOW)
        assert kept == a_session(purpose="enroll", consent=given)
    claimed = await shop.sessions.claim("s1", TICKET, NOW)
    assert (claimed.state, claimed.consent) == ("live", "second")
    with pytest.raises(Conflict):
        await shop.sessions.agree("s1", TICKET, "third", NOW)
    assert (await shop.sessions.get("s1")).consent == "second"


async def test_nobody_agrees_without_the_ticket_or_after_its_time(shop: Store) -> None:
    await shop.sessions.add(a_session(purpose="enroll"))
    for session_id, ticket, at in (
        ("s1", bytes(32), NOW),
        ("s2", TICKET, NOW),
        ("s1", TICKET, NOW + MINUTE),
    ):
        with pytest.raises(NotFound):
            await shop.sessions.agree(session_id, ticket, "consent", at)
    assert await shop.sessions.get("s1") == a_session(purpose="enroll")


async def test_a_consent_comes_and_goes_with_its_template(shop: Store) -> None:
    first = a_template(consent=b"sealed consent", vector=b"sealed vector")
    await shop.sessions.add(a_session(state="live", purpose="enroll"))
    await shop.endings.accept("s1", at=NOW, subject="ada", template=first)
    assert await shop.templates.get("shop", "ada") == first
    second = a_template(template_id="new", consent=b"another")
    await shop.sessions.add(a_session("s2", state="live", purpose="enroll", replace=True))
    await shop.endings.accept("s2", at=NOW, subject="ada", template=second)
    assert await shop.templates.get("shop", "ada") == second
    # A version that knows no consent leaves none that is not the new template's.
    third = a_template(template_id="of before")
    await shop.templates.put(third, replace=True)
    assert await shop.templates.get("shop", "ada") == third
    await shop.forget_subject("shop", "ada")
    with pytest.raises(NotFound):
        await shop.templates.get("shop", "ada")
