"""How good is this frame for an embedding, and what is worst about it?

Here: soft limits on what was measured of a face. Not here: pixels (see.py), thresholds on the
result (policy.py), words for the person (cues/framing.py). Source: measured, docs/see.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pipeline.observation import Face

Fault = Literal[
    "small", "large", "yaw", "pitch", "roll", "blur", "dark", "bright", "cut", "covered"
]

Ramp = tuple[float, float]
"""Worth 0 at the first number, 1 from the second on; falling ramps have the larger number first."""

# Limits: cosine of a degraded frame's embedding to the mean of its clip's clean frames (0.95 for
# clean frames themselves, VP8 at 600 and 1500 kbit/s included), medians as in docs/see.md. A ramp
# ends where it is about 0.9 and starts where it is about 0.75, or where too few frames were seen.
EYES_PX: Ramp = (12.0, 30.0)
"""Distance of the outer eye corners in the frame: 0.74 at 12, 0.87 at 18, 0.93 at 30."""
YAW_DEG: Ramp = (38.0, 20.0)
"""0.90 at 15 to 20 degrees, 0.89 at 20 to 25, 0.76 at 30 to 40."""
PITCH_DEG: Ramp = (32.0, 18.0)
"""0.89 at 15 to 20 degrees, 0.77 at 25 to 30, 0.59 at 30 to 40."""
ROLL_DEG: Ramp = (50.0, 30.0)
"""Alignment undoes roll until the nets tire of it: 0.96 at 40 degrees, 0.89 at 50, 0.24 at 60."""
SHARPNESS: Ramp = (10.0, 60.0)
"""0.81 at 12, 0.92 at 41; nine clean webcam frames in ten are above 100. Motion blur keeps detail
along its other axis and is only partly seen (0.65 at 43)."""
REFERENCE_LUMA = 128.0
DARK_LUMA: Ramp = (15.0, 45.0)
"""0.78 at 15, 0.90 at 37 with noise of 2 grey levels; a real dark camera has more."""
BRIGHT_LUMA: Ramp = (248.0, 215.0)
CLIPPED: Ramp = (0.9, 0.4)
"""0.90 at luma 204, 0.82 at 234 with 56 % burnt, 0.59 at 246 with 86 %."""
INSIDE: Ramp = (0.7, 0.95)
"""Cut at the side 0.73 at 0.86, 0.87 at 0.96; cut at the chin 0.85 at 0.65, 0.92 at 0.87."""
SCORE: Ramp = (0.7, 0.99)
DETECTION: Ramp = (0.72, 0.88)
AGREEMENT: Ramp = (0.42, 0.2)
"""The three that see a cover. Clean: score 1.00, detection 0.92, agreement 0.09 (p90 0.13). Half of
the face covered: agreement 0.36; nose and mouth: score 0.5 to 0.99, or no face at all. A cover of
the eyes alone (cosine 0.66: not detected) or of the mouth alone (0.88: sight/mouth.py, for a hint)
moves none of them."""
LARGE_REACH = 1.2
"""Reach of the anti-spoof crop below which a face that the frame cuts is too near."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """What is graded before there is a `Face`; names and units as there."""

    eyes_px: float
    """Distance of the outer eye corners."""
    yaw_deg: float
    """Turn of the head."""
    pitch_deg: float
    """Nod of the head."""
    roll_deg: float
    """Tilt of the eye line."""
    sharpness: float
    """Variance of the Laplacian."""
    luma: float
    """Mean of the face's middle."""
    clipped: float
    """Fraction of it that is crushed or burnt."""
    inside: float
    """Fraction of the mesh's box in the frame."""
    score: float
    """Belief of the landmark net."""
    detection: float | None
    """Score of the detector; None where it did not run or did not see this face."""
    agreement: float
    """Of the detector's points with the mesh's; nan where the detector did not run."""


def grade(seen: Appearance) -> float:
    """0..1: the product of all ramps."""
    return math.prod(_worths(seen).values())


def fault(face: Face) -> Fault:
    """What lowers this face's quality most."""
    worths = _worths(face)
    worst = min(worths, key=lambda name: worths[name])
    # The detector cannot tell a hand from the edge of the frame
    if worst == "covered" and face.inside < INSIDE[1]:
        worst = "cut"
    near = face.spoof is not None and any(m.reach < LARGE_REACH for m in face.spoof)
    return "large" if worst == "cut" and near else worst


def _worths(seen: Appearance | Face) -> dict[Fault, float]:
    dim, glare = ramp(seen.luma, DARK_LUMA), ramp(seen.luma, BRIGHT_LUMA)
    lost = ramp(seen.clipped, CLIPPED)  # blamed on whichever end of the scale is nearer
    clear = ramp(seen.score, SCORE)
    clear *= 1.0 if seen.detection is None else ramp(seen.detection, DETECTION)
    clear *= 1.0 if math.isnan(seen.agreement) else ramp(seen.agreement, AGREEMENT)
    # Contrast, and with it the Laplacian, goes with light: darkness must not pass for blur
    detail = seen.sharpness
    if seen.luma < REFERENCE_LUMA:
        detail *= (REFERENCE_LUMA / max(seen.luma, DARK_LUMA[0])) ** 2
    return {
        "small": ramp(seen.eyes_px, EYES_PX),
        "yaw": ramp(abs(seen.yaw_deg), YAW_DEG),
        "pitch": ramp(abs(seen.pitch_deg), PITCH_DEG),
        "roll": ramp(abs(seen.roll_deg), ROLL_DEG),
        "blur": ramp(detail, SHARPNESS),
        "dark": dim * (lost if seen.luma < 128 else 1.0),
        "bright": glare * (lost if seen.luma >= 128 else 1.0),
        "cut": ramp(seen.inside, INSIDE),
        "covered": clear,
    }


def ramp(value: float, limits: Ramp) -> float:
    """0 at the first limit, 1 at the second, straight between, flat outside; 0 for nan."""
    zero, one = limits
    worth = (value - zero) / (one - zero)
    return min(1.0, max(0.0, worth)) if worth == worth else 0.0
