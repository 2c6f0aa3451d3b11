"""How near another person comes to a template that adapts, and what adapting gains, on real faces.

    python -m benchmarks.adaptation DATA [--steps 100]

Templates do not adapt at login. Here is the rule that they would follow (`adapted`), so that it can
be measured: each step begins at the first enrolment and knows of no step before, so that a thousand
come no farther than one. DATA: a folder with one folder a person, of pictures of their face, looked
at once (the cache of `lookgate evaluate`). From each person towards each other one goes a walk:
every step shows the face that is nearest to the other person and still passes. No camera sees such
faces; they are drawn between embeddings. Prints tables; reads and sends nothing else.
Not here: comparing (pipeline/template.py). Source: docs/decisions/adaptation.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from math import acos, asin, cos, radians, sin
from pathlib import Path

import numpy as np

from benchmarks.template_protection import Faces, look
from pipeline.policy import POLICIES
from pipeline.template import Floats, Template, pooled

MATCH = POLICIES["standard"].match_score
ENROLLED = 5
"""Pictures of a first enrolment at most."""
DRAWS = 50
"""Ways to share a person's pictures among enrolment, login and later login."""
FAR = 0.25
"""How far above `match_score` a probe must be. With SFace that is .75: the greatest of 15,600
pooled impostor scores on ORL was .56, and the benchmark says which genuine ones reach it."""
MOST_DEG = 5.0
"""Between the pool with today's row and the first enrolment's. Any other face gains .088 at most
(2 sin 2.5 degrees), and .074 about `match_score`."""
ANSWERED = ("light", "turn")
"""Challenges whose answer shows that somebody is there; passive evidence alone moves no template.
"""
_ROUNDING_DEG = 0.03
"""What float32 may lose of an angle as small as MOST_DEG."""


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("data", type=Path, metavar="DATA")
    given.add_argument("--steps", type=int, default=100, help="of each walk")
    told = given.parse_args()
    faces = look(told.data)
    print("\n".join(walks(faces, told.steps)))
    print("\n".join(gains(faces, np.random.default_rng(1))))


def walks(faces: Faces, steps: int) -> Iterator[str]:
    """From each first enrolment towards the pool of each other person's pictures."""
    people = [faces.rows[faces.owners == owner] for owner in np.unique(faces.owners)]
    first = [Template(faces.model_id, rows[:ENROLLED], 1.0) for rows in people]
    before, bounded, drifting, farthest = [], [], [], 0.0
    for i, template in enumerate(first):
        for j, rows in enumerate(people):
            if i == j:
                continue
            other = pooled(rows)
            before.append(_score(template, other))
            best, now = before[-1], template
            for _ in range(steps):
                now = step(template, now, other)
                best = max(best, _score(now, other))
                farthest = max(farthest, moved_deg(template, now))
            bounded.append(best)
            drifting.append(drift(pooled(template.embeddings), other, steps))
    yield (
        f"{len(people)} people ({faces.model_id}), {len(before)} walks of {steps} steps, matched"
        f" from {MATCH}, farthest {farthest:.2f} degrees from the first enrolment"
    )
    yield ""
    yield "| | greatest score of another person | walks that arrive |"
    yield "|-|-|-|"
    for name, scores in (
        ("the first enrolment", before),
        ("each step from the first enrolment", bounded),
        ("each step from the step before, as a naive rule", drifting),
    ):
        arrived = sum(score >= MATCH for score in scores)
        yield f"| {name} | {max(scores):.3f} | {arrived} of {len(scores)} |"
    yield ""


def step(first: Template, now: Template, other: Floats) -> Template:
    """The template after one login by who wants to bring it to `other`. Of two faces they show what
    helps most: as far from the first enrolment as passes, or from where the template is now."""
    passes = MATCH + FAR + 1e-4
    tried = [now]
    for begin in (pooled(first.embeddings), pooled(now.embeddings)):
        probe = toward(begin, other, passes)
        found = adapted(first, probe[None], answered=ANSWERED[0], match_score=MATCH)
        if found is not None:
            tried.append(found)
    return max(tried, key=lambda template: _score(template, other))


