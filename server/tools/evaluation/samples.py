"""What is compared: the files of each identity that a session could use, as templates and probes.

Pooled as enrolment and login pool them, from files that are never on both sides. Not here:
comparisons (comparisons.py), how a file was looked at (acquire.py).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.policy import Policy
from pipeline.template import pooled
from server.tools.evaluation.acquire import Acquired, Floats, View
from server.tools.evaluation.comparisons import Trials
from server.tools.evaluation.folder import Item
from server.tools.evaluation.statistics import Indices

MOST_VIEWS = 12
"""Of one clip: as many as a session pools (pipeline.cues.identity)."""
SEED = 19795


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One file that can be used."""

    name: str
    person: int
    views: tuple[View, ...]
    """The best first, at least one."""


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """All that is compared."""

    people: tuple[str, ...]
    samples: tuple[Sample, ...]
    refused: tuple[tuple[str, str], ...]
    """(file, why it gave nothing), in order of name."""
    offered: Indices
    """int64 (people,): pictures each has, usable or not."""


@dataclass(frozen=True, slots=True, eq=False)
class Pools:
    """Templates and probes."""

    trials: Trials
    failed: tuple[int, ...]
    """People with enough pictures, too few of which could be used."""
    short: tuple[int, ...]
    """People with too few pictures to try."""
    unprobed: tuple[int, ...]
    """People with a template and nothing left to probe with."""


def gather(files: Iterable[tuple[Item, Acquired]], policy: Policy) -> Material:
    """Sort what files showed into what a session would use and what not."""
    found = sorted(files, key=lambda pair: pair[0].name)
    people = tuple(sorted({item.label for item, _ in found}))
    number = {person: k for k, person in enumerate(people)}
    offered = np.zeros(len(people), np.int64)
    samples, refused = [], []
    for item, one in found:
        person = number[item.label]
        offered[person] += max(1, min(one.pictures, MOST_VIEWS))
        alone = [view for view in one.views if view.rival < policy.max_rival]
        good = [view for view in alone if view.quality >= policy.min_quality]
        if good:
            good.sort(key=lambda view: -view.quality)
            samples.append(Sample(item.name, person, tuple(good[:MOST_VIEWS])))
        elif one.failure:
            refused.append((item.name, one.failure))
        elif not alone:
            refused.append((item.name, "several_faces"))
        else:
            best = max(alone, key=lambda view: view.quality)
            refused.append((item.name, f"quality_{best.fault}"))
    return Material(people, tuple(samples), tuple(refused), offered)


def singles(material: Material) -> Trials:
    """The best picture of every file against that of every other one."""
    samples = material.samples
    rows = _stack([sample.views[0].embedding for sample in samples], _dimensions(material))
    owners = np.asarray([sample.person for sample in samples], np.int64)
    files = tuple(frozenset([sample.name]) for sample in samples)
    size = len(material.people)
    return Trials(rows, owners, rows, owners, size, True, files, files)


def pools(material: Material, enroll: int, probe: int) -> Pools:
    """One template of `enroll` pictures an identity, and as many probes of `probe` pictures as the
    other files give. Which files enrol is drawn once, the same on every run."""
    by: dict[int, list[Sample]] = defaultdict(list)
    for sample in material.samples:
        by[sample.person].append(sample)
    sides: tuple[list[Floats], list[Floats]] = ([], [])
    owners: tuple[list[int], list[int]] = ([], [])
    files: tuple[list[frozenset[str]], list[frozenset[str]]] = ([], [])
    failed, short, unprobed = [], [], []
    for person in range(len(material.people)):
        if material.offered[person] < enroll:
            short.append(person)
            continue
        rest = by[person]
        random.Random(SEED + person).shuffle(rest)
        side, size = 0, enroll
        views: list[View] = []
        names: list[str] = []
        for sample in rest:
            views += sample.views
            names.append(sample.name)
            if len(views) < size:
                continue
            views.sort(key=lambda view: -view.quality)
            sides[side].append(pooled([view.embedding for view in views[:size]]))
            owners[side].append(person)
            files[side].append(frozenset(names))
            side, size, views, names = 1, probe, [], []
        if side == 0:
            failed.append(person)
        elif person not in owners[1]:
            unprobed.append(person)
    trials = Trials(
        _stack(sides[0], _dimensions(material)),
        np.asarray(owners[0], np.int64),
        _stack(sides[1], _dimensions(material)),
        np.asarray(owners[1], np.int64),
        len(material.people),
        False,
        tuple(files[0]),
        tuple(files[1]),
    )
    return Pools(trials, tuple(failed), tuple(short), tuple(unprobed))


def _dimensions(material: Material) -> int:
    return len(material.samples[0].views[0].embedding) if material.samples else 1


def _stack(rows: Sequence[Floats], dimensions: int) -> Floats:
    if not rows:
        return np.zeros((0, dimensions), np.float32)
    return np.stack(rows).astype(np.float32)
