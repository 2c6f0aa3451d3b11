"""Passkeys: the good answer counts, and each lie about it does not."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.factors.passkey import (
    Assertion,
    creation_options,
    read_assertion,
    request_options,
    verify_assertion,
    verify_registration,
)
from server.factors.refused import FactorRefused
from server.keys.token import base64url
from tests.server.factors.authenticator import UV, Passkey

ORIGIN = "http://localhost:8080"
CHALLENGE = bytes(range(32))
HANDLE = bytes(range(32, 64))
RECORDED = Path(__file__).with_name("chromium.json")


def check(answer: dict[str, Any], key: Passkey, **changed: Any) -> int:
    """Verify it as the server does that knows `key`."""
    expected: dict[str, Any] = {
        "expected_challenge": CHALLENGE,
        "expected_origin": ORIGIN,
        "expected_rp_id": "localhost",
        "expected_user_handle": HANDLE,
        "public_key": key.cose(),
        "sign_count": 0,
    }
    return verify_assertion(read_assertion(answer), **(expected | changed))


def refused(answer: dict[str, Any], key: Passkey, **changed: Any) -> str:
    """The code."""
    with pytest.raises(FactorRefused) as caught:
        check(answer, key, **changed)
    return caught.value.code


@pytest.fixture
def key() -> Passkey:
    return Passkey(HANDLE)


def test_a_key_that_answers_is_believed_and_counts_on(key: Passkey) -> None:
    assert check(key.sign(CHALLENGE, ORIGIN), key) == 1
    assert check(key.sign(CHALLENGE, ORIGIN), key, sign_count=1) == 2


def test_a_key_without_a_person_is_refused_and_one_without_pin_is_not(key: Passkey) -> None:
    key.flags &= ~UV
    assert check(key.sign(CHALLENGE, ORIGIN), key) == 1
    key.flags = 0
    assert refused(key.sign(CHALLENGE, ORIGIN), key) == "key_refused"


@pytest.mark.parametrize(
    "changed",
    [
        {"expected_challenge": secrets.token_bytes(32)},
        {"expected_origin": "http://localhost:8081"},
        {"expected_origin": "https://localhost:8080"},
        {"expected_rp_id": "other.example"},
        {"expected_user_handle": bytes(32)},
        {"public_key": Passkey(HANDLE).cose()},
        {"public_key": b"no key"},
    ],
)
def test_what_is_not_as_expected_is_refused(key: Passkey, changed: dict[str, Any]) -> None:
    assert refused(key.sign(CHALLENGE, ORIGIN), key, **changed) == "key_refused"


def test_a_count_that_does_not_grow_is_refused_by_name(key: Passkey) -> None:
    answer = key.sign(CHALLENGE, ORIGIN)
    assert refused(answer, key, sign_count=1) == "key_count_back"
    assert refused(answer, key, sign_count=7) == "key_count_back"
    key.count = -1  # an authenticator that does not count says 0 always
    assert check(key.sign(CHALLENGE, ORIGIN), key, sign_count=0) == 0
    key.count = -1
    assert refused(key.sign(CHALLENGE, ORIGIN), key, sign_count=1) == "key_count_back"


def test_a_page_in_a_frame_of_another_is_refused(key: Passkey) -> None:
    assert refused(key.sign(CHALLENGE, ORIGIN, crossOrigin=True), key) == "key_refused"
    assert refused(key.sign(CHALLENGE, ORIGIN, crossOrigin="no"), key) == "key_refused"


def test_a_registration_is_no_assertion(key: Passkey) -> None:
    made = key.register(CHALLENGE, ORIGIN)
    answer = key.sign(CHALLENGE, ORIGIN) | {"client_data": made["client_data"]}
    assert refused(answer, key) == "key_refused"


@pytest.mark.parametrize("member", list(Passkey(HANDLE).sign(CHALLENGE, ORIGIN)))
@pytest.mark.parametrize("value", [None, "", 7, "Zm9v=", "Zm9vYh", "\u00e4", "A" * 6000])
def test_what_is_malformed_is_refused_and_never_raises_more(
    key: Passkey, member: str, value: object
) -> None:
    answer = key.sign(CHALLENGE, ORIGIN) | {member: value}
    assert refused(answer, key) == "key_malformed"


@pytest.mark.parametrize("member", ["client_data", "authenticator_data", "signature"])
def test_other_bytes_are_refused(key: Passkey, member: str) -> None:
    for wrong in (b"\0", b"{}", b"[" * 3000, secrets.token_bytes(80)):
        answer = key.sign(CHALLENGE, ORIGIN) | {member: base64url(wrong)}
        assert refused(answer, key) == "key_refused"


def test_a_new_key_is_taken_for_its_challenge_and_origin_only(key: Passkey) -> None:
    expected = {
        "expected_challenge": CHALLENGE,
        "expected_origin": ORIGIN,
        "expected_rp_id": "localhost",
    }
    made = verify_registration(key.register(CHALLENGE, ORIGIN), **expected)  # type: ignore[arg-type]
    assert made.key_id == base64url(key.key_id)
    assert check(key.sign(CHALLENGE, ORIGIN), key, public_key=made.public_key) == 1
    other = base64url(secrets.token_bytes(32))
    for answer, changed in (
        (key.register(CHALLENGE, ORIGIN), {"expected_challenge": bytes(32)}),
        (key.register(CHALLENGE, ORIGIN), {"expected_origin": "https://evil.example"}),
        (key.register(CHALLENGE, ORIGIN), {"expected_rp_id": "evil.example"}),
        (key.register(CHALLENGE, ORIGIN) | {"id": other}, {}),
    ):
        with pytest.raises(FactorRefused) as caught:
            verify_registration(answer, **(expected | changed))  # type: ignore[arg-type]
        assert caught.value.code == "key_refused"


def test_options_name_no_credential_and_ask_for_a_discoverable_key() -> None:
    asked = request_options(rp_id="localhost", challenge=CHALLENGE)
    assert asked["challenge"] == base64url(CHALLENGE)
    assert not asked.get("allowCredentials")
    made = creation_options(
        rp_id="localhost", rp_name="L", subject="ann", user_handle=HANDLE, challenge=CHALLENGE
    )
    assert made["authenticatorSelection"]["residentKey"] == "required"
    assert made["attestation"] == "none"
    assert made["user"]["id"] == base64url(HANDLE)


def test_an_answer_is_never_shown(key: Passkey) -> None:
    read = read_assertion(key.sign(CHALLENGE, ORIGIN))
    assert repr(read) == "Assertion()"
    assert isinstance(replace(read, signature=b"x"), Assertion)


def test_what_a_real_browser_sent_is_believed() -> None:
    """Recorded, because the authenticator of the other tests is our own."""
    said = json.loads(RECORDED.read_text("utf-8"))
    made = verify_registration(
        said["registered"],
        expected_challenge=CHALLENGE,
        expected_origin="http://localhost:8470",
        expected_rp_id="localhost",
    )
    count = made.sign_count
    for answer in said["asserted"]:
        expected: dict[str, Any] = {
            "expected_challenge": CHALLENGE,
            "expected_origin": "http://localhost:8470",
            "expected_rp_id": "localhost",
            "expected_user_handle": HANDLE,
            "public_key": made.public_key,
        }
        assertion = read_assertion(answer)
        assert assertion.key_id == made.key_id
        now_count = verify_assertion(assertion, **expected, sign_count=count)
        assert now_count > count
        with pytest.raises(FactorRefused):
            verify_assertion(assertion, **expected, sign_count=now_count)
        count = now_count