def drift(start: Floats, other: Floats, steps: int) -> float:
    """The score of `other` where each accepted face becomes the template."""
    for _ in range(steps):
        start = toward(start, other, MATCH + FAR)
    return float(start @ other)


def gains(faces: Faces, rng: np.random.Generator) -> Iterator[str]:
    """The person's own score at a later login: three pictures each, none of them twice."""
    plain, better, may, asked, people = [], [], 0, 0, 0
    for owner in np.unique(faces.owners):
        rows = faces.rows[faces.owners == owner]
        if len(rows) < 7:
            continue
        people += 1
        for _ in range(DRAWS):
            mixed = rows[rng.permutation(len(rows))]
            first, later = Template(faces.model_id, mixed[:3], 1.0), pooled(mixed[6:9])
            found = adapted(first, mixed[3:6], answered=ANSWERED[0], match_score=MATCH)
            asked += 1
            if found is None:
                continue
            may += 1
            plain.append(_score(first, later))
            better.append(_score(found, later))
    if not may:
        yield "Nobody has seven pictures and may adapt."
        return
    change = np.asarray(better) - np.asarray(plain)
    low, middle, high = np.quantile(change, [0.05, 0.5, 0.95])
    yield (
        f"{people} people of seven pictures and more: {may} of {asked} logins may adapt. Their own"
        f" later score changes by {middle:+.3f} (5 to 95 %: {low:+.3f} to {high:+.3f}); the least"
        f" goes from {min(plain):.3f} to {min(better):.3f}; below {MATCH}:"
        f" {sum(s < MATCH for s in plain)} before, {sum(s < MATCH for s in better)} after"
    )


def adapted(
    first: Template, probes: Floats, *, answered: str | None, match_score: float
) -> Template | None:
    """The rows of the first enrolment, unchanged, and behind them one of today; None if this login
    may not move the template.

    `probes`: float32 (n, d), unit rows of the same embedder. `answered`: the challenge that the
    session answered. The row lies on the arc from the first pool to today's, as far along as leaves
    the pool of all within MOST_DEG of the first.
    """
    if answered not in ANSWERED:
        return None
    try:
        start, today = pooled(first.embeddings), pooled(probes)
    except ValueError:
        return None
    score = float(start @ today)
    if not score >= match_score + FAR:
        return None
    angle = acos(min(1.0, score))
    along = min(angle, _most_along(first.embeddings))
    if angle < radians(_ROUNDING_DEG):
        return None  # the same face as it was: nothing to add
    row = (sin(angle - along) * start + sin(along) * today) / sin(angle)
    rows = np.vstack([first.embeddings, (row / np.linalg.norm(row))[None]])
    return Template(first.model_id, rows.astype(np.float32), first.quality)


def _most_along(rows: Floats) -> float:
    """Radians from the first pool at which one row more moves the pool by MOST_DEG.

    The rows' sum has a length `s`, so that a row at angle `a` moves the pool by `m` where
    tan m = sin a / (s + cos a), which is sin(a - m) = s sin m.
    """
    most = radians(MOST_DEG - _ROUNDING_DEG)
    length = float(np.linalg.norm(rows.sum(axis=0, dtype=np.float64)))
    return most + asin(min(1.0, length * sin(most)))


def moved_deg(first: Template, later: Template) -> float:
    """Degrees between the pools of two templates; by the chord, exact for near ones."""
    gap = pooled(first.embeddings).astype(np.float64) - pooled(later.embeddings)
    return float(np.degrees(2 * asin(min(1.0, float(np.linalg.norm(gap)) / 2))))


def toward(start: Floats, aim: Floats, cosine: float) -> Floats:
    """The unit vector at `cosine` to `start` on its arc to `aim`, or `aim` if that is nearer: what
    somebody would show who wants to move a template and is still to pass."""
    across = aim - (aim @ start) * start
    length = float(np.linalg.norm(across))
    if float(start @ aim) >= cosine or length == 0:
        return aim
    angle = acos(cosine)
    found: Floats = (cos(angle) * start + sin(angle) * across / length).astype(np.float32)
    return found


def _score(template: Template, probe: Floats) -> float:
    return float(pooled(template.embeddings) @ probe)


if __name__ == "__main__":
    sys.exit(main())
