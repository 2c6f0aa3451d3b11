"""Does the face answer this session's colours, now, and more than what is behind it?

The screen's light adds to the room's, so skin turns a little towards each colour. Taken are the
logarithms of R/G and B/G in linear light, face minus background: white balance and exposure scale
the channels of the whole picture and cancel there. What is left is laid over the drawn sequence at
every delay that a camera may have, and over 200 sequences that were not drawn: only an answer that
fits this one far better than those counts. It says that the stream is made now, before this screen;
a print held before the screen answers as well, and a computer that knows the page's colours can
paint them (docs/challenge.md). Not here: drawing and harmlessness (challenge.py), pixels (see.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pipeline.challenge import Draws, Floats64, Light, draw_light
from pipeline.decision import Evidence, Stand, Topic
from pipeline.observation import Observation
from pipeline.policy import Policy

DECOYS = 200
"""Sequences that were not drawn; the fit to them is what chance looks like in this very stream."""
GRID_S = 0.02
"""Step of the search for the delay, a third of a frame at 15 frames/s: the template is integrated
over the exposure, so that the fit changes little in between."""
LATEST_S = 2.5
"""How late an answer is still recognised as a late one."""
TICK_S = 0.01
"""Step of the tables that templates are read from."""
_TICKS = round((LATEST_S + 8.0) / TICK_S)
"""The longest sequence has 4.4 s."""
FIRST_S = 0.25
"""Pictures from before show the page as it was."""
EXPOSURE_S = 0.04
"""What a camera integrates over, about: 1/25 s indoors."""
TREND = 3
"""Degree of the polynomial that is taken out: automatic white balance and exposure settle within
seconds, the colours change within tenths."""
WANDER_S = 0.3
"""How long a face's own changes of colour last, about: .8 from picture to picture at 15 a second.
Twelve recordings at a strength of 2 %: with it 10 are answered, with .1 s 9, without it 5."""
MOSTLY, LEAST_REGIONS = 0.9, 2
"""Share of pictures in which a region must be measured, and of forehead and cheeks how many."""
RECENT = 10
"""Pictures after which somebody is told that skin or background are clipped."""
CLEARLY_S = 0.04
"""By how much an answer must be too late to be held against somebody."""
DARK = 0.005
"""Linear light added before the logarithm: black has no colour, only noise."""
BLACK = 0.0005
"""The same where the background is judged by itself."""
DECOYS_SEED = b"decoys of the light challenge"
"""The same sequences for everybody; nothing depends on them being secret."""
LATE_BEAT_S = 0.08
"""How far off the painted time a report is believed: five refreshes of a 60 Hz screen."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How well one series lies on the sequence."""

    r: float
    """Correlation at the best delay, -1..1."""
    delay_s: float
    z: float
    """Standard deviations above the decoys' best correlations."""
    beaten: int
    """Decoys that fit at least as well."""
    late_r: float
    """Best correlation at delays that are too long."""
    late_s: float


