"""Known devices over HTTP: the cookie is fetched once after a verdict, and sent with an offer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from server.parts import Parts
from server.people.devices import KEPT, cookie_name
from server.problems import Problem
from server.session.lockout import Caller
from server.store.port import SessionRecord
from server.store.tries import IN_A_ROW, Kind
from tests.pipeline.observations import Camera
from tests.server.http.asking import Http, code_of, create, post_offer
from tests.server.stage import CLIENT, ORIGIN, claimed, close_parts, enrolled, failed, make_parts

NAME = cookie_name(CLIENT, "ann", secure=False)


async def accepted(parts: Parts, purpose: str = "login") -> SessionRecord:
    """A session of ann that was just won."""
    record = await claimed(parts, purpose, None if purpose == "identify" else "ann")
    await parts.store.endings.accept(record.session_id, at=parts.now(), subject="ann")
    return record


def fetch(http: Http, session: str, word: str, origin: str = ORIGIN, cookie: str = "") -> Any:
    """As the widget does it after the verdict."""
    headers = {"Authorization": f"Bearer {word}", "Origin": origin}
    if cookie:
        headers["Cookie"] = f"{NAME}={cookie}"
    return http.post(f"/v1/sessions/{session}/device", headers=headers)


async def kept(http: Http, parts: Parts, cookie: str = "") -> str:
    """The cookie of a device that just became known."""
    record = await accepted(parts)
    word = parts.opening.lockout.word(record)
    async with fetch(http, record.session_id, word, cookie=cookie) as response:
        assert response.status == 204
        http.session.cookie_jar.clear()
        return str(response.cookies[NAME].value)


async def devices(parts: Parts) -> int:
    held = await parts.store.tries.of_subject(CLIENT, "ann")
    return sum(one.counter.kind is Kind.DEVICE for one in held)


async def test_strangers_lock_everybody_but_a_known_device(
    http: Http, parts: Parts, offer: str
) -> None:
    await enrolled(parts, "ann", 1)
    cookie = await kept(http, parts)
    await failed(parts, "ann", IN_A_ROW)
    made = await create(http)
    async with post_offer(http, made, offer) as response:
        assert await code_of(response, 429) == "too_many_failures"
    async with post_offer(http, made, offer, Cookie=f"{NAME}={cookie[:-4]}AAAA") as response:
        assert await code_of(response, 429) == "too_many_failures"
    async with post_offer(http, made, offer, Cookie=f"{NAME}={cookie}") as response:
        assert response.status == 200


async def test_an_office_behind_one_address_may_have_more_failures_than_fifty(
    tmp_path: Path,
) -> None:
    limits = {}
    for told in ("5", "60"):
        folder = tmp_path / told
        folder.mkdir(0o700)
        parts, _ = await make_parts(folder, Camera(), address_failures=told, identify_failures="7")
        lockout = parts.opening.lockout
        for _ in range(5):
            record = await claimed(parts, "identify", None)
            await parts.store.endings.refuse(
                record.session_id, now_is="rejected", at=parts.now(), failure=True
            )
        counters = await lockout.counters(record, Caller("192.0.2.1"))
        limits[told] = [lockout.limits[one.kind].in_a_row for one in counters]
        if told == "60":
            await lockout.check(counters)
        else:
            with pytest.raises(Problem):
                await lockout.check(counters)
        await close_parts(parts)
    assert limits == {"5": [5, 7], "60": [60, 7]}


async def test_a_device_that_was_forgotten_with_its_person_is_a_new_one(
    http: Http, parts: Parts, offer: str
) -> None:
    await enrolled(parts, "ann", 1)
    cookie = await kept(http, parts)
    await parts.store.forget_subject(CLIENT, "ann")
    await enrolled(parts, "ann", 1)
    await failed(parts, "ann", IN_A_ROW)
    made = await create(http)
    async with post_offer(http, made, offer, Cookie=f"{NAME}={cookie}") as response:
        assert await code_of(response, 429) == "too_many_failures"


async def test_a_word_is_good_once_and_a_new_cookie_takes_the_old_ones_place(
    http: Http, parts: Parts
) -> None:
    await enrolled(parts, "ann", 1)
    record = await accepted(parts)
    word = parts.opening.lockout.word(record)
    async with fetch(http, record.session_id, word) as response:
        first = response.cookies[NAME].value
    async with fetch(http, record.session_id, word) as response:
        assert await code_of(response, 409) == "ticket_used"
    http.session.cookie_jar.clear()
    await kept(http, parts, cookie=first)
    assert await devices(parts) == 1
    await kept(http, parts)
    assert await devices(parts) == 2


async def test_an_enrolment_makes_its_device_known_and_identify_none(
    http: Http, parts: Parts
) -> None:
    for purpose, status in (("enroll", 204), ("identify", 401)):
        record = await accepted(parts, purpose)
        word = parts.opening.lockout.word(record)
        async with fetch(http, record.session_id, word) as response:
            assert response.status == status


async def test_without_the_word_of_an_accepted_session_there_is_no_cookie(
    http: Http, parts: Parts
) -> None:
    clock: Any = parts.clock
    record, other = await accepted(parts), await accepted(parts)
    live = await claimed(parts, "login", "ann")
    lockout = parts.opening.lockout
    for session, word in (
        (record.session_id, lockout.word(other)),
        (record.session_id, "w" * 43),
        (record.session_id, "short"),
        (live.session_id, lockout.word(live)),
        ("s" * 43, lockout.word(record)),
    ):
        async with fetch(http, session, word) as response:
            assert await code_of(response, 401) == "ticket_invalid"
    async with fetch(http, record.session_id, lockout.word(record), "https://evil.example") as r:
        assert await code_of(r, 403) == "origin_not_allowed"
    clock.s += 61
    async with fetch(http, record.session_id, lockout.word(record)) as response:
        assert await code_of(response, 401) == "ticket_invalid"
    assert await devices(parts) == 0


@pytest.mark.parametrize(
    ("server", "name", "flags"),
    [
        ("http://localhost:8470", NAME, {"SameSite=Lax"}),
        ("https://face.example", f"__Host-{NAME}", {"Secure", "SameSite=None", "Partitioned"}),
        (ORIGIN, f"__Host-{NAME}", {"Secure", "SameSite=Strict"}),
        (ORIGIN + "/face", f"__Host-{NAME}", {"Secure", "SameSite=Strict"}),
    ],
)
async def test_the_cookie_is_as_the_origins_allow(
    http: Http, parts: Parts, server: str, name: str, flags: set[str]
) -> None:
    parts.settings = replace(parts.settings, public_url=server)
    record = await accepted(parts)
    async with fetch(http, record.session_id, parts.opening.lockout.word(record)) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
        pair, *told = response.headers["Set-Cookie"].split("; ")
    assert pair.startswith(f"{name}=")
    age = f"Max-Age={KEPT // timedelta(seconds=1)}"
    assert set(told) == {"Path=/", "HttpOnly", age, *flags}
