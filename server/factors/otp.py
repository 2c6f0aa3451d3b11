"""One-time codes of an authenticator app: the secret, its QR code, and which step a code is of.

A code counts for its own step of 30 s and for one on either side, and each step once; that a step
is used up is the store's compare-and-set (server/store/oidc/otps.py). The one door to `pyotp` and
`segno`. Not here: how a secret is sealed (server/people/sealed_people.py).
Source: RFC 6238 (TOTP), RFC 4226 section 4 (secret of 160 bits).
"""

from __future__ import annotations

import base64
import hmac
import io
import re
import secrets
from collections.abc import Callable
from datetime import datetime

import pyotp
import segno

STEP_S = 30
"""RFC 6238 section 4.1, X."""
STEPS_OFF = 1
"""Either side (RFC 6238 section 5.2): a clock may be off by 30 to 60 s."""
TRIES_A_LOGIN = 5
"""Then the login is over. Each try also counts as a failed face does (docs/decisions/lockout.md),
which bounds what a thousand logins can guess."""
SECRET_BYTES = 20
_CODE = re.compile(r"[0-9]{6}")


def new_secret(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> bytes:
    """160 random bits."""
    return random_bytes(SECRET_BYTES)


def step_of(code: str, secret: bytes, *, now: datetime, last_step: int) -> int | None:
    """The newest step, after `last_step`, that this code is of; None: it counts for none.

    All steps are compared, each in constant time.
    """
    digits = code.replace(" ", "")
    if not _CODE.fullmatch(digits):
        return None
    totp = pyotp.TOTP(_base32(secret), interval=STEP_S)
    here = int(now.timestamp()) // STEP_S
    found: int | None = None
    for step in range(here - STEPS_OFF, here + STEPS_OFF + 1):
        same = hmac.compare_digest(totp.generate_otp(max(step, 0)), digits)
        if same and step > last_step:
            found = step
    return found


def provisioning_uri(secret: bytes, *, issuer: str, subject: str) -> str:
    """`otpauth://totp/...`, which apps read from a QR code."""
    totp = pyotp.TOTP(_base32(secret), interval=STEP_S, name=subject, issuer=issuer)
    return totp.provisioning_uri()


def shown_secret(secret: bytes) -> str:
    """For apps without a camera: base32 in groups of four."""
    text = _base32(secret)
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def qr_svg(uri: str) -> str:
    """An SVG element of a QR code, without scripts, styles or anything from elsewhere."""
    out = io.BytesIO()
    segno.make(uri, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=True, scale=4, border=4, dark="#000", light="#fff"
    )
    return out.getvalue().decode()


def _base32(secret: bytes) -> str:
    # RFC 4648 section 6; 20 bytes need no padding.
    return base64.b32encode(secret).decode()
