"""`lookgate evaluate match`: how often faces are confused, and how often their owners refused.

Here: what is said of it, as JSON, tables and plots. What is compared is in samples.py, how errors
are counted in measured.py. Terms: ISO/IEC 19795-1:2021.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.policy import Policy
from server.tools.evaluation import plots
from server.tools.evaluation.acquire import Acquired
from server.tools.evaluation.comparisons import Searches, Trials, thresholds
from server.tools.evaluation.folder import EvaluationError, Item, Listing, fingerprint
from server.tools.evaluation.measured import Measured, measure, rates
from server.tools.evaluation.report import (
    FORMAT,
    SHOWN,
    VERSION,
    Plot,
    Report,
    Table,
    listed,
    made_by,
)
from server.tools.evaluation.samples import Material, Pools, gather, pools, singles
from server.tools.evaluation.statistics import Rate, clustered, exact, needed

FPIR = (0.1, 0.01, 0.001)
"""Shares of searches of unknown people that find somebody."""
WORST = 1000
"""False matches and false non-matches that report.json has, at most, of each: bad data or a bad
threshold confuse every pair."""


def evaluate(
    listing: Listing,
    files: Sequence[tuple[Item, Acquired, str]],
    *,
    policy: Policy,
    embedder: str,
    enroll: int,
    probe: int,
    groups: Mapping[str, Mapping[str, str]],
) -> Report:
    """Everything about faces that were looked at; `files` are (item, what it gave, sha256).

    Raises EvaluationError (no_faces) if fewer than two identities have a usable picture."""
    material = gather([(item, one) for item, one, _ in files], policy)
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
    acquired = exact(len(material.refused), len(files))
    tried = len(material.people) - len(pool.short)
    enrolled = exact(len(pool.failed), tried)
    by_group = _groups(both, groups, policy)
    wrong = _wrong(template, material, policy)
    found, identified = _searched(searches, len(material.people), policy)
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": made_by(),
        "kind": "match",
        "n": len(files),
        "apcer": {},
        "apcer_max": None,
        "bpcer": None,
        "acer": None,
        "eer": main.eer.to_json(),
        "tar_at_far": _tar(main),
        "basis": "templates" if usable else "single",
        "data": fingerprint((item.name, sha256) for item, _, sha256 in files),
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
        "wrong": wrong,
        "single": _json(single, policy),
        "templates": _json(template, policy),
        "identification": found,
        "groups": by_group[0],
    }
    tables = (
        _refused(material, listing),
        _what_goes_wrong(template.name, wrong, policy),
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


def _wrong(one: Measured, material: Material, policy: Policy) -> list[dict[str, Any]]:
    """What is confused at the policy's threshold: of both kinds the worst, the worst first."""
    errors, people = one.errors[policy.match_score], material.people
    enrolled, probed = one.trials.enrolled(), one.trials.probed()
    matched = errors.false_matches.tocoo()
    worst = np.lexsort((matched.col, matched.row, -matched.data))[:WORST]
    found = [
        _said("false match", people[i], people[j], count, enrolled[i] * probed[j])
        for i, j, count in zip(
            matched.row[worst], matched.col[worst], matched.data[worst], strict=True
        )
    ]
    missed = errors.false_non_matches
    for k in np.argsort(-missed, kind="stable")[:WORST]:
        if missed[k]:
            said = _said(
                "false non-match", people[k], people[k], missed[k], errors.genuine_trials[k]
            )
            found.append(said)
    return found


def _said(error: str, template: str, probe: str, count: int, of: int) -> dict[str, Any]:
    return {
        "error": error,
        "template": template,
        "probe": probe,
        "count": int(count),
        "of": int(of),
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


def _what_goes_wrong(name: str, wrong: Sequence[Mapping[str, Any]], policy: Policy) -> Table:
    rows = [
        (one["error"], one["template"], one["probe"], f"{one['count']} of {one['of']}")
        for one in wrong
    ]
    matched = [row for row in rows if row[0] == "false match"]
    missed = [row for row in rows if row[0] != "false match"]
    few = max(SHOWN // 2, SHOWN - len(matched))
    shown = [*matched[: SHOWN - min(few, len(missed))], *missed[:few]]
    title = f"What goes wrong at the policy's threshold, {policy.match_score:g} ({name})"
    note = f"The most trials first; of each kind the worst {WORST} at most. All are in the rates."
    return Table(title, ("error", "template", "probe", "trials"), tuple(shown), note, len(rows))


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
            found: list[tuple[str, Rate, Rate]] = []
            for group in sorted(set(members.values())):
                part = _only(one.trials, members, group)
                fmr, fnmr = rates(part, part.errors(at=[limit])[0])
                found.append((group, fmr, fnmr))
                said["groups"][group] = {"fmr": fmr.to_json(), "fnmr": fnmr.to_json()}
                rows.append((one.name, group, f"{fmr}", f"{fnmr}"))
            for name, k in (("fmr", 1), ("fnmr", 2)):
                said[f"{name}_worst_to_mean"] = _worst([r[k] for r in found])  # type: ignore[misc]
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
