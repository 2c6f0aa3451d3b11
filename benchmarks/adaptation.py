"""How near another person comes to a template that adapts, and what adapting gains, on real faces.

    python -m benchmarks.adaptation DATA [--steps 100]

Templates adapt at login only where the operator says so (LOOKGATE_ADAPT). The rule is that of
server/adaptation.py: each step begins at the first enrolment and knows of no step before,
so that a thousand come no farther than one. DATA: a folder with one folder a person, of pictures of
their face, looked at once (the cache of `lookgate evaluate`). From each person towards each other
one goes a walk: every step shows the face that is nearest to the other person and still passes. No
camera sees such faces; they are drawn between embeddings. Prints tables; reads and sends nothing
else. Not here: comparing (pipeline/template.py). Source: docs/decisions/adaptation.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from math import acos, cos, sin
from pathlib import Path

import numpy as np

from benchmarks.template_protection import Faces, look
from pipeline.policy import POLICIES
from pipeline.template import Floats, Template, pooled
from server.adaptation import ANSWERED, FAR, adapted, moved_deg

MATCH = POLICIES["standard"].match_score
ENROLLED = 5
"""Pictures of a first enrolment at most."""
DRAWS = 50
"""Ways to share a person's pictures among enrolment, login and later login."""


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
