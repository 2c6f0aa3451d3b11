"""Keys and codes are registered for whoever shows them, and taken away."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyotp
import pytest

from server.factors.otp import new_secret
from server.factors.recovery import hash_of
from server.factors.refused import FactorRefused
from server.keys.token import base64url
from server.parts import Parts
from server.people import registering
from server.people.sealed_people import open_secret
from server.store.port import Conflict, NotFound
from tests.pipeline.observations import Camera
from tests.server.factors.authenticator import Passkey
from tests.server.factors.test_webcrypto import CHALLENGE, ORIGIN, PRIVATE, signed, spki
from tests.server.stage import CLIENT, close_parts, enrolled, make_parts

HANDLE = bytes(32)


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    found, _ = await make_parts(tmp_path, Camera())
    await enrolled(found, "ann", 1)
    yield found
    await close_parts(found)


async def register(parts: Parts, answer: dict[str, Any], subject: str = "ann") -> str:
    key = await registering.register(
        parts.store,
        answer,
        people=CLIENT,
        subject=subject,
        user_handle=HANDLE,
        name="n" * 100,
        expected_challenge=CHALLENGE,
        expected_origin=ORIGIN,
        expected_rp_id="login.example",
        now=parts.now(),
    )
    return key.key_id


def passkey(origin: str = ORIGIN) -> dict[str, Any]:
    made = Passkey(HANDLE, "login.example").register(CHALLENGE, origin)
    return {"kind": "passkey", **made}


def device_key(**changes: Any) -> dict[str, Any]:
    shown = {"public_key": base64url(spki(PRIVATE)), "signature": base64url(signed())}
    return {"kind": "webcrypto", **shown, **changes}


async def test_keys_of_both_kinds_are_kept_with_one_handle(parts: Parts) -> None:
    handle = await registering.user_handle_of(parts.store, CLIENT, "ann")
    assert len(handle) == 32
    await register(parts, passkey())
    await register(parts, device_key())
    held = await parts.store.authenticators.of_subject(CLIENT, "ann")
    assert sorted(key.kind for key in held) == ["passkey", "webcrypto"]
    assert {len(key.name) for key in held} == {64}
    assert await registering.user_handle_of(parts.store, CLIENT, "ann") == HANDLE


async def test_a_key_is_one_persons_and_of_somebody_who_is_enrolled(parts: Parts) -> None:
    await enrolled(parts, "bob", 2)
    await register(parts, device_key())
    with pytest.raises(Conflict):
        await register(parts, device_key(), "bob")
    with pytest.raises(NotFound):
        await register(parts, passkey(), "nobody")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"kind": "other"},
        passkey("https://evil.example"),
        device_key(signature=base64url(bytes(64))),
        device_key(signature=base64url(signed(origin="https://evil.example"))),
        device_key(public_key=base64url(b"no key")),
    ],
)
async def test_what_is_not_shown_is_not_kept(parts: Parts, answer: dict[str, Any]) -> None:
    with pytest.raises(FactorRefused):
        await register(parts, answer)
    assert not await parts.store.authenticators.of_subject(CLIENT, "ann")


async def test_an_app_is_kept_once_it_shows_the_right_code(parts: Parts) -> None:
    secret, now = new_secret(), parts.now()
    right = pyotp.TOTP(base64.b32encode(secret).decode()).at(now)

    async def shows(code: str) -> bool:
        return await registering.register_otp(
            parts.store,
            parts.vault,
            people=CLIENT,
            subject="ann",
            secret=secret,
            code=code,
            now=now,
        )

    assert not await shows(f"{(int(right) + 1) % 10**6:06}")
    with pytest.raises(NotFound):
        await parts.store.otps.get(CLIENT, "ann")
    assert await shows(right)
    kept = await parts.store.otps.get(CLIENT, "ann")
    assert open_secret(parts.vault, kept) == secret
    assert kept.last_step == int(now.timestamp()) // 30  # the code that was shown is used up


async def test_everything_is_taken_away_and_the_audit_says_so(parts: Parts) -> None:
    whose = {"client_id": CLIENT, "people": CLIENT, "subject": "ann", "by": "operator"}
    await register(parts, passkey())
    await register(parts, device_key())
    codes = await registering.new_recovery_codes(parts.store, CLIENT, "ann")
    used = hash_of(codes[0], people=CLIENT, subject="ann")
    assert used is not None
    await parts.store.recovery.use(CLIENT, "ann", used, parts.now())
    assert await registering.reset_keys(parts.audit, parts.store, **whose) == 2
    assert await registering.reset_codes(parts.audit, parts.store, **whose) == 9
    assert not await parts.store.authenticators.of_subject(CLIENT, "ann")
    assert await parts.store.recovery.left(CLIENT, "ann") == 0
    assert await registering.reset_keys(parts.audit, parts.store, **whose) == 0
    assert await registering.reset_codes(parts.audit, parts.store, **whose) == 0
