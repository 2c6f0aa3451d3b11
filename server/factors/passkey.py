"""Passkeys: what a page asks an authenticator for, and whether its answer counts.

Discoverable keys only, so that no list of credentials is ever sent: the answer says whose it is.
The one door to `webauthn`. Not here: challenges (key_challenge.py), the compare-and-set of the sign
count (server/store/oidc/authenticators.py), the page (web/login/).
Source: WebAuthn Level 3 sections 7.1 (registering) and 7.2 (asserting).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import webauthn
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    AuthenticatorSelectionCriteria,
    RegistrationCredential,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from server.factors.refused import FactorRefused, bytes_of
from server.keys.token import base64url

HANDLE_BYTES = 32
"""Of a user handle: random, so that an authenticator's list says nobody's name (14.6.1)."""
MOST_ID_BYTES = 1023
"""Of a credential id (section 4)."""
_MOST_BYTES = 4096
"""Of any other part; a client data of ours has some 130, an authenticator data 37."""
_ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,  # Windows Hello has made nothing else
    COSEAlgorithmIdentifier.EDDSA,
]
TIMEOUT_MS = 120_000
"""How long the browser waits for the person."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """An answer to `request_options`, read and not yet believed."""

    key_id: str
    """Credential id, base64url."""
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes

    def __repr__(self) -> str:
        return "Assertion()"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A passkey that was registered."""

    key_id: str
    public_key: bytes
    """COSE (RFC 9052)."""
    sign_count: int


def request_options(*, rp_id: str, challenge: bytes) -> dict[str, Any]:
    """PublicKeyCredentialRequestOptions (5.5) with bytes as base64url; names no credential."""
    options = webauthn.generate_authentication_options(
        rp_id=rp_id,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    found: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return found


def read_assertion(fields: Mapping[str, Any]) -> Assertion:
    """From the members of a page's answer. Raises FactorRefused `key_malformed`."""
    return Assertion(
        key_id=base64url(bytes_of(fields.get("id"), most=MOST_ID_BYTES)),
        client_data=bytes_of(fields.get("client_data"), most=_MOST_BYTES),
        authenticator_data=bytes_of(fields.get("authenticator_data"), most=_MOST_BYTES),
        signature=bytes_of(fields.get("signature"), most=_MOST_BYTES),
        # 7.2 step 6: who is not known before says it by the handle.
        user_handle=bytes_of(fields.get("user_handle"), most=HANDLE_BYTES),
    )


def verify_assertion(
    assertion: Assertion,
    *,
    expected_challenge: bytes,
    expected_origin: str,
    expected_rp_id: str,
    expected_user_handle: bytes,
    public_key: bytes,
    sign_count: int,
) -> int:
    """The new sign count of a key that answered this challenge on this origin, with its person
    present. `sign_count`: the one that the store has.

    Raises FactorRefused: `key_refused`, `key_count_back` (7.2 step 22: it may be a copy).
    """
    if assertion.user_handle != expected_user_handle:
        raise _refused()
    _check_frame(assertion.client_data)
    credential = AuthenticationCredential(
        id=assertion.key_id,
        raw_id=bytes_of(assertion.key_id, most=MOST_ID_BYTES),
        response=AuthenticatorAssertionResponse(
            client_data_json=assertion.client_data,
            authenticator_data=assertion.authenticator_data,
            signature=assertion.signature,
            user_handle=assertion.user_handle,
        ),
    )
    try:
        verified = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=expected_challenge,
            expected_rp_id=expected_rp_id,
            expected_origin=expected_origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,  # compared below, where it has a code of its own
        )
    except Exception as error:  # whatever a stranger's bytes raise, they are not believed
        raise _refused() from error
    count = verified.new_sign_count
    if (count or sign_count) and count <= sign_count:
        raise FactorRefused("key_count_back", "This key was used elsewhere meanwhile.")
    return count


def creation_options(
    *, rp_id: str, rp_name: str, subject: str, user_handle: bytes, challenge: bytes
) -> dict[str, Any]:
    """PublicKeyCredentialCreationOptions (5.4) with bytes as base64url."""
    options = webauthn.generate_registration_options(
        rp_id=rp_id,
        rp_name=rp_name,
        user_id=user_handle,
        user_name=subject,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        supported_pub_key_algs=_ALGORITHMS,
    )
    found: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return found


def verify_registration(
    fields: Mapping[str, Any],
    *,
    expected_challenge: bytes,
    expected_origin: str,
    expected_rp_id: str,
) -> NewKey:
    """A new key from the members `id`, `client_data` and `attestation` of a page's answer.

    Raises FactorRefused: `key_malformed`, `key_refused`.
    """
    raw_id = bytes_of(fields.get("id"), most=MOST_ID_BYTES)
    client_data = bytes_of(fields.get("client_data"), most=_MOST_BYTES)
    _check_frame(client_data)
    credential = RegistrationCredential(
        id=base64url(raw_id),
        raw_id=raw_id,
        response=AuthenticatorAttestationResponse(
            client_data_json=client_data,
            attestation_object=bytes_of(fields.get("attestation"), most=4 * _MOST_BYTES),
        ),
    )
    try:
        verified = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=expected_challenge,
            expected_rp_id=expected_rp_id,
            expected_origin=expected_origin,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except Exception as error:
        raise _refused() from error
    if verified.credential_id != raw_id:  # what was signed counts, not what stands beside it
        raise _refused()
    return NewKey(base64url(raw_id), verified.credential_public_key, verified.sign_count)


def _check_frame(client_data: bytes) -> None:
    """Our pages are in no frame (7.2 step 14), whatever the library makes of it."""
    try:
        told = json.loads(client_data)
    except (ValueError, RecursionError) as error:
        raise _refused() from error
    if not isinstance(told, dict) or told.get("crossOrigin", False) is not False:
        raise _refused()


def _refused() -> FactorRefused:
    return FactorRefused("key_refused", "This key does not open this login.")
