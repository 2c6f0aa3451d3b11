"""Consent over HTTP: asked before the camera, given with the offer, or there is no enrolment."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from server.parts import Parts
from server.people.consent import Consent, read_text, seal_consent, shipped, text_record
from server.session.opening import LONGEST_S
from tests.server.http.asking import AUTH, Http, code_of, create
from tests.server.stage import CLIENT, ORIGIN, VAULT, agreed_to, enrolled

TEXT = """
text_id = "club"
version = "1"
[de]
purpose = "Einlass"
body = "Ja."
"""
WORDS = ("text_id", "version", "language", "sha256")


def ask(http: Http, made: dict[str, Any], **headers: str) -> Any:
    """Ask for the text as a page does; an empty header is left out."""
    given = {"Authorization": f"Bearer {made['ticket']}", "Origin": ORIGIN, **headers}
    given = {name.replace("_", "-"): value for name, value in given.items() if value}
    return http.get(f"/v1/sessions/{made['session']}/consent", headers=given)


async def asked(http: Http, made: dict[str, Any], **headers: str) -> Any:
    async with ask(http, made, **headers) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert response.headers["Cache-Control"] == "no-store"
        return (await response.json())["consent"]


def post(http: Http, made: dict[str, Any], sdp: str, given: Any) -> Any:
    """An offer with this consent."""
    return http.post(
        f"/v1/sessions/{made['session']}/offer",
        json={"type": "offer", "sdp": sdp, **({} if given is None else {"consent": given})},
        headers={"Authorization": f"Bearer {made['ticket']}", "Origin": ORIGIN},
    )


def word(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: shown[name] for name in WORDS}


async def test_an_enrolment_is_told_what_to_ask_and_a_login_is_not(http: Http) -> None:
    made = await create(http, purpose="enroll")
    assert made["consent"] is True
    english = shipped()[0][0]
    assert await asked(http, made) == {
        "text_id": "lookgate",
        "version": "1",
        "language": "en",
        "purpose": english.purpose,
        "body": english.body,
        "sha256": english.sha256,
    }
    login = await create(http)
    assert login["consent"] is False
    assert await asked(http, login) is None


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", "de"),
        ("fr, de-CH;q=0.5, en;q=0.4", "de"),
        ("en;q=0.5, de", "de"),
        ("de;q=0, en", "en"),
        ("fr", "en"),
        ("de\t;q=9,,;;", "en"),
    ],
)
async def test_the_text_comes_in_the_pages_language(http: Http, header: str, language: str) -> None:
    made = await create(http, purpose="enroll")
    assert (await asked(http, made, Accept_Language=header))["language"] == language


async def test_an_offer_with_the_consent_is_answered_and_it_is_recorded(
    http: Http, parts: Parts, offer: str
) -> None:
    made = await create(http, purpose="enroll")
    shown = await asked(http, made, Accept_Language="de")
    async with post(http, made, offer, word(shown)) as response:
        assert response.status == 200, await response.text()
    record = await parts.store.sessions.get(made["session"])
    assert record.state == "live"
    assert record.consent is not None
    assert Consent.from_json(record.consent) == Consent(
        **word(shown),
        purpose=shown["purpose"],
        at="2026-01-01T12:00:00.000Z",
        client=CLIENT,
        session=made["session"],
    )


@pytest.mark.parametrize(
    "change",
    [None, {"version": "2"}, {"language": "de"}, {"sha256": "0" * 64}, {"text_id": "club"}],
)
async def test_an_enrolment_without_exactly_the_consent_is_refused_and_costs_no_ticket(
    http: Http, parts: Parts, offer: str, change: dict[str, str] | None
) -> None:
    made = await create(http, purpose="enroll")
    good = word(await asked(http, made))
    given = None if change is None else {**good, **change}
    async with post(http, made, offer, given) as response:
        assert await code_of(response, 409) == "consent_needed"
    record = await parts.store.sessions.get(made["session"])
    assert (record.state, record.consent) == ("new", None)
    assert len(parts.opening.admission.occupancy) == 0
    async with post(http, made, offer, good) as response:
        assert response.status == 200


async def test_a_login_gives_no_consent(http: Http, parts: Parts, offer: str) -> None:
    made = await create(http)
    one = shipped()[0][0]
    given = {name: getattr(one, name) for name in WORDS}
    async with post(http, made, offer, given) as response:
        assert await code_of(response, 400) == "request_invalid"
    async with post(http, made, offer, None) as response:
        assert response.status == 200
    assert (await parts.store.sessions.get(made["session"])).consent is None


async def test_a_clients_own_text_takes_the_place_of_the_shipped_one(
    http: Http, parts: Parts, offer: str
) -> None:
    made = await create(http, purpose="enroll")
    before = word(await asked(http, made))
    text = text_record(CLIENT, read_text(TEXT), parts.now())
    await parts.store.consents.add(text)
    async with post(http, made, offer, before) as response:  # of before the change
        assert await code_of(response, 409) == "consent_needed"
    now = await asked(http, made, Accept_Language="en")
    assert (now["text_id"], now["language"], now["body"]) == ("club", "de", "Ja.")
    async with post(http, made, offer, word(now)) as response:
        assert response.status == 200


async def test_a_ticket_lasts_while_its_person_reads(http: Http, parts: Parts, offer: str) -> None:
    clock: Any = parts.clock
    made = await create(http, purpose="enroll")
    clock.s += 59
    given = word(await asked(http, made))
    clock.s += 590
    async with post(http, made, offer, given) as response:
        assert response.status == 200
    login = await create(http)
    assert await asked(http, login) is None
    clock.s += 61
    async with ask(http, login) as response:
        assert await code_of(response, 401) == "ticket_invalid"


async def test_no_ticket_lasts_for_ever(http: Http, parts: Parts) -> None:
    clock: Any = parts.clock
    made = await create(http, purpose="enroll")
    for _ in range(3):
        await asked(http, made)
        clock.s += LONGEST_S / 3 - 1
    record = await parts.store.sessions.get(made["session"])
    assert record.expires_at == record.created_at + timedelta(seconds=LONGEST_S)


async def test_the_text_is_for_who_holds_the_ticket(http: Http, offer: str) -> None:
    made = await create(http, purpose="enroll")
    for ticket in ("", "x" * 43):
        async with ask(http, {**made, "ticket": ticket}) as response:
            assert await code_of(response, 401) == "ticket_invalid"
    async with ask(http, {**made, "session": "x" * 43}, Origin="") as response:
        assert await code_of(response, 401) == "ticket_invalid"
    async with ask(http, made, Origin="https://evil.example") as response:
        assert await code_of(response, 403) == "origin_not_allowed"
    async with post(http, made, offer, word(await asked(http, made))) as response:
        assert response.status == 200
    async with ask(http, made) as response:
        assert await code_of(response, 409) == "ticket_used"
    async with http.get(f"/v1/sessions/{made['session']}/consent", headers=AUTH) as response:
        assert response.status in (401, 403)


async def test_a_page_may_ask_from_another_origin(http: Http) -> None:
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    async with http.options(f"/v1/sessions/{'x' * 43}/consent", headers=asks) as response:
        assert response.status == 204
        assert "GET" in response.headers["Access-Control-Allow-Methods"]
        assert "authorization" in response.headers["Access-Control-Allow-Headers"]


async def test_a_backend_reads_what_was_agreed_to(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann", 1)
    record = await parts.store.templates.get(CLIENT, "ann")
    given = agreed_to("s1")
    whose = {"client_id": CLIENT, "subject": "ann", "template_id": record.template_id}
    sealed = seal_consent(VAULT, given, **whose)
    await parts.store.templates.put(replace(record, consent=sealed), replace=True)
    async with http.get("/v1/subjects/ann", headers=AUTH) as response:
        shown = (await response.json())["consent"]
    fields = json.loads(given)
    assert shown == {name: fields[name] for name in (*WORDS, "purpose", "at")}
    moved = replace(record, consent=sealed, template_id="another")
    await parts.store.templates.put(moved, replace=True)
    async with http.get("/v1/subjects/ann", headers=AUTH) as response:
        assert (await response.json())["consent"] is None