class LightAnswer:
    """Collects the colours of one window, against one sequence."""

    def __init__(self, light: Light, sent_s: float) -> None:
        """`sent_s`: when the sequence was handed to the connection, server clock."""
        self._light, self._sent_s = light, sent_s
        self._starts_s = [ms / 1000 for ms in light.starts_ms]
        self._reported: set[int] = set()
        self._trip_s = 0.0
        self._times_s: list[float] = []
        self._tints: list[NDArray[np.float32]] = []
        self._lumas: list[tuple[float, float]] = []
        self._row: Evidence | None = None

    @property
    def light(self) -> Light:
        """What is to be answered."""
        return self._light

    def wants(self, now_s: float, policy: Policy) -> bool:
        """Whether the next picture may still belong to the answer."""
        return now_s - self._sent_s <= self.length_s(policy) + 0.2

    def length_s(self, policy: Policy) -> float:
        """From the challenge to the row that is final."""
        return self._light.length_s + policy.light_delay_s

    def add(self, obs: Observation) -> None:
        """Take one observation."""
        if obs.face is not None and obs.face.tint is not None:
            self._times_s.append(obs.arrival_s - self._sent_s)
            self._tints.append(obs.face.tint)
            self._lumas.append((obs.face.luma, obs.luma))

    def missing(self) -> str | None:
        """What of the newest pictures cannot be measured, while there is time to do better."""
        if len(self._tints) < RECENT or self._row is not None:
            return None
        there = np.asarray(np.isfinite(np.stack(self._tints[-RECENT:])).all(axis=2))
        return _missing(there, np.array(self._lumas[-RECENT:]))

    def painted(self, step: int, ms: float, now_s: float) -> None:
        """The page says that it painted a step so many ms after the challenge came. A claim: it
        may move a step by `LATE_BEAT_S` and the delay by the trip it took, nothing else."""
        at_s = now_s - self._sent_s
        if not 0 <= step < len(self._starts_s) or step in self._reported or ms / 1000 > at_s:
            return
        due_s = self._light.starts_ms[step] / 1000
        trip_s = at_s - ms / 1000
        self._trip_s = min(self._trip_s, trip_s) if self._reported else trip_s
        self._reported.add(step)
        self._starts_s[step] = due_s + min(max(ms / 1000 - due_s, 0.0), LATE_BEAT_S)

    def share(self, policy: Policy) -> float:
        """How much of the sequence is over, 0..1."""
        if self._row is not None or not self._times_s:
            return float(self._row is not None)
        return min(1.0, max(0.0, self._times_s[-1]) / self.length_s(policy))

    def row(self, policy: Policy, now_s: float) -> Evidence:
        """UNKNOWN until the sequence is over; then final."""
        if self._row is not None:
            return self._row
        if now_s - self._sent_s < self.length_s(policy):
            return _say(Stand.UNKNOWN, "not_yet", {"steps": float(len(self._reported))})
        self._row = self._judge(policy)
        return self._row

    def _judge(self, policy: Policy) -> Evidence:
        most_s = policy.light_delay_s + min(self._trip_s, policy.light_trip_s)
        times_s = np.array(self._times_s)
        during = (times_s >= FIRST_S) & (times_s <= self._light.length_s)
        n = int(during.sum())
        numbers = {
            "frames": float(n),
            "steps": float(len(self._reported)),
            "trip_s": self._trip_s,
        }
        if len(self._reported) < len(self._starts_s):
            return _say(Stand.UNKNOWN, "not_painted", numbers)
        if n < policy.light_frames_per_s * self._light.length_s:
            return _say(Stand.UNKNOWN, "too_few_frames", numbers)
        tints, times_s = np.stack(self._tints)[during], times_s[during]
        lumas = np.array(self._lumas)[during]
        # A region that is clipped now and then would jump in and out of the mean.
        there = np.asarray(np.isfinite(tints).all(axis=2))
        if (missing := _missing(there, lumas)) is not None:
            return _say(Stand.UNKNOWN, missing, numbers)
        kept = there.mean(axis=0) >= MOSTLY
        whole = there[:, kept].all(axis=1)
        if whole.sum() < policy.light_frames_per_s * self._light.length_s:
            return _say(Stand.UNKNOWN, "too_few_frames", numbers)
        tints, times_s = tints[whole], times_s[whole]
        face_bgr, back_bgr = tints[:, :3][:, kept[:3]].mean(axis=1), tints[:, 3]
        face, back = ratios(face_bgr), ratios(back_bgr)
        found = fit(face - back, times_s, self._light, self._starts_s, most_s)
        delay_s = found.late_s if found.late_r > found.r else found.delay_s
        template = _table(self._light, self._starts_s)[_ticks(times_s - delay_s)]
        gain = _gain(face - back, template, times_s)
        # Added to the whole picture a colour is the same everywhere in levels; multiplied, in logs.
        spread = max(
            _share(_levels(back_bgr), _levels(face_bgr), template, times_s),
            _share(ratios(back_bgr, BLACK), ratios(face_bgr, BLACK), template, times_s),
        )
        numbers |= {
            "r": found.r,
            "z": found.z,
            "beaten": float(found.beaten),
            "delay_s": found.delay_s,
            "late_r": found.late_r,
            "late_s": found.late_s,
            "gain": gain,
            "spread": spread,
        }
        fits = found.r >= policy.light_fit and found.beaten == 0 and found.z >= policy.light_z
        if found.late_r > max(found.r, policy.light_fit):
            # A picture without noise fits something by chance: an accusation asks for as much of
            # an answer as an acceptance does.
            clear = found.late_r >= policy.light_late_fit and gain >= policy.light_gain
            late = clear and found.late_s > most_s + CLEARLY_S
            return _say(Stand.AGAINST if late else Stand.UNKNOWN, "late", numbers)
        if not fits:
            return _say(Stand.UNKNOWN, "no_answer", numbers)
        if gain < policy.light_gain:
            return _say(Stand.UNKNOWN, "too_weak", numbers)
        if spread > policy.light_spread:
            return _say(Stand.UNKNOWN, "everywhere", numbers)
        return _say(Stand.FOR, "answered", numbers)


def _missing(there: NDArray[np.bool_], lumas: Floats64) -> str | None:
    """Which part is clipped too often, of the regions bool (n, 4); lumas (n, 2) of face and frame
    say at which end."""
    kept = there.mean(axis=0) >= MOSTLY
    face, frame = np.median(lumas, axis=0)
    if kept[:3].sum() < LEAST_REGIONS:
        return "skin_burnt" if face > 128 else "skin_dark"
    if not kept[3]:
        return "background_burnt" if frame > face else "background_dark"
    return None


def ratios(bgr: NDArray[np.float32], dark: float = DARK) -> Floats64:
    """float64 (n, 2): ln(R/G) and ln(B/G) in linear light, from mean levels (n, 3) BGR, 0..255."""
    light = (np.asarray(bgr, np.float64) / 255) ** 2.2 + dark
    return np.log(light[:, [2, 0]] / light[:, [1]])


