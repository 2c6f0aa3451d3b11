"""The vocabulary shared by decision, wire, logs and web: phases, outcomes, reasons and hints.

Outward reasons are coarse on purpose: a finer one tells an attacker which cue to work on next.
What the cues found in detail stays in the session record (decision.Evidence).
"""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """What one session is for."""

    ENROLL = "enroll"
    LOGIN = "login"
    IDENTIFY = "identify"


class Phase(StrEnum):
    """Where a session stands."""

    FRAMING = "framing"
    GATHERING = "gathering"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Reason(StrEnum):
    """Why a session did not end in acceptance, as the person and the relying app learn it."""

    NO_MATCH = "no_match"
    LIVENESS = "liveness"
    QUALITY = "quality"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    DISCONNECTED = "disconnected"
    INTERNAL = "internal"


class Hint(StrEnum):
    """Guidance to the person; separate from reasons, always sent."""

    NO_FACE = "no_face"
    ONE_FACE_ONLY = "one_face_only"
    COME_CLOSER = "come_closer"
    MOVE_BACK = "move_back"
    CENTER_FACE = "center_face"
    LOOK_AT_CAMERA = "look_at_camera"
    HOLD_STILL = "hold_still"
    MORE_LIGHT = "more_light"
    LESS_LIGHT = "less_light"
    UNCOVER_FACE = "uncover_face"
    CAMERA_FROZEN = "camera_frozen"
    CAMERA_DARK = "camera_dark"
    CAMERA_SLOW = "camera_slow"
    CAMERA_GRAY = "camera_gray"
    CONNECTION_SLOW = "connection_slow"
    OPEN_EYES = "open_eyes"
    FACE_LOST = "face_lost"
    FACE_CHANGES = "face_changes"
    PICTURE_JUMPS = "picture_jumps"
    TURN_SLOWLY = "turn_slowly"
    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    LOOK_UP = "look_up"
    LOOK_DOWN = "look_down"
