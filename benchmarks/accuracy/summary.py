"""What each film came to, without names and faces, as it is committed beside this file.

One line a film, so that a verdict that moved is one line of a review. Not here: who makes it
(run.py), what is counted of it (tables.py).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("summary.json")
TRIES = ("first", "retry", "all")
"""After one window, two, and as many as the policy has."""
ACCEPTED, REFUSED = "accepted", "rejected liveness"


@dataclass(frozen=True, slots=True)
class Film:
    """One film, shown in one way."""

    id: str
    """The beginning of the SHA-256 of its content, and how it is shown."""
    group: str
    """As benchmarks/liveness_clips.py has it."""
    label: str
    """As `lookgate evaluate liveness` has it."""
    framing: str
    person: int
    source: int
    said: dict[str, str]
    """By TRIES: phase and reasons; `over` if the film ended first."""
    left_out: dict[str, str]
    """The same by a policy that was fitted without the film's source; empty where none could be."""
    s: float | None
    """Sum of the first whole window."""
    since_first_s: float | None
    """From the first usable frame to the verdict, all windows."""
    gathered: bool
    """Whether any frame was usable."""
    windows: int
    known: dict[str, int]
    """Windows in which a cue had something to measure."""
    cues: dict[str, float]
    """What it measured, the median of those windows; the larger the livelier."""
    llr: dict[str, float]
    """The ratios when the verdict fell."""
    hints: list[str]

    @property
    def live(self) -> bool:
        return self.label == "live"


@dataclass(frozen=True, slots=True)
class Summary:
    """A run over a folder."""

    data: str
    """Fingerprint of the folder's files."""
    policy: str
    made: str
    """Year, month, day."""
    fits: dict[str, list[float]]
    """Least and greatest value of each refitted field."""
    matching: list[dict[str, Any]]
    """Errors of matching, one a size of pools; the first has single images too."""
    stills: dict[str, list[int]]
    """Label -> wrong, judged, all."""
    films: list[Film] = field(default_factory=list)

    def text(self) -> str:
        """JSON, one line a film."""
        head = {k: v for k, v in asdict(self).items() if k != "films"}
        lines = [json.dumps(asdict(film)) for film in self.films]
        rows = ",\n".join(lines)
        return f'{{"head": {json.dumps(head, indent=1)},\n"films": [\n{rows}\n]}}\n'

    @staticmethod
    def read(text: str) -> Summary:
        """What `text` wrote."""
        found = json.loads(text)
        return Summary(**found["head"], films=[Film(**film) for film in found["films"]])


def moved(before: Summary, after: Summary) -> list[str]:
    """What is said otherwise of the same film, a line each."""
    old = {film.id: film for film in before.films}
    lines = []
    for film in after.films:
        was = old.get(film.id)
        if was is not None and was.said["all"] != film.said["all"]:
            lines.append(f"{film.id} ({film.group}): {was.said['all']}, now {film.said['all']}")
    return lines
