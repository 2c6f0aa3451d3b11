"""One-time and recovery codes in a login: after the face, each once, few tries."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyotp
import pytest

from server.factors.otp import TRIES_A_LOGIN
from server.parts import Parts
from server.session.lockout import code_counter
from server.store.tries import IN_A_ROW, Kind
from tests.server.http.asking import Http
from tests.server.http.login.test_faces import answer_of, granted, shown
from tests.server.http.login.visiting import (
    ALL,
    Page,
    at_once,
    begun,
    kept,
    with_codes,
    with_passkey,
)
from tests.server.stage import CLIENT, Clock, failures

OTP = replace(ALL, min_acr="urn:lookgate:face+otp")


def code_of(parts: Parts, secret: bytes, off_s: int = 0) -> str:
    """What the person's app shows, on a clock that is off."""
    totp = pyotp.TOTP(base64.b32encode(secret).decode())
    return totp.at(parts.now() + timedelta(seconds=off_s))


async def asked(http: Http, parts: Parts, **changes: str) -> tuple[Page, str]:
    """A login that waits for a code, and the token of its face."""
    page = await begun(http, parts, OTP, **changes)
    await page.good("who", {"name": "ann"})
    token = await shown(parts, page)
    said = await page.good("finish", {"token": token})
    assert said["state"] == "otp"
    return page, token


def wrong(right: str) -> str:
    return f"{(int(right) + 1) % 10**6:06}"


async def test_face_and_code_end_with_a_code_for_the_app(http: Http, parts: Parts) -> None:
    secret, _ = await with_codes(parts)
    page, token = await asked(http, parts)
    said = await page.good("otp", {"token": token, "code": code_of(parts, secret)})
    grant = await granted(parts, said)
    assert (grant.acr, grant.amr) == ("urn:lookgate:face+otp", ("face", "otp", "mfa"))
    assert grant.liveness == ("passive", "light")


async def test_a_recovery_code_does_once(http: Http, parts: Parts) -> None:
    _, codes = await with_codes(parts)
    page, token = await asked(http, parts)
    said = await page.good("recovery", {"token": token, "code": codes[3].lower()})
    assert (await granted(parts, said)).acr == "urn:lookgate:face+otp"
    page, token = await asked(http, parts)
    body = {"token": token, "code": codes[3]}
    assert await page.refused("recovery", body) == "code_refused"
    assert await parts.store.recovery.left(CLIENT, "ann") == 9


async def test_a_code_counts_once_in_whatever_login(http: Http, parts: Parts, clock: Clock) -> None:
    secret, _ = await with_codes(parts)
    code = code_of(parts, secret)
    page, token = await asked(http, parts)
    await page.good("otp", {"token": token, "code": code})
    page, token = await asked(http, parts)
    assert await page.refused("otp", {"token": token, "code": code}) == "code_refused"
    clock.advance(30.0)
    assert await page.refused("otp", {"token": token, "code": code}) == "code_refused"
    await page.good("otp", {"token": token, "code": code_of(parts, secret)})


async def test_a_clock_off_by_one_step_will_do_and_by_three_not(http: Http, parts: Parts) -> None:
    secret, _ = await with_codes(parts)
    for off_s in (90, -90):
        page, token = await asked(http, parts)
        code = code_of(parts, secret, off_s)
        assert await page.refused("otp", {"token": token, "code": code}) == "code_refused"
    await page.good("otp", {"token": token, "code": code_of(parts, secret, 30)})


async def test_the_sixth_try_is_none(http: Http, parts: Parts) -> None:
    secret, _ = await with_codes(parts)
    page, token = await asked(http, parts)
    body = {"token": token, "code": wrong(code_of(parts, secret))}
    for _ in range(TRIES_A_LOGIN - 1):
        assert await page.refused("otp", body) == "code_refused"
    said = await page.good("otp", body)
    assert (said["state"], answer_of(said)["error"]) == ("refused", "access_denied")
    body["code"] = code_of(parts, secret)
    assert await page.refused("otp", body) == "login_over"


async def test_tries_count_as_failed_faces_do(http: Http, parts: Parts, clock: Clock) -> None:
    secret, codes = await with_codes(parts)
    page, token = await asked(http, parts)
    again, face = await asked(http, parts)
    for n in range(IN_A_ROW):
        kind = ("otp", "recovery")[n % 2]
        await page.post(kind, {"token": token, "code": wrong(code_of(parts, secret))})
    assert await failures(parts, "ann") == IN_A_ROW
    body = {"token": face, "code": codes[0]}
    assert await again.refused("recovery", body) == "too_many_failures"
    assert await parts.store.recovery.left(CLIENT, "ann") == 10
    clock.advance(31.0)
    await again.good("recovery", body)


