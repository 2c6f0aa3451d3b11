"""What the login page may offer, and whether a code is asked for after the face.

Pure, and of the relying app's settings and its request alone: it knows nothing of the person, so it
is the same for a name that nobody has. Not here: the levels (claims.py), the steps
(server/factors/steps.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.oidc.claims import FACE, KEY, OTP, WEBCRYPTO, meets
from server.store.relying import RelyingParty


@dataclass(frozen=True, slots=True)
class Ways:
    """What leads to the relying app's least level."""

    passkey: bool
    device_key: bool
    """A key of the browser, once a name was given."""
    no_key: bool
    """A face, perhaps with a code, is enough."""
    anybody: bool
    """Who it is may be found by the face."""
    key_alone: bool
    """A passkey is enough."""
    code: bool
    """One-time and recovery codes."""

    @property
    def named(self) -> bool:
        """Whether giving a name leads anywhere."""
        return self.device_key or self.no_key


def ways_of(relying: RelyingParty) -> Ways:
    """Those of a relying app."""
    key, code = "key" in relying.ways, "otp" in relying.ways
    no_key = _enough(relying, FACE) or (code and _enough(relying, FACE, OTP))
    return Ways(
        passkey=key,
        device_key=key and _enough(relying, WEBCRYPTO, FACE),
        no_key=no_key,
        anybody="identify" in relying.ways and no_key,
        key_alone=key and relying.key_alone and _enough(relying, KEY),
        code=code,
    )


def wants_code(relying: RelyingParty, acr_values: Sequence[str], shown: Sequence[str]) -> bool:
    """Whether the relying app needs a code of somebody who has shown this, the face included, or
    wishes for one."""
    if "otp" not in relying.ways:
        return False
    without = meets(relying.min_acr, acr_values, frozenset(shown))
    with_code = meets(relying.min_acr, acr_values, frozenset((*shown, OTP)))
    if with_code is None or without is None:
        return with_code is not None
    # Core 3.1.2.1: acr_values are voluntary, in the order of preference.
    if with_code.acr not in acr_values:
        return False
    place = acr_values.index
    return without.acr not in acr_values or place(with_code.acr) < place(without.acr)


def _enough(relying: RelyingParty, *shown: str) -> bool:
    said = meets(relying.min_acr, (), frozenset(shown), key_alone=relying.key_alone)
    return said is not None
