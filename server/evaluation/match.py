"""`lookgate evaluate match`: how often faces are confused, and how often their owners refused.

One folder per identity. Every file gives one single embedding; templates are pooled as enrolment
and login pool them, from files that are never on both sides. Terms: ISO/IEC 19795-1:2021.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.policy import Policy
from pipeline.template import pooled
from server.evaluation import plots
from server.evaluation.folder import EvaluationError, Item, Listing, fingerprint
from server.evaluation.looks import Floats, Look, View
from server.evaluation.report import FORMAT, VERSION, Plot, Report, Table, listed, made_by
from server.evaluation.statistics import (
    Indices,
    Rate,
    averaged,
    clustered,
    crossed,
    exact,
    needed,
    people_pairs,
)
from server.evaluation.trials import Curve, Errors, Searches, Trials, thresholds

TARGETS = (1e-2, 1e-3, 1e-4, 1e-5)
FPIR = (0.1, 0.01, 0.001)
"""Shares of searches of unknown people that find somebody."""
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


def gather(looks: Iterable[tuple[Item, Look]], policy: Policy) -> Material:
    """Sort what files showed into what a session would use and what not."""
    found = sorted(looks, key=lambda pair: pair[0].name)
    people = tuple(sorted({item.label for item, _ in found}))
    number = {person: k for k, person in enumerate(people)}
    offered = np.zeros(len(people), np.int64)
    samples, refused = [], []
    for item, look in found:
        person = number[item.label]
        offered[person] += max(1, min(look.pictures, MOST_VIEWS))
        alone = [view for view in look.views if view.rival < policy.max_rival]
        good = [view for view in alone if view.quality >= policy.min_quality]
        if good:
            good.sort(key=lambda view: -view.quality)
            samples.append(Sample(item.name, person, tuple(good[:MOST_VIEWS])))
        elif look.failure:
            refused.append((item.name, look.failure))
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


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One way to compare."""

    name: str
    trials: Trials
    curve: Curve
    at: dict[float, tuple[Rate, Rate]]
    """Threshold -> FMR and FNMR there."""
    errors: dict[float, Errors]
    equal: float
    wanted: dict[float, float]
    """FMR -> threshold."""

    @property
    def eer(self) -> Rate:
        """At the threshold where both errors are nearest."""
        return averaged(*self.at[self.equal])

    @property
    def pairs(self) -> int:
        """Pairs of different people: how many independent impostor trials there are at most."""
        return people_pairs(self.trials.enrolled(), self.trials.probed())

    def supported(self, target: float) -> bool:
        """Whether that many pairs can tell a rate so low (rule of three)."""
        return self.pairs >= needed(target)


def measure(name: str, trials: Trials, also: Sequence[float]) -> Measured:
    """All errors; `also` at these thresholds."""
    curve = trials.curve()
    wanted = {target: curve.at_fmr(target) for target in TARGETS}
    equal = curve.equal()
    at = sorted({equal, *wanted.values(), *also})
    found = dict(zip(at, trials.errors(at=at), strict=True))
    rates = {threshold: _rates(trials, errors) for threshold, errors in found.items()}
    return Measured(name, trials, curve, rates, found, equal, wanted)


def _rates(trials: Trials, errors: Errors) -> tuple[Rate, Rate]:
    fmr = crossed(
        errors.false_matches, trials.enrolled(), trials.probed(), symmetric=trials.symmetric
    )
    return fmr, clustered(errors.false_non_matches, errors.genuine_trials)