async def test_a_face_that_passes_gives_no_new_tries_of_codes(
    http: Http, parts: Parts, clock: Clock
) -> None:
    """Whose face passes for somebody's gets a known device by it, and its counter begins anew with
    each face: that of codes must not."""
    _, codes = await with_codes(parts)
    key, told = await with_passkey(parts), []
    for n in range(IN_A_ROW + 2):
        page = await begun(http, parts, OTP, acr_values="urn:lookgate:face+otp")
        await page.by_passkey(key)
        token = await shown(parts, page)
        await page.good("finish", {"token": token})
        if n > IN_A_ROW:
            clock.advance(31.0)
            await page.good("recovery", {"token": token, "code": codes[0]})
        else:
            told.append(await page.refused("recovery", {"token": token, "code": codes[0][:-1]}))
        held = await parts.store.tries.of_subject(CLIENT, "ann")
        devices = [one.counter for one in held if one.counter.kind is Kind.DEVICE]
        assert await parts.store.tries.take(f"face {n}", devices, parts.now()) is None
        await parts.store.tries.end(f"face {n}", devices, failed=None, at=parts.now())
    assert told == ["code_refused"] * IN_A_ROW + ["too_many_failures"]
    # A right code is a success, whoever it was before.
    assert (await parts.store.tries.tally(code_counter(CLIENT, "ann"))).total == 0


async def test_of_twenty_tries_at_once_five_are_looked_at(http: Http, parts: Parts) -> None:
    secret, _ = await with_codes(parts)
    page, token = await asked(http, parts)
    body = {"token": token, "code": wrong(code_of(parts, secret))}
    await at_once(*(page.post("otp", body) for _ in range(20)))
    assert await failures(parts, "ann") <= TRIES_A_LOGIN
    assert (await kept(parts, page)).attempts <= TRIES_A_LOGIN


async def test_of_two_logins_at_once_one_uses_the_code(http: Http, parts: Parts) -> None:
    secret, codes = await with_codes(parts)
    for kind, code in (("otp", code_of(parts, secret)), ("recovery", codes[0])):
        waiting = [await asked(http, parts) for _ in range(4)]
        bodies = [(page, {"token": token, "code": code}) for page, token in waiting]
        said = await at_once(*(page.post(kind, body) for page, body in bodies))
        assert [status for status, _ in said].count(200) == 1


async def test_there_is_no_code_without_a_face(http: Http, parts: Parts) -> None:
    secret, _ = await with_codes(parts)
    page = await begun(http, parts, OTP)
    body: dict[str, Any] = {"token": "", "code": code_of(parts, secret)}
    assert await page.refused("otp", body) == "login_step"
    await page.good("who", {"name": "ann"})
    assert await page.refused("otp", body) == "login_step"
    page, _ = await asked(http, parts)
    assert await page.refused("otp", body) == "face_refused"
    assert await failures(parts, "ann") == 0


async def test_who_takes_long_for_the_code_may(http: Http, parts: Parts, clock: Clock) -> None:
    secret, _ = await with_codes(parts)
    page, token = await asked(http, parts)
    seen = int(parts.now().timestamp())
    clock.advance(400.0)
    said = await page.good("otp", {"token": token, "code": code_of(parts, secret)})
    assert (await granted(parts, said)).auth_time == seen


@pytest.mark.parametrize("code", [None, 7, "1" * 65])
async def test_what_is_no_code_is_told_so_and_costs_no_try(
    http: Http, parts: Parts, code: object
) -> None:
    await with_codes(parts)
    page, token = await asked(http, parts)
    assert await page.refused("otp", {"token": token, "code": code}) == "request_invalid"
    assert (await kept(parts, page)).attempts == 0


async def test_a_code_is_asked_for_where_the_app_prefers_it(http: Http, parts: Parts) -> None:
    await with_codes(parts)
    for values, state in (
        ("urn:lookgate:face+otp", "otp"),
        ("phr urn:lookgate:face+otp urn:lookgate:face", "otp"),
        ("urn:lookgate:face urn:lookgate:face+otp", "done"),
        ("phr", "done"),
    ):
        page = await begun(http, parts, acr_values=values)
        await page.good("who", {"name": "ann"})
        said = await page.good("finish", {"token": await shown(parts, page)})
        assert said["state"] == state, values
