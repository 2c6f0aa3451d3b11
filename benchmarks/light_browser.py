"""Light challenges in a real Chromium: whole logins of people who reflect, and of cheats.

A server of its own, the <face-login> element, a camera that is a recording lit by what the element
paints (tests/e2e/reflecting.py). Each login may take all the windows that the policy gives. Not
here: the cue by itself, in virtual time (light.py). Sequences are secret: no two runs are the same.
"""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.manifest import default_dir
from pipeline.frame import Frame
from pipeline.nets.mesh import landmarks
from pipeline.nets.ort import Nets
from pipeline.observation import Ask
from pipeline.see import see
from pipeline.sight.patch import OVAL
from server.tools.caller.attempt import attempt
from server.tools.evaluation.statistics import exact
from tests.e2e.cameras import FPS, mjpeg, person, timed
from tests.e2e.reflecting import Plan, answer, row, stage
from tests.e2e.site import Site, running

ENROLMENTS = {"auduno": ("cap12", 0.0), "franck": ("franck", 0.0)}
"""Person: recording, and from where, s."""
TAKES = (("franck", "franck", 40.0), ("auduno", "cap13", 0.0), ("franck", "franck", 70.0),
         ("auduno", "cap13", 8.0), ("franck", "franck", 100.0))  # fmt: skip
"""Person, recording, start, s: the other recording or another minute than what was enrolled."""
DIMMED = {"franck": 0.8}
"""Levels of a recording whose cheeks are near the end of the scale already: a camera's automatic
exposure would have seen to it when the screen's light came."""
FILM_S = 20.0
"""Chromium plays it from the start for every page, and again from the start after that."""
CAMERA_MS = 100.0
"""From the paint to the picture: screen 30 to 50, half an exposure 20, camera and USB 50 to 100."""


@dataclass(frozen=True, slots=True)
class Sort:
    """People, or cheats, of one kind."""

    name: str
    plan: Plan
    honest: bool = False
    earlier: bool = False
    """Answers what an honest login of this run was asked."""


LIT = Plan(physical=True, delay_ms=CAMERA_MS)
SORTS = (
    *(
        Sort(f"honest {100 * s:g} %", replace(LIT, strength=s), honest=True)
        for s in (0.15, 0.08, 0.05, 0.03, 0.02)
    ),
    Sort("mixed into the levels, 2 %", Plan(strength=0.02, delay_ms=CAMERA_MS), honest=True),
    Sort("no reflection", replace(LIT, strength=0.0)),
    *(
        Sort(f"8 %, late by {s:g} s", replace(LIT, strength=0.08, delay_ms=1000 * s))
        for s in (0.3, 0.5, 1.0, 2.0)
    ),
    Sort("8 %, earlier answer", replace(LIT, strength=0.08), earlier=True),
    Sort("frozen", replace(LIT, strength=0.08, freeze=True)),
    Sort("whole picture, mixed 6 %", Plan(strength=0.06, whole=True)),
    Sort("whole picture, lit 15 %", replace(LIT, strength=0.15, whole=True)),
)


@dataclass(frozen=True, slots=True)
class Film:
    """A camera, and where the face is in it."""

    subject: str
    path: Path
    face: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Seen:
    """How one login ended."""

    accepted: bool
    kind: str
    stand: str
    """Of the light row, when it was over."""
    reason: str
    numbers: dict[str, float]


