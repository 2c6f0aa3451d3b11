"""Is this frame usable, and if not, what should the person do? Guidance, not evidence."""

from __future__ import annotations

from pipeline import quality
from pipeline.observation import Observation
from pipeline.policy import Policy
from pipeline.reasons import Hint

DARK_FRAME = 24.0
"""Mean luma of a whole frame below which no face can be looked for (video black is 16, limited
range; a covered or closed camera delivers 16 to 20)."""

GREY, LIT = 5.0, 30.0
"""Spread of the colour channels in a face below which the camera shows no colour, and its luma from
which that can be said: 56 live films have 7.9 or more in every frame; of grey ones, which VP8 and
the conversion tint a little, 3 is left."""

_HINTS: dict[quality.Fault, Hint] = {
    "small": Hint.COME_CLOSER,
    "large": Hint.MOVE_BACK,
    "yaw": Hint.LOOK_AT_CAMERA,
    "pitch": Hint.LOOK_AT_CAMERA,
    "roll": Hint.LOOK_AT_CAMERA,
    "blur": Hint.HOLD_STILL,
    "dark": Hint.MORE_LIGHT,
    "bright": Hint.LESS_LIGHT,
    "cut": Hint.CENTER_FACE,
    "covered": Hint.UNCOVER_FACE,
}

NEAR_ROOM = 1.5
"""Room for a face, in faces each way, below which the frame cuts it because it is near: who is only
off the centre has more."""

COVERED = 2
"""Looks in a row, half a second apart, that must see no mouth: a hand that passes is no cover."""
STRAIGHT_DEG = 25.0
"""Farther turned, the mesh's mouth lies at the edge of what is seen."""


class Cover:
    """Does something cover the mouth? Guidance alone: identity hardly suffers from it, and nobody
    is refused for a mask."""

    def __init__(self) -> None:
        self._looks = 0

    @property
    def seen(self) -> bool:
        """Whether to ask the person to take it away."""
        return self._looks >= COVERED

    def add(self, obs: Observation) -> None:
        """Take one observation of a usable frame."""
        face = obs.face
        if face is None or face.mouth is None or abs(face.yaw_deg) > STRAIGHT_DEG:
            return
        self._looks = self._looks + 1 if face.mouth < 1.0 else 0


def wrong(obs: Observation, policy: Policy) -> Hint | None:
    """What keeps this frame from being used; None if nothing does.

    The order is that of correction: first a face, then its place, then its look. Whether it is
    alone is the session's to say: only some frames look for others.
    """
    face = obs.face
    if face is None:
        return Hint.CAMERA_DARK if obs.luma < DARK_FRAME else Hint.NO_FACE
    _, _, width_px, height_px = face.box_px
    if face.chroma < GREY and face.luma >= LIT:
        return Hint.CAMERA_GRAY
    wide_px, tall_px = obs.picture_px
    room = min(wide_px / max(width_px, 1.0), tall_px / max(height_px, 1.0))
    cut = face.inside < policy.min_inside
    if room < policy.spoof_crop or (cut and room < NEAR_ROOM):
        return Hint.MOVE_BACK
    if cut:
        return Hint.CENTER_FACE
    # A share, so that a stream's size does not say how far away a person may be; and pixels, as the
    # embedder needs them.
    if width_px < max(policy.min_face_px, policy.min_face_share * max(wide_px, tall_px)):
        return Hint.COME_CLOSER
    if face.quality < policy.min_quality:
        return _HINTS[quality.fault(face)]
    return None