def evaluate(
    listing: Listing,
    looks: Sequence[tuple[Item, Look, str]],
    *,
    policy: Policy,
    embedder: str,
    enroll: int,
    probe: int,
    groups: Mapping[str, Mapping[str, str]],
) -> Report:
    """Everything about faces that were looked at; `looks` are (item, look, sha256).

    Raises EvaluationError (no_faces) if fewer than two identities have a usable picture."""
    material = gather([(item, look) for item, look, _ in looks], policy)
    if len({sample.person for sample in material.samples}) < 2:
        raise EvaluationError(
            "no_faces", "fewer than two identities have a picture with a usable face"
        )
    single = measure("single images", singles(material), (policy.match_score,))
    pool = pools(material, enroll, probe)
    name = f"templates, {enroll} against {probe}"
    template = measure(name, pool.trials, (policy.match_score,))
    searches = Searches.of(pool.trials)
    both = (single, template)
    usable = template.curve.genuine.n and template.curve.impostor.n
    main = template if usable else single
    acquired = exact(len(material.refused), len(looks))
    tried = len(material.people) - len(pool.short)
    enrolled = exact(len(pool.failed), tried)
    by_group = _groups(both, groups, policy)
    found, identified = _searched(searches, len(material.people), policy)
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": made_by(),
        "kind": "match",
        "n": len(looks),
        "apcer": {},
        "apcer_max": None,
        "bpcer": None,
        "acer": None,
        "eer": main.eer.to_json(),
        "tar_at_far": _tar(main),
        "basis": "templates" if usable else "single",
        "data": fingerprint((item.name, sha256) for item, _, sha256 in looks),
        "embedder": embedder,
        "policy": policy.fingerprint(),
        "match_score": policy.match_score,
        "enroll": enroll,
        "probe": probe,
        "identities": len(material.people),
        "failure_to_acquire": acquired.to_json(),
        "failure_to_enroll": enrolled.to_json(),
        "too_few_pictures": [material.people[k] for k in pool.short],
        "not_enrolled": [material.people[k] for k in pool.failed],
        "not_probed": [material.people[k] for k in pool.unprobed],
        "refused": [{"file": file, "reason": reason} for file, reason in material.refused],
        "ignored": list(listing.ignored),
        "single": _json(single, policy),
        "templates": _json(template, policy),
        "identification": found,
        "groups": by_group[0],
    }
    tables = (
        _refused(material, listing),
        _wrong(template, material, policy),
        _counts(material, pool, acquired, enrolled, enroll),
        *(_table(one, policy) for one in both),
        identified,
        *by_group[1],
    )
    return Report("Lookgate: matching evaluated", data, tables, lambda: _plots(both, policy))


# JSON


def _tar(one: Measured) -> dict[str, Any]:
    """TAR = 1 - FNMR at the threshold of each FAR, of pictures that could be used."""
    return {
        f"{target:.0e}": {
            **one.at[threshold][1].complement().to_json(),
            "threshold": threshold,
            "supported": one.supported(target),
        }
        for target, threshold in one.wanted.items()
    }


def _json(one: Measured, policy: Policy) -> dict[str, Any]:
    curve = one.curve
    fmr, fnmr = one.at[policy.match_score]
    return {
        "genuine": _distribution(curve.genuine),
        "impostor": _distribution(curve.impostor),
        "identity_pairs": one.pairs,
        "eer": one.eer.to_json(),
        "eer_threshold": one.equal,
        "fnmr_at_fmr": {
            f"{target:.0e}": {
                **one.at[threshold][1].to_json(),
                "threshold": threshold,
                "fmr": one.at[threshold][0].to_json(),
                "supported": one.supported(target),
            }
            for target, threshold in one.wanted.items()
        },
        "tar_at_far": _tar(one),
        "at_policy": {
            "threshold": policy.match_score,
            "fmr": fmr.to_json(),
            "fnmr": fnmr.to_json(),
        },
    }


def _distribution(scores: Any) -> dict[str, Any]:
    return {
        "n": scores.n,
        "mean": scores.mean(),
        "p01": scores.quantile(0.01),
        "median": scores.quantile(0.5),
        "p99": scores.quantile(0.99),
        "bins": scores.to_json(),
    }


# Tables


def _refused(material: Material, listing: Listing) -> Table:
    rows = [*material.refused, *((name, "not_looked_at") for name in listing.ignored)]
    note = "Counted below, never dropped; `not_looked_at`: no picture or film by its ending."
    return listed("Files that gave nothing", ("file", "why"), rows, note)


