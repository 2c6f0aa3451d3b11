"""What the anti-spoof nets say alone, without any other cue, and what those that were added change.

    python -m benchmarks.spoof_nets DATA --models DIR [--cache FILE]

DATA is laid out as for `lookgate evaluate liveness`, with its manifest.csv; DIR holds spoof2 and
spoof3 beside the pack (`lookgate models add`). A film is its first five seconds, coded, a vote each
.13 s; a replay is shown from 3, 5 and 7 s on as well. Gains of an added net are fitted on the films
of all other sources (logistic, classes weighed alike, a replay's three beginnings as one film), and
each film is judged by the vote that was fitted without its source. It prints the films on the wrong
side of 0 and of the policy's floor, CPU of a frame, and gains fitted on all films. It asserts
nothing. The policy's offsets, the crops and the mean were chosen on the same films, which
docs/liveness.md says.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pipeline.cues.spoof import ADDED, MARGIN_CLIP
from pipeline.nets.detect import detect
from pipeline.nets.ort import Nets
from pipeline.nets.spoof import spoof
from pipeline.nets.votes import votes
from pipeline.policy import Policy
from server.frames.convert import to_bgr
from server.tools.clips import MediaError
from server.tools.evaluation import vp8
from server.tools.evaluation.folder import CUT, LIVE, Item, begun, presentations
from server.tools.evaluation.liveness.origins import Origins, origin, origins

BEGIN_S = (3.0, 5.0, 7.0)
FILM_S = 5.0
EACH_S = 0.12
SPECIES = ("print", "replay")
"""Of attacks: those that any of the nets was trained on."""
OWN = "spoof"
SETS = ((), ("spoof2",), ("spoof3",), ("spoof2", "spoof3"))
LEAST = 5
"""Votes of a film."""
RIDGE = 0.02

Film = dict[str, Any]


def main() -> None:
    """Play what is not cached, then print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    args = parser.parse_args()
    listing = begun(presentations(args.data), BEGIN_S)
    known = origins(args.data)
    wanted = [i for i in listing.items if not i.still and i.label.startswith((LIVE, *SPECIES))]
    kept: dict[str, Film] = {}
    if args.cache and args.cache.is_file():
        kept = pickle.loads(args.cache.read_bytes())
    nets = Nets(args.models, ("detect", OWN, *ADDED))
    for item in wanted:
        if item.name not in kept:
            kept[item.name] = _played(item, nets)
            if args.cache:
                args.cache.write_bytes(pickle.dumps(kept))
    films = [_film(item, kept[item.name], known) for item in wanted]
    films = [film for film in films if film["votes"] >= LEAST]
    _tell(films)


def _played(item: Item, nets: Nets) -> Film:
    """Margins of each net by frame, and CPU seconds of each set of nets."""
    frames, spent, last_s = [], defaultdict(float), -1.0
    try:
        for at_s, picture in vp8.film(item.path, item.begin_s):
            if at_s > FILM_S:
                break
            if at_s - last_s < EACH_S:
                continue
            last_s, image = at_s, to_bgr(picture)
            faces = detect(image, nets)
            if not faces:
                continue
            start_s = time.thread_time()
            margins = spoof(image, faces[0].box_px, nets)
            spent[OWN] += time.thread_time() - start_s
            for name in ADDED:
                start_s = time.thread_time()
                margins += votes(image, faces[0].box_px, nets, (name,))
                spent[name] += time.thread_time() - start_s
            frames.append([(one.net, one.value) for one in margins])
    except MediaError:
        pass
    return {"frames": frames, "spent_s": dict(spent)}


def _film(item: Item, played: Film, known: Origins) -> Film:
    """Its medians, of the pack's net of the least margin of each frame, as the cue takes it."""
    found: dict[str, list[float]] = defaultdict(list)
    for frame in played["frames"]:
        by: dict[str, list[float]] = defaultdict(list)
        for net, value in frame:
            by[net].append(max(-MARGIN_CLIP, min(MARGIN_CLIP, value)))
        for net, values in by.items():
            found[net].append(min(values))
    return {
        "name": item.name,
        "live": item.label == LIVE,
        "label": item.label if item.label in (LIVE, CUT) else item.label.split("_")[0],
        "source": origin(known, item).source,
        "votes": min((len(values) for values in found.values()), default=0),
        "margins": {net: median(values) for net, values in found.items()},
        "spent_s": played["spent_s"],
        "frames": len(played["frames"]),
    }


def fit(films: Sequence[Film], net: str, offset: float) -> float:
    """Gain of a logistic ratio of the net's median margin, beside a given offset."""
    x = np.array([film["margins"][net] for film in films])
    y = np.array([film["live"] for film in films])
    w = np.array([1 / len(BEGIN_S) if film["label"] == CUT else 1.0 for film in films])
    w[y] /= w[y].sum()
    w[~y] /= w[~y].sum()
    gain = 0.0
    for _ in range(50):  # Newton's method
        p = 1 / (1 + np.exp(-gain * x - offset))
        slope = float((w * (p - y) * x).sum()) + RIDGE * gain
        gain -= slope / (float((w * p * (1 - p) * x * x).sum()) + RIDGE)
    return gain


def vote(film: Film, gains: dict[str, tuple[float, float]], policy: Policy) -> float:
    """The mean of the clipped ratios, as the cue has it."""
    ratios = [gain * film["margins"][net] + offset for net, (gain, offset) in gains.items()]
    return float(np.mean(np.clip(ratios, -policy.spoof_clip, policy.spoof_clip)))


def _tell(films: Sequence[Film]) -> None:
    policy = Policy()
    own = (policy.spoof_gain, policy.spoof_offset)
    count = Counter(film["label"] for film in films)
    sources = sorted({film["source"] for film in films})
    for limit, more in product((0.0, policy.spoof_floor), SETS):
        if not more:
            told = f"{len(films)} films of {len(sources)} sources"
            print(f"{told}, on the wrong side of {limit:g}:")
        wrong: Counter[str] = Counter()
        names = []
        for source in sources:
            others = [film for film in films if film["source"] != source]
            gains = {OWN: own}
            for net in more:
                offset = ADDED[net](policy)[1]
                gains[net] = fit(others, net, offset), offset
            for film in films:
                if film["source"] == source and (vote(film, gains, policy) < limit) == film["live"]:
                    wrong[film["label"]] += 1
                    names.append(film["name"])
        told = ", ".join(f"{label} {wrong[label]}/{n}" for label, n in sorted(count.items()))
        print(f"  {' + '.join((OWN, *more)):26} {told}")
        print("      ", ", ".join(names))
    frames = sum(film["frames"] for film in films)
    spent = {net: 1e3 * sum(f["spent_s"][net] for f in films) / frames for net in (OWN, *ADDED)}
    print("CPU of a frame, ms:", ", ".join(f"{net} {ms:.2f}" for net, ms in spent.items()))
    for net in ADDED:
        print(f"{net}: gain {fit(films, net, ADDED[net](policy)[1]):.2f} on all films")


if __name__ == "__main__":
    main()
