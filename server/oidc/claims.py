"""What an id token may say: which factors were shown, at which level, and who it is.

Pure. Here: the table of levels. Not here: signing (server/keys/), who showed what
(login.py). Source: OpenID Connect Core 2; RFC 8176 (amr); OpenID Connect Extended
Authentication Profile ACR Values 1.0 (phr, pop); docs/oidc.md says what no level claims.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from server.keys.token import base64url
from server.oidc.codes import Granted
from server.store.port import Client

KEY, WEBCRYPTO, FACE, OTP, RECOVERY = "key", "webcrypto", "face", "otp", "recovery"
"""What a person can have shown: a passkey, a key in the browser's storage, a live face, a one-time
password, a recovery code."""

PHR = "phr"
"""Phishing-resistant (EAP ACR Values 1.0 section 2)."""
KEY_FACE, FACE_OTP = "urn:lookgate:key+face", "urn:lookgate:face+otp"
FACE_ALONE, KEY_ALONE = "urn:lookgate:face", "urn:lookgate:key"


@dataclass(frozen=True, slots=True)
class Assurance:
    """What was shown, as a relying app reads it."""

    acr: str
    amr: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Level:
    acr: str
    shows: tuple[frozenset[str], ...]
    """One of each of these was shown."""


_ANY_OTP = frozenset({OTP, RECOVERY})
_LEVELS = (
    _Level(PHR, (frozenset({KEY}), frozenset({FACE}))),
    _Level(KEY_FACE, (frozenset({WEBCRYPTO}), frozenset({FACE}))),
    _Level(FACE_OTP, (frozenset({FACE}), _ANY_OTP)),
    _Level(FACE_ALONE, (frozenset({FACE}),)),
    _Level(KEY_ALONE, (frozenset({KEY}),)),
)
"""The best first. A one-time password stands below a key because it can be phished, and a face
above a key alone because only then somebody alive was there."""

ACRS = tuple(level.acr for level in _LEVELS)
"""`acr_values_supported`, the best first."""
_ENOUGH: Mapping[str | None, tuple[str, ...]] = {
    None: (PHR, KEY_FACE, FACE_OTP, FACE_ALONE, KEY_ALONE),
    PHR: (PHR,),
    KEY_FACE: (PHR, KEY_FACE),
    FACE_OTP: (PHR, KEY_FACE, FACE_OTP),
    FACE_ALONE: (PHR, KEY_FACE, FACE_OTP, FACE_ALONE),
    KEY_ALONE: (PHR, KEY_ALONE),
}
"""What will do where a client's least is that level. No face makes up for a key that is asked for.
"""


def assurance(shown: frozenset[str]) -> Assurance | None:
    """The best level that was shown. None: what was shown is no login, for instance a password from
    an app alone."""
    met = _met(shown)
    return None if not met else Assurance(met[0], _amr(shown))


def meets(
    min_acr: str | None,
    acr_values: Sequence[str],
    shown: frozenset[str],
    *,
    key_alone: bool = False,
) -> Assurance | None:
    """What an id token says of what was shown; None where that is less than the client's least.

    `acr_values`: what the relying app asked for, preferred first (Core 3.1.2.1). The first that was
    shown is said, else the best. `min_acr`: the client's least; a better one will do, but a passkey
    alone only where the client allows it (`key_alone`).
    """
    enough = _ENOUGH.get(min_acr, ())
    met = [acr for acr in _met(shown) if acr in enough and (acr != KEY_ALONE or key_alone)]
    if not met:
        return None
    said = next((acr for acr in acr_values if acr in met), met[0])
    return Assurance(said, _amr(shown))


def sub_of(client: Client, subject: str) -> str:
    """Who it is, as the relying app is told (Core 8): the subject, or a name that no other app is
    told. Of the same person it never changes."""
    relying = client.relying
    if relying is None or relying.subject_type == "public":
        return subject
    salt = bytes.fromhex(relying.pairwise_salt or "")
    assert len(salt) == 32, "registration.py asks for it"
    return base64url(hmac.digest(salt, subject.encode(), "sha256"))


CLAIMS = (
    *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"),
    *("lookgate_liveness", "preferred_username", "name", "email", "email_verified"),
)
"""`claims_supported`: of the id token, then of /userinfo."""
PROFILE, EMAIL = ("name",), ("email", "email_verified")
"""Which members of a profile a scope gives (Core 5.4)."""


def id_token(
    client: Client,
    subject: str,
    granted: Granted,
    *,
    access_token: str,
    issuer: str,
    now: datetime,
    lasts: timedelta,
    profile: Mapping[str, Any],
) -> dict[str, Any]:
    """The claims of an id token (Core 2), what the face showed of liveness, and what the scopes
    give of a profile, because some apps read no more than this token."""
    issued_at = int(now.timestamp())
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    return {
        "iss": issuer,
        "sub": sub_of(client, subject),
        "aud": client.client_id,
        "exp": issued_at + int(lasts.total_seconds()),
        "iat": issued_at,
        "auth_time": granted.auth_time,
        **({} if granted.nonce is None else {"nonce": granted.nonce}),
        "acr": granted.acr,
        "amr": list(granted.amr),
        "sid": granted.sid,
        "at_hash": base64url(half),  # Core 3.1.3.6: both algorithms hash with SHA-256
        "lookgate_liveness": list(granted.liveness),
        **userinfo(client, subject, granted.scopes, profile),
    }


def userinfo(
    client: Client, subject: str, scopes: Collection[str], profile: Mapping[str, Any]
) -> dict[str, Any]:
    """What /userinfo says (Core 5.3.2): of a profile, what the scopes give and is there."""
    said: dict[str, Any] = {"sub": sub_of(client, subject)}
    public = client.relying is not None and client.relying.subject_type == "public"
    if "profile" in scopes:
        # An app that is told pairwise subjects is not told the one that all others know.
        said |= {"preferred_username": subject} if public else {}
        said |= {name: profile[name] for name in PROFILE if name in profile}
    if "email" in scopes:
        said |= {name: profile[name] for name in EMAIL if name in profile}
    return said


def _met(shown: frozenset[str]) -> list[str]:
    return [level.acr for level in _LEVELS if all(one & shown for one in level.shows)]


def _amr(shown: frozenset[str]) -> tuple[str, ...]:
    """In the order of docs/oidc.md. `hwk` would need an attestation, which nobody asks for."""
    said = []
    if KEY in shown:
        said += ["pop", "user"]
    if WEBCRYPTO in shown:
        said += ["swk"]
    if FACE in shown:
        said += ["face"]
    if shown & _ANY_OTP:
        said += ["otp"]
    if FACE in shown and shown - {FACE}:
        said += ["mfa"]
    return tuple(said)