def _wrong(one: Measured, material: Material, policy: Policy) -> Table:
    errors = one.errors[policy.match_score]
    rows: list[tuple[str, ...]] = []
    found = errors.false_matches.tocoo()
    for i, j, count in zip(found.row, found.col, found.data, strict=True):
        rows.append(("false match", material.people[i], material.people[j], f"{count}"))
    for k in np.flatnonzero(errors.false_non_matches):
        missed, tried = errors.false_non_matches[k], errors.genuine_trials[k]
        person = material.people[k]
        rows.append(("false non-match", person, person, f"{missed} of {tried}"))
    title = f"What goes wrong at the policy's threshold, {policy.match_score:g} ({one.name})"
    return listed(title, ("error", "template", "probe", "trials"), rows, "")


def _counts(material: Material, pool: Pools, acquired: Rate, enrolled: Rate, enroll: int) -> Table:
    why = Counter(reason for _, reason in material.refused)
    reasons = ", ".join(f"{reason} {count}" for reason, count in why.most_common())
    rows = (
        ("identities", f"{len(material.people)}"),
        ("files", f"{len(material.samples) + len(material.refused)}"),
        ("failure to acquire", f"{acquired}" + (f": {reasons}" if reasons else "")),
        ("failure to enrol", f"{enrolled}"),
        (f"fewer than {enroll} pictures, not tried", f"{len(pool.short)}"),
        ("enrolled, no files left to probe with", f"{len(pool.unprobed)}"),
    )
    note = (
        "A file fails where no picture of it has one usable face by the policy's own limits; an"
        " identity fails to enrol where it has enough pictures and too few are usable. Intervals:"
        " Clopper-Pearson, 95 %."
    )
    return Table("Acquisition", ("", ""), rows, note)


def _table(one: Measured, policy: Policy) -> Table:
    genuine, impostor = one.curve.genuine, one.curve.impostor
    rows = [
        (
            "genuine scores",
            f"mean {genuine.mean():.3f}, 1 % below {genuine.quantile(0.01):.3f}",
            f"n = {genuine.n}",
            "",
        ),
        (
            "impostor scores",
            f"mean {impostor.mean():.3f}, 1 % above {impostor.quantile(0.99):.3f}",
            f"n = {impostor.n}, {one.pairs} pairs of people",
            "",
        ),
        ("EER", f"{one.eer}", "", f"{one.equal:.4f}"),
    ]
    for target, threshold in one.wanted.items():
        fnmr = one.at[threshold][1]
        weak = "" if one.supported(target) else f"needs {needed(target)} pairs: not supported"
        tar = "-" if fnmr.rate is None else f"TAR {100 * (1 - fnmr.rate):.2f} %"
        name = f"FNMR at FMR {target:.0e}"
        rows.append((name, f"{fnmr}", "; ".join(p for p in (tar, weak) if p), f"{threshold:.4f}"))
    fmr, fnmr = one.at[policy.match_score]
    rows.append(("FMR at the policy's threshold", f"{fmr}", "", f"{policy.match_score:.4f}"))
    rows.append(("FNMR at the policy's threshold", f"{fnmr}", "", f"{policy.match_score:.4f}"))
    note = (
        "Intervals: 95 %, identities resampled 1000 times at a fixed threshold, as trials share"
        " people; where nothing (or everything) went wrong Clopper-Pearson, with as many trials as"
        " there are identities (FNMR) or pairs of identities (FMR). Failures to acquire are not in"
        " these rates. Thresholds were chosen on the same trials that they are reported on."
    )
    return Table(one.name.capitalize(), ("", "rate", "", "threshold"), tuple(rows), note)


def _searched(searches: Searches, people: int, policy: Policy) -> tuple[dict[str, Any], Table]:
    owners = searches.owners
    tried = np.bincount(owners, minlength=people)

    def rate(which: Any) -> Rate:
        return clustered(np.bincount(owners[which], minlength=people), tried)

    first = rate(searches.first())
    data: dict[str, Any] = {"rank_1": first.to_json(), "dir_at_fpir": {}}
    rows = [("rank 1, everybody enrolled", f"{first}", "")]
    for target in FPIR:
        threshold = searches.at_fpir(target)
        found = rate(searches.identified(threshold))
        enough = int((tried > 0).sum()) >= needed(target)
        data["dir_at_fpir"][f"{target:.0e}"] = {
            **found.to_json(),
            "threshold": threshold,
            "supported": enough,
        }
        weak = "" if enough else f"; needs {needed(target)} people: not supported"
        rows.append((f"DIR at FPIR {target:.0e}", f"{found}", f"{threshold:.4f}{weak}"))
    limits = (policy.identify_score, policy.identify_margin)
    hit, alarm = rate(searches.identified(*limits)), rate(searches.alarmed(*limits))
    data["at_policy"] = {"dir": hit.to_json(), "fpir": alarm.to_json()}
    said = f"{limits[0]:.4f}, margin {limits[1]:g}"
    rows += [("DIR by the policy", f"{hit}", said), ("FPIR by the policy", f"{alarm}", said)]
    note = (
        "Every probe searches all templates; for FPIR its own is taken out. DIR: the own template"
        " came first and reached the threshold. Intervals: identities resampled."
    )
    return data, Table("Identification, 1:N", ("", "rate", "threshold"), tuple(rows), note)


