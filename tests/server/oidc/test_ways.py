"""What the login page may offer, by the app alone, and whether a code comes after the face."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from server.oidc.claims import ACRS, FACE_ALONE, FACE_OTP, KEY_FACE, PHR
from server.oidc.claims import KEY_ALONE as ALONE
from server.oidc.ways import wants_code, ways_of
from server.store.relying import RelyingParty


def app(*ways: str, min_acr: str | None = None, key_alone: bool = False) -> RelyingParty:
    return RelyingParty("Shop", ("https://a/",), ways=ways, min_acr=min_acr, key_alone=key_alone)


@pytest.mark.parametrize(
    ("relying", "offered"),
    [
        (app(), {"no_key"}),
        (app("key"), {"passkey", "device_key", "no_key"}),
        (app("key", min_acr=PHR), {"passkey"}),
        (app("key", min_acr=KEY_FACE), {"passkey", "device_key"}),
        (app("key", "otp", min_acr=FACE_OTP), {"passkey", "device_key", "no_key", "code"}),
        (app("key", min_acr=FACE_OTP), {"passkey", "device_key"}),
        (app("otp", min_acr=FACE_OTP), {"no_key", "code"}),
        (app("identify"), {"no_key", "anybody"}),
        (app("key", "identify", min_acr=PHR), {"passkey"}),
        (app("key", key_alone=True), {"passkey", "device_key", "no_key", "key_alone"}),
        (app("key", key_alone=True, min_acr=PHR), {"passkey"}),
        (app("key", key_alone=True, min_acr=ALONE), {"passkey", "key_alone"}),
    ],
)
def test_what_leads_to_the_least_level_is_offered(relying: RelyingParty, offered: set[str]) -> None:
    found = ways_of(relying)
    assert {name for name, is_so in asdict(found).items() if is_so} == offered
    assert found.named == bool({"device_key", "no_key"} & offered)


@pytest.mark.parametrize(
    ("relying", "acr_values", "shown", "wanted"),
    [
        (app("otp"), (), ("face",), False),
        (app("otp", min_acr=FACE_OTP), (), ("face",), True),
        (app("key", min_acr=FACE_OTP), (FACE_OTP,), ("face",), False),  # it takes no codes
        (app("key", "otp", min_acr=FACE_OTP), (), ("key", "face"), False),
        (app("key", "otp", min_acr=PHR), (), ("webcrypto", "face"), False),  # no code helps
        (app("otp"), (FACE_OTP, FACE_ALONE), ("face",), True),
        (app("otp"), (FACE_ALONE, FACE_OTP), ("face",), False),
        (app("otp"), (PHR,), ("face",), False),
        (app("key", "otp"), (PHR, FACE_OTP), ("key", "face"), False),
        (app("otp"), ("unknown", FACE_OTP), ("face",), True),
    ],
)
def test_a_code_is_wanted_where_it_is_needed_or_preferred(
    relying: RelyingParty, acr_values: tuple[str, ...], shown: tuple[str, ...], wanted: bool
) -> None:
    assert set(acr_values) <= {*ACRS, "unknown"}
    assert wants_code(relying, acr_values, shown) is wanted
