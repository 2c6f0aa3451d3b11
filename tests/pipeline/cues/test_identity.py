"""Whose face it is: how often that is looked for, and what for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.cues.identity import MOST, Identity
from pipeline.observation import Ask, Observation
from pipeline.policy import POLICIES
from pipeline.template import Floats, Gallery, Match
from tests.pipeline.observations import ROI, Camera, gallery

POLICY = POLICIES["standard"]
ALL = Ask(detect=True, roi=ROI, embed_above=0.0)


@dataclass(frozen=True, eq=False)
class Counted(Gallery):
    """Keeps every probe that was looked for."""

    probes: list[Floats] = field(default_factory=list)

    def best(self, probe: Floats) -> Match | None:
        self.probes.append(probe)
        return super().best(probe)


def searching() -> tuple[Identity, Counted, list[Observation]]:
    people = gallery(1, 2)
    counted = Counted(people.subjects, people.matrix)
    shots = list(Camera(person=2).shots(ALL, MOST + 3))
    return Identity(counted, search=True), counted, shots


def test_it_is_looked_for_once_for_each_embedding() -> None:
    cue, counted, shots = searching()
    for obs in shots[:3]:
        cue.add(obs, POLICY)
    for _ in range(3):
        assert cue.row(POLICY, shots[2].arrival_s).reason == "match"
    assert cue.subject() == "person-2"
    assert len(counted.probes) == 1
    cue.add(shots[3], POLICY)
    cue.row(POLICY, shots[3].arrival_s)
    assert len(counted.probes) == 2


def test_the_probe_is_what_will_be_looked_for() -> None:
    cue, counted, shots = searching()
    for n, obs in enumerate(shots):
        probe = cue.probe(obs, POLICY)
        assert (probe is None) == (n + 1 < POLICY.embeddings)
        cue.add(obs, POLICY)
        if probe is not None:
            cue.row(POLICY, obs.arrival_s)
            assert np.array_equal(counted.probes[-1], probe)
    assert len(counted.probes) == len(shots) - POLICY.embeddings + 1


def test_what_shows_no_face_is_no_probe() -> None:
    cue, _, shots = searching()
    for obs in shots[:5]:
        cue.add(obs, POLICY)
    assert cue.probe(replace(shots[5], face=None), POLICY) is None
    assert cue.probe(shots[5], POLICY) is not None
