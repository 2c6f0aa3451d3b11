"""How good is this frame for an embedding, and what is worst about it?

Here: soft limits on what was measured of a face. Not here: pixels (see.py), thresholds on the
result (policy.py), words for the person (cues/framing.py). Source: measured, docs/see.md.
"""

from __future__ import annotations

import math
from typing import Literal

from pipeline.observation import Face

Fault = Literal[
    "small", "large", "yaw", "pitch", "roll", "blur", "dark", "bright", "cut", "covered"
]

Ramp = tuple[float, float]
"""Worth 0 at the first number, 1 from the second on; falling ramps have the larger number first."""

EYES_PX: Ramp = (24.0, 48.0)
"""Distance of the outer eye corners in the frame; ArcFace's 112x112 crop wants about 52."""
YAW_DEG: Ramp = (40.0, 20.0)
PITCH_DEG: Ramp = (35.0, 20.0)
ROLL_DEG: Ramp = (50.0, 30.0)
"""Alignment undoes roll; only the mesh and the detector tire of it."""
SHARPNESS: Ramp = (10.0, 60.0)
DARK_LUMA: Ramp = (30.0, 60.0)
BRIGHT_LUMA: Ramp = (235.0, 210.0)
CLIPPED: Ramp = (0.5, 0.2)
INSIDE: Ramp = (0.7, 0.9)
SCORE: Ramp = (0.5, 0.9)
AGREEMENT: Ramp = (0.4, 0.25)
LARGE_REACH = 1.2
"""Reach of the anti-spoof crop below which the face fills the frame."""


def grade(
    *,
    eyes_px: float,
    yaw_deg: float,
    pitch_deg: float,
    roll_deg: float,
    sharpness: float,
    luma: float,
    clipped: float,
    inside: float,
    score: float,
    agreement: float,
) -> float:
    """0..1: the product of all ramps. Units as in `observation.Face`; `eyes_px` is the distance of
    the outer eye corners; `agreement` may be nan."""
    worths = _worths(
        eyes_px, yaw_deg, pitch_deg, roll_deg, sharpness, luma, clipped, inside, score, agreement
    )
    return math.prod(worths.values())


def fault(face: Face) -> Fault:
    """What lowers this face's quality most."""
    if face.spoof_crop is not None and face.spoof_crop < LARGE_REACH:
        return "large"
    across = face.mesh_px[263] - face.mesh_px[33]
    worths = _worths(
        math.hypot(float(across[0]), float(across[1])),
        face.yaw_deg,
        face.pitch_deg,
        face.roll_deg,
        face.sharpness,
        face.luma,
        face.clipped,
        face.inside,
        face.score,
        face.agreement,
    )
    return min(worths, key=lambda name: worths[name])


def _worths(
    eyes_px: float,
    yaw_deg: float,
    pitch_deg: float,
    roll_deg: float,
    sharpness: float,
    luma: float,
    clipped: float,
    inside: float,
    score: float,
    agreement: float,
) -> dict[Fault, float]:
    dim, glare = ramp(luma, DARK_LUMA), ramp(luma, BRIGHT_LUMA)
    lost = ramp(clipped, CLIPPED)  # blamed on whichever end of the scale is nearer
    covered = 1.0 if math.isnan(agreement) else ramp(agreement, AGREEMENT)
    return {
        "small": ramp(eyes_px, EYES_PX),
        "yaw": ramp(abs(yaw_deg), YAW_DEG),
        "pitch": ramp(abs(pitch_deg), PITCH_DEG),
        "roll": ramp(abs(roll_deg), ROLL_DEG),
        "blur": ramp(sharpness, SHARPNESS),
        "dark": dim * (lost if luma < 128 else 1.0),
        "bright": glare * (lost if luma >= 128 else 1.0),
        "cut": ramp(inside, INSIDE),
        "covered": covered * ramp(score, SCORE),
    }


def ramp(value: float, limits: Ramp) -> float:
    """0 at the first limit, 1 at the second, straight between, flat outside; 0 for nan."""
    zero, one = limits
    worth = (value - zero) / (one - zero)
    return min(1.0, max(0.0, worth)) if worth == worth else 0.0