def _levels(bgr: NDArray[np.float32]) -> Floats64:
    """float64 (n, 2): R - G and B - G in the picture's levels, 0..1."""
    level = np.asarray(bgr, np.float64) / 255
    return level[:, [2, 0]] - level[:, [1]]


def _table(light: Light, starts_s: Sequence[float]) -> Floats64:
    """float64 (_TICKS, 2): R - G and B - G of the screen as a camera sees it that looks until the
    k-th hundredth of a second, from `-LATEST_S` on."""
    at_s = np.arange(_TICKS, dtype=np.float64) * TICK_S - LATEST_S
    shown = light.shown(starts_s, at_s, EXPOSURE_S)
    return shown[:, [0, 2]] - shown[:, [1]]


@cache
def _decoys() -> Floats64:
    """float64 (DECOYS, _TICKS, 2): the tables of the sequences that were not drawn."""
    draws = Draws(DECOYS_SEED)
    drawn = [draw_light(draws, 0) for _ in range(DECOYS)]
    return np.stack([_table(d, [ms / 1000 for ms in d.starts_ms]) for d in drawn])


def _ticks(at_s: Floats64) -> NDArray[np.intp]:
    """Where in a table a time is."""
    return np.clip(np.rint((at_s + LATEST_S) / TICK_S).astype(np.intp), 0, _TICKS - 1)


def _trend(times_s: Floats64) -> Floats64:
    """float64 (n, TREND + 1): orthonormal slow drifts."""
    unit = 2 * (times_s - times_s[0]) / max(times_s[-1] - times_s[0], 1e-6) - 1
    basis, _ = np.linalg.qr(np.polynomial.legendre.legvander(unit, TREND))
    return np.asarray(basis, np.float64)


def _news(series: Floats64, keep: Floats64) -> Floats64:
    """(..., n - 1, c): each row less `keep` (n - 1, 1) of the one before."""
    return np.asarray(series[..., 1:, :] - keep * series[..., :-1, :], np.float64)


def _gain(series: Floats64, template: Floats64, times_s: Floats64) -> float:
    """Least-squares factor between template and series (n, 2)."""
    slow = _trend(times_s)
    x = template - slow @ (slow.T @ template)
    return float((x * series).sum() / max((x * x).sum(), 1e-9))


def _share(back: Floats64, face: Floats64, template: Floats64, times_s: Floats64) -> float:
    """How much of the face's answer the background gives; 1 where the face gives none."""
    on_face = _gain(face, template, times_s)
    return _gain(back, template, times_s) / on_face if on_face > 1e-4 else 1.0


def fit(
    series: Floats64, times_s: Floats64, light: Light, starts_s: Sequence[float], most_s: float
) -> Fit:
    """Lay a series (n, 2) over the sequence at delays of 0..`most_s`, over decoys at the same
    delays, and over the sequence at later ones."""
    # Noise of a face wanders (it moves, encoders correct themselves late), colours jump: what is
    # left of a picture after what the one before it foretells has less of the one than of the other
    keep = np.exp(-np.diff(times_s) / WANDER_S)[:, None]
    slow, _ = np.linalg.qr(_news(_trend(times_s), keep))
    y = _news(series, keep)
    y -= slow @ (slow.T @ y)
    y /= np.maximum(np.sqrt((y * y).sum(axis=0)), 1e-12)  # one ratio may be noisier than the other
    size = np.sqrt(2.0)

    def correlate(tables: Floats64, by_s: Floats64) -> Floats64:
        """(k, _TICKS, 2) tables -> (k, delays) correlations."""
        x = tables[:, _ticks(times_s[None, :] - by_s[:, None])]  # (k, delays, n, 2)
        x = _news(x, keep)
        x = x / np.maximum(np.sqrt((x * x).sum(axis=2, keepdims=True)), 1e-12)
        along = np.einsum("kdnc,nc->kd", x, y)
        trend = np.einsum("kdnc,nb->kdbc", x, slow, optimize=True)
        sizes = (x * x).sum(axis=(2, 3)) - (trend * trend).sum(axis=(2, 3))
        return np.asarray(along / (np.sqrt(np.maximum(sizes, 1e-12)) * size), np.float64)

    delays_s = np.arange(0.0, most_s + GRID_S / 2, GRID_S)
    late_s = np.arange(most_s + GRID_S, LATEST_S, GRID_S)
    table = _table(light, starts_s)[None]
    own, late = correlate(table, delays_s)[0], correlate(table, late_s)[0]
    chance = correlate(_decoys(), delays_s).max(axis=1)
    best, latest = int(own.argmax()), int(late.argmax())
    return Fit(
        r=float(own[best]),
        delay_s=float(delays_s[best]),
        z=float((own[best] - chance.mean()) / max(chance.std(), 1e-9)),
        beaten=int((chance >= own[best]).sum()),
        late_r=float(late[latest]),
        late_s=float(late_s[latest]),
    )


def _say(stand: Stand, reason: str, numbers: dict[str, float]) -> Evidence:
    # Carries no LLR: nothing was measured on real rooms yet, and it does not vouch for a face.
    return Evidence("light", Topic.LIVENESS, stand, reason, numbers=numbers)