async def run(honest: int, cheats: int, only: str) -> None:
    """Print the table: so many logins of each kind of people, and of cheats."""
    lines = [
        "| answer | n | accepted, 95 % | light FOR | ends | light rows | r | z | delay_s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    sorts = [sort for sort in SORTS if only in sort.name]
    with tempfile.TemporaryDirectory(prefix="lookgate-light-") as made:
        folder = Path(made)
        films, earlier = _films(folder), None
        async with running(folder) as site:
            await _enrol(site)
            for sort in sorts:
                if sort.earlier and earlier is None:
                    _, earlier = await _login(site, films[0], SORTS[0], None)
                seen = []
                for k in range(honest if sort.honest else cheats):
                    one, colors = await _login(site, films[k % len(films)], sort, earlier)
                    seen.append(one)
                    earlier = colors if sort.honest and one.accepted else earlier
                lines.append(_line(sort, seen))
    print("\n".join(["", *lines]))


def _films(folder: Path) -> list[Film]:
    nets, films = Nets(default_dir()), []
    for k, (subject, clip, start_s) in enumerate(TAKES):
        dim = DIMMED.get(clip, 1.0)
        images = [
            np.rint(image * dim).astype(np.uint8)
            for image in person(clip, start_s=start_s, seconds=FILM_S)
        ]
        ends = []
        for image in images[:: FPS // 2]:
            found = see(Frame(image, 0, 0.0, 0.0), Ask(detect=True), nets).face
            seen = None if found is None else landmarks(image, found.roi, nets)
            if seen is not None:
                oval = seen.points_px[list(OVAL), :2]
                ends.append([*oval.min(axis=0), *oval.max(axis=0)])
        left, top, right, bottom = (float(v) for v in np.median(np.array(ends), axis=0))
        centre = (left + right) / 2, (top + bottom) / 2
        # A little more than the oval: heads move, and the edge is soft.
        face = (*centre, 0.6 * (right - left), 0.6 * (bottom - top))
        films.append(Film(subject, mjpeg(iter(images), folder / f"{k}.mjpeg"), face))
    return films


async def _enrol(site: Site) -> None:
    for subject, (clip, start_s) in ENROLMENTS.items():
        images = list(itertools.islice(person(clip, start_s=start_s), 12 * FPS))
        done = await attempt(
            server_url=site.server,
            client_id="demo",
            secret=site.secret(),
            purpose="enroll",
            subject=subject,
            video=timed(iter(images)),
        )
        assert done.verdict["outcome"] == "accepted", (subject, done.verdict)


async def _login(
    site: Site, film: Film, sort: Sort, earlier: list[list[object]] | None
) -> tuple[Seen, list[list[object]]]:
    plan = replace(sort.plan, face=film.face)
    if sort.earlier:
        assert earlier is not None, "no honest login was accepted before"
        plan = replace(plan, replay=earlier)
    try:
        async with stage(film.path, plan) as page:
            found = await answer(
                page, site, patient=True, purpose="login", subject=film.subject, challenge="light"
            )
        kind, colors = found.kind, found.colors
        accepted = kind == "success"
        reasons = found.detail.get("reasons") or [found.detail.get("code", "")]
        kind = kind if accepted else "+".join(map(str, reasons))
    except AssertionError as late:  # `until` waited in vain
        accepted, kind, colors = False, str(late).splitlines()[0][:40], []
    light = row(site, "light")
    seen = Seen(
        accepted, kind, light.get("stand", "-"), light.get("reason", "-"), light.get("numbers", {})
    )
    print(
        f"  {sort.name}: {film.path.stem} {seen.kind} {seen.stand} {seen.reason} "
        + " ".join(f"{k}={v:.2f}" for k, v in seen.numbers.items()),
        flush=True,
    )
    return seen, colors


def _line(sort: Sort, seen: list[Seen]) -> str:
    accepted = exact(sum(one.accepted for one in seen), len(seen))
    answered = sum(one.stand == "for" for one in seen)
    ends, reasons = (Counter(getattr(one, name) for one in seen) for name in ("kind", "reason"))
    spans = []
    for name in ("r", "z", "delay_s"):
        values = [one.numbers[name] for one in seen if name in one.numbers]
        spans.append(f"{min(values):.2f} to {max(values):.2f}" if values else "")
    cells = [
        sort.name,
        len(seen),
        accepted,
        answered,
        ", ".join(f"{what} {n}" for what, n in ends.items()),
        ", ".join(f"{what} {n}" for what, n in reasons.items()),
        *spans,
    ]
    return f"| {' | '.join(map(str, cells))} |"
