"""Does what the page says of its camera agree with what arrives? A weak sign of injection.

The page's word is free: whoever feeds a made film into a browser can make the browser say anything,
and a careful virtual camera says what a real one would. It is worth a look because the careless do
not. Never for a face: an honest camera looks like a well-made lie. Source: W3C Media Capture and
Streams, MediaStreamTrack.getSettings and label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.decision import Evidence, Stand, Topic
from pipeline.observation import Observation
from pipeline.policy import Policy

KINDS = ("integrated", "usb", "phone", "virtual", "unknown")
"""What a page may say of the camera's name; the name itself is never sent."""
MOST = 128
"""Pictures kept."""
LEAST = 20
"""Pictures needed: a second and a third at 15 a second."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What the page says of its camera."""

    width: float
    """Pixels."""
    height: float
    """Pixels."""
    fps: float
    """Pictures a second."""
    kind: str = "unknown"
    """One of KINDS."""


class CameraCheck:
    """Compares the claim with the pictures of one window."""

    def __init__(self, claim: Claim | None) -> None:
        self._claim = claim
        self._times_s: list[float] = []
        self._media_s: list[float] = []
        self._sizes: set[tuple[int, int]] = set()

    def add(self, obs: Observation) -> None:
        """Take one observation."""
        self._times_s.append(obs.arrival_s)
        self._media_s.append(obs.media_s)
        self._sizes.add((obs.width_px, obs.height_px))
        del self._times_s[:-MOST], self._media_s[:-MOST]

    def row(self, policy: Policy) -> Evidence:
        """OPEN with a small negative ratio for each thing that does not fit; never FOR."""
        claim = self._claim
        if claim is None:
            return _say(Stand.UNKNOWN, "no_claim", 0.0, {})
        if len(self._times_s) < LEAST:
            return _say(Stand.UNKNOWN, "too_few_frames", 0.0, {})
        span_s = self._times_s[-1] - self._times_s[0]
        rate = (len(self._times_s) - 1) / max(span_s, 1e-3)
        steps_s = np.diff(np.array(self._media_s))
        jitter = float(steps_s.std() / max(float(steps_s.mean()), 1e-4))
        numbers = {"fps": rate, "jitter": jitter}
        odd: list[str] = []
        if claim.kind == "virtual":
            odd.append("virtual")
        # A browser scales down under load, never up, and keeps the shape (to a few pixels, for the
        # encoder's blocks); a phone that is turned swaps the sides.
        most, least = max(claim.width, claim.height), min(claim.width, claim.height)
        for width, height in self._sizes:
            longer, shorter = max(width, height), min(width, height)
            shape = (longer / max(shorter, 1)) / (most / least) if least > 0 else 0.0
            if longer > most + 16 or not 0.9 <= shape <= 1.1:
                odd.append("size")
                break
        if rate > 1.3 * claim.fps + 1.0:
            odd.append("rate")
        llr = max(-policy.camera_odd * len(odd), -policy.camera_clip)
        reason = "_and_".join(odd) if odd else "agrees"
        return _say(Stand.OPEN, reason, llr, numbers)


def _say(stand: Stand, reason: str, llr: float, numbers: dict[str, float]) -> Evidence:
    return Evidence("camera", Topic.LIVENESS, stand, reason, llr, numbers=numbers)
