"""Every threshold of the decision, with its unit and where it was calibrated. No logic.

A policy is a value: two sessions with equal policies and equal observations end alike. The
fingerprint goes into tapes and records, so that a verdict can be judged again under another policy.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked of a face. The numbers of the defaults are explained field by field."""

    name: str = "standard"
    """How clients refer to it."""
    acr: str = "passive"
    """Level claimed in the token: liveness judged without asking the person to do anything."""
    required: tuple[str, ...] = ("face", "spoof", "freshness", "identity")
    """Cues that must be FOR."""

    # Time
    time_limit_s: float = 25.0
    """The whole session, from the first word on the channel to the verdict."""
    settle_s: float = 1.5
    """No verdict earlier: the shortest window whose errors were measured (facts: 1.5 s and 3 s)."""
    window_s: float = 3.0
    """A verdict, or fresh evidence, by then; 3 s had the fewest errors of the windows measured."""
    enroll_settle_s: float = 3.0
    """Enrolment is rare and everything later rests on it: the long window at least."""
    enroll_window_s: float = 8.0
    """Time to turn the head a little."""
    windows: int = 3
    """How often an undecided window may be followed by a fresh one."""

    # What is measured, how often
    detect_period_s: float = 0.5
    """Detector between landmark frames: finds second faces and drift."""
    spoof_period_s: float = 0.24
    """Anti-spoof votes: five within `settle_s` at 15 frames/s."""
    embed_period_s: float = 0.33
    """Embeddings: four within `settle_s`, the dearest net."""

    # The face in the frame
    min_quality: float = 0.35
    """Least frame quality (pipeline.quality) for an embedding; below it the person gets a hint."""
    min_face_px: float = 80.0
    """Narrowest face box: SFace reads 112 px, and below 80 px it is magnified blur."""
    max_rival: float = 0.4
    """A second face at least this wide against the first means two people at the camera."""
    min_inside: float = 0.9
    """Share of the face box that must be in the picture."""
    lost_s: float = 0.25
    """A face missing for longer, or found elsewhere, starts afresh: else evidence could be lent."""
    max_jump: float = 0.6
    """Face widths its centre may move between frames that are at most `lost_s` apart."""
    same_face: float = 0.45
    """Least cosine between an embedding and the pool of its window; impostors' 99.9th percentile
    between single images is .44 (SFace, ORL, 78,000 pairs), frames of one session lie above .6."""
    min_frames: int = 10
    """Usable frames in a window: below it the camera is too slow to judge motion or freshness."""

    # Liveness
    spoof_votes: int = 5
    """Frames the anti-spoof vote needs (facts: median over >= 5)."""
    spoof_crop: float = 1.5
    """Least reach of the crop round the face, in faces, and so the least room for it in the frame.
    The vote was measured from 1.6 on; 1.5 lets somebody who leans in (face 2/3 of the frame's
    height) in as well, and refused the same attacks."""
    spoof_gain: float = 0.47
    """LLR per unit of median margin; logistic fit on webcam clips and NUAA after VP8."""
    spoof_offset: float = 0.95
    """LLR at margin 0: the vote's zero lies at -2, not at 0 (leave-one-source-out, 89 clips)."""
    spoof_clip: float = 4.0
    """No single cue may outvote everything else."""
    accept_llr: float = 1.5
    """Sum of liveness LLRs for a verdict before the window's end."""
    accept_late_llr: float = 0.0
    """Sum at the window's end: the measured threshold (0/29 print, 1/7 replay, 1/10 webcam)."""
    reject_llr: float = -2.0
    """Liveness LLR at which a cue is certain before the window's end."""
    frozen_step: float = 0.32
    """Upper quartile of the newest frame-to-frame sketch distances, grey levels, at or below which
    the picture stands still; as with the next four, docs/freshness.md has the measurements."""
    fresh_step: float = 0.50
    """The same distance from which it counts as moving."""
    frozen_s: float = 0.4
    """A run of frames without change this long is a frozen picture, whatever came before."""
    frozen_wobble: float = 0.0032
    """Change of the face's shape, in eye distances, at or below which a picture that hardly moves
    is a stiff one."""
    fresh_wobble: float = 0.0046
    """The same change from which it counts as a face that lives; below it stay stills that are
    panned, zoomed, shaken or strewn with noise."""
    loop_ratio: float = 0.75
    """Distance at the best lag over distance at lag one, below which the picture repeats: loops of
    4 to 11 frames .03-.79, live clips 1.07 or more."""
    alive_ratio: float = 0.95
    """The same ratio from which nothing repeats."""
    noise_step: float = 1.5
    """Below this distance, growth with lag is needed: a still with added noise moves without going
    anywhere (growth 1.03-1.27), quiet live people drift (1.7 or more)."""
    growth_ratio: float = 1.4
    """Least growth from lag one to the longest lag for such quiet pictures."""

    # Identity
    embeddings: int = 3
    """Probe embeddings that are pooled at least; the threshold is for pools of three and more."""
    match_score: float = 0.50
    """1:1 cosine of pooled vectors. ORL, 3 against 3: TAR 99.8 %, FAR .05 % (n = 400 / 15,600)."""
    mismatch_score: float = 0.35
    """Certain mismatch before the window's end: the least genuine pooled score on ORL was .365."""
    identify_score: float = 0.56
    """1:N: the greatest of 15,600 pooled impostor scores on ORL was .561."""
    identify_margin: float = 0.10
    """1:N: how far the runner-up must be behind, so that look-alikes are refused, not guessed."""
    fresh_embedding_s: float = 0.6
    """Age of the newest embedding at acceptance: match and liveness are judged on the same face."""

    # Enrolment
    enroll_embeddings: int = 5
    """What a template holds at least (ORL: 5 pooled TAR 100 %, n = 200)."""
    enroll_most: int = 10
    """What it holds at most."""
    enroll_variety: float = 0.95
    """Embeddings nearer than this cosine to a kept one add nothing new."""
    enroll_patience_s: float = 5.0
    """After this a steady pose is taken as it is: not everybody can turn the head."""
    enroll_coherence: float = 0.72
    """Least cosine of each embedding to the pool: one person, throughout. Two people by turns give
    sqrt(.5) at most; the sessions tried gave .9."""

    def matching_at(self, score: float) -> Policy:
        """This policy for an embedder that needs another `match_score`.

        The other cosines that a level of similarity stands behind keep the distance to it that they
        have for SFace; that is a guess, calibrated for nothing (docs/insightface.md). Not moved:
        `enroll_coherence` and `enroll_variety`, which are geometry, and `identify_margin`.
        """
        by = score - self.match_score
        return replace(
            self,
            match_score=score,
            mismatch_score=round(self.mismatch_score + by, 4),
            identify_score=round(self.identify_score + by, 4),
            same_face=round(self.same_face + by, 4),
        )

    def fingerprint(self) -> str:
        """First 16 hex digits of SHA-256 over the canonical JSON of all fields."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


POLICIES: dict[str, Policy] = {"standard": Policy()}
"""Policies by the name that clients use."""