# Groups


def _groups(
    both: Sequence[Measured], groups: Mapping[str, Mapping[str, str]], policy: Policy
) -> tuple[dict[str, Any], list[Table]]:
    data: dict[str, Any] = {}
    tables = []
    for attribute, members in groups.items():
        rows: list[tuple[str, ...]] = []
        data[attribute] = {}
        for one in both:
            limit = policy.match_score if not one.trials.symmetric else one.wanted[1e-2]
            said: dict[str, Any] = {"threshold": limit, "groups": {}}
            rates: list[tuple[str, Rate, Rate]] = []
            for group in sorted(set(members.values())):
                part = _only(one.trials, members, group)
                fmr, fnmr = _rates(part, part.errors(at=[limit])[0])
                rates.append((group, fmr, fnmr))
                said["groups"][group] = {"fmr": fmr.to_json(), "fnmr": fnmr.to_json()}
                rows.append((one.name, group, f"{fmr}", f"{fnmr}"))
            for name, k in (("fmr", 1), ("fnmr", 2)):
                said[f"{name}_worst_to_mean"] = _worst([r[k] for r in rates])  # type: ignore[misc]
            worst = [said[f"{name}_worst_to_mean"] for name in ("fmr", "fnmr")]
            cells = ["-" if w is None else f"{w:.2f}" for w in worst]
            rows.append((one.name, "worst to mean", *cells))
            data[attribute]["templates" if not one.trials.symmetric else "single"] = said
        note = (
            "Both sides of a trial are of the group. Threshold: the policy's for templates, that of"
            " FMR 1e-02 over everybody for single images. Mean: of the groups' rates."
        )
        head = ("trials", attribute, "FMR", "FNMR")
        tables.append(Table(f"Groups by {attribute}", head, tuple(rows), note))
    return data, tables


def _only(trials: Trials, members: Mapping[str, str], group: str) -> Trials:
    def within(files: Sequence[frozenset[str]]) -> Any:
        return np.asarray(
            [all(_member(name, members) == group for name in part) for part in files], np.bool_
        )

    return trials.only(within(trials.reference_files), within(trials.probe_files))


def _member(name: str, members: Mapping[str, str]) -> str | None:
    return members.get(name, members.get(name.split("/")[0]))


def _worst(rates: Sequence[Rate]) -> float | None:
    known = [rate.rate for rate in rates if rate.rate is not None]
    mean = sum(known) / len(known) if known else 0.0
    return max(known) / mean if mean else None


# Plots


def _plots(both: Sequence[Measured], policy: Policy) -> tuple[Plot, ...]:
    drawn: list[Plot] = []
    places = thresholds()[:-1]
    for one in both:
        scores = {
            "genuine": (places, one.curve.genuine.counts.astype(np.float64)),
            "impostor": (places, one.curve.impostor.counts.astype(np.float64)),
        }
        kept = {name: (v[c > 0], c[c > 0]) for name, (v, c) in scores.items() if c.any()}
        marks = {"the policy's threshold": policy.match_score}
        drawn.append(plots.histogram(f"Scores: {one.name}", kept, "cosine", marks))
    curves = {
        one.name: (one.curve.fmr(), one.curve.fnmr())
        for one in both
        if one.curve.genuine.n and one.curve.impostor.n
    }
    return (*drawn, plots.det("Errors (DET)", curves, "FMR", "FNMR"))
