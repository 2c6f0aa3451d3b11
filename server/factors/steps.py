"""The way through a login: a table. The key comes before the camera.

Who is it, then the key of the device, then the face, then a one-time code where one is needed. A
passkey answers the first two at once. What a person shows is added up in `shown`; what of it is
enough is asked of the relying app's settings and nothing else, so that the way is the same for
names that nobody has. Pure. Not here: how something is shown (passkey.py, webcrypto.py, otp.py,
recovery.py), keeping where a login stands (server/store/oidc/), who asks (server/oidc/).
Source: NIST SP 800-63B-4 section 3.2.3 (the device is known before the sample is taken);
docs/decisions/key-before-camera.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """What is asked now."""

    WHO = "who"
    KEY = "key"
    """A name was given. Nobody knows yet whether it is anybody's."""
    FACE = "face"
    OTP = "otp"
    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"


class Act(StrEnum):
    """What happened."""

    PASSKEY = "passkey"
    """One that says whose it is, or that is of the name which was given."""
    DEVICE_KEY = "device_key"
    """A WebCrypto key of the name that was given."""
    NAMED = "named"
    UNNAMED = "unnamed"
    """Nobody is named: the face is to be found among all (1:N)."""
    NO_KEY = "no_key"
    """There is none here; the login goes on without."""
    FACE_ENOUGH = "face_enough"
    """Accepted, and the relying app needs no more."""
    FACE_AND_CODE = "face_and_code"
    """Accepted, and the relying app needs or wishes a one-time code."""
    KEY_ALONE = "key_alone"
    """The person shows no face, and the relying app allows that."""
    CODE = "code"
    """A one-time code or a recovery code that counts."""
    AGAIN = "again"
    """It is somebody else."""
    GIVEN_UP = "given_up"
    """By the person, or by us after too many wrong codes."""
    LATE = "late"


_ALWAYS: Mapping[Act, State] = {Act.GIVEN_UP: State.REFUSED, Act.LATE: State.EXPIRED}

MOVES: Mapping[State, Mapping[Act, State]] = {
    State.WHO: {
        Act.PASSKEY: State.FACE,
        Act.NAMED: State.KEY,
        Act.UNNAMED: State.FACE,
        **_ALWAYS,
    },
    State.KEY: {
        Act.PASSKEY: State.FACE,
        Act.DEVICE_KEY: State.FACE,
        Act.NO_KEY: State.FACE,
        Act.AGAIN: State.WHO,
        **_ALWAYS,
    },
    State.FACE: {
        Act.FACE_ENOUGH: State.DONE,
        Act.FACE_AND_CODE: State.OTP,
        Act.KEY_ALONE: State.DONE,
        Act.AGAIN: State.WHO,
        **_ALWAYS,
    },
    State.OTP: {
        Act.CODE: State.DONE,
        Act.AGAIN: State.WHO,
        **_ALWAYS,
    },
    State.DONE: {},
    State.REFUSED: {},
    State.EXPIRED: {},
}
"""All that can happen. What is not in it is refused."""

ENDS = frozenset(state for state, moves in MOVES.items() if not moves)

SHOWS: Mapping[Act, str] = {
    Act.PASSKEY: "key",
    Act.DEVICE_KEY: "webcrypto",
    Act.FACE_ENOUGH: "face",
    Act.FACE_AND_CODE: "face",
}
"""What an act adds to what was shown (assurance in server/oidc/claims.py). A code adds `otp` or
`recovery`, as its caller says."""


def after(state: str, act: Act) -> State | None:
    """Where the login stands then; None: this cannot happen now."""
    return MOVES[State(state)].get(act)


def shown_after(shown: tuple[str, ...], act: Act, code: str | None = None) -> tuple[str, ...]:
    """What was shown after this act, each once. `code`: otp or recovery, with Act.CODE."""
    if act is Act.AGAIN:
        return ()  # what one person showed is never another's
    new = code if act is Act.CODE else SHOWS.get(act)
    return shown if new is None or new in shown else (*shown, new)
