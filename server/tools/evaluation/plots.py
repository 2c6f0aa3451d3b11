"""Score histograms and DET curves as SVG. The one door to matplotlib.

DET: both errors on normal-deviate axes (Martin et al., Eurospeech 1997). No files, no numbers of
its own.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.manifest import default_dir

# Read when the package is loaded. Without it a folder for settings and a list of this machine's
# fonts appear in the home folder, outside our own cache (tests/test_silence.py).
os.environ.setdefault("MPLCONFIGDIR", str(default_dir().parent / "matplotlib"))

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import norm

from server.tools.evaluation.report import Plot

Numbers = NDArray[np.float64]
Errors = tuple[Numbers, Numbers]
"""Two rates at rising thresholds: drawn to the right, drawn upwards."""

TICKS = (1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95)
LEAST = 1e-6
"""Nothing lower is drawn: a rate of 0 has no place on these axes."""
LOOK: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "lookgate",
    "font.family": "sans-serif",
    "font.size": 10,
}
"""Text stays text; the same numbers give the same bytes."""


def det(title: str, curves: Mapping[str, Errors], across: str, up: str) -> Plot:
    """One line per curve; a dot where both errors are equal on the dotted diagonal."""
    with rc_context(LOOK):
        figure, axes = _figure(5.6, 5.2)
        for name, (right, above) in curves.items():
            keep = (right > 0) | (above > 0)
            x, y = (norm.ppf(np.clip(v[keep], LEAST, 1 - LEAST)) for v in (right, above))
            axes.plot(x, y, label=name, drawstyle="steps-post", linewidth=1.4)
        ticks = norm.ppf(TICKS)
        labels = [f"{100 * t:g} %" for t in TICKS]
        axes.set_xticks(ticks, labels, rotation=45)
        axes.set_yticks(ticks, labels)
        ends = (norm.ppf(LEAST), norm.ppf(0.97))
        axes.set_xlim(*ends)
        axes.set_ylim(*ends)
        axes.plot(ends, ends, ":", color="#888", linewidth=0.8)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.grid(color="#ddd", linewidth=0.5)
        axes.legend(loc="upper right", fontsize=8)
        return Plot(title, _svg(figure))


def histogram(
    title: str,
    curves: Mapping[str, tuple[Numbers, Numbers]],
    across: str,
    marks: Mapping[str, float],
) -> Plot:
    """`curves`: values and how often each came; every one is drawn as shares of its own."""
    with rc_context(LOOK):
        figure, axes = _figure(7.0, 3.6)
        values = np.concatenate([v for v, _ in curves.values()] or [np.zeros(1)])
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        edges = np.linspace(low, max(high, low + 1e-3), 61).tolist()
        for name, (places, counts) in curves.items():
            if counts.sum():
                axes.hist(
                    places,
                    edges,
                    weights=counts / counts.sum(),
                    histtype="stepfilled",
                    alpha=0.45,
                    label=f"{name} (n = {int(counts.sum())})",
                )
        for name, place in marks.items():
            axes.axvline(place, linestyle="--", linewidth=1, color="#333", label=name)
        axes.set_xlabel(across)
        axes.set_ylabel("share")
        axes.legend(fontsize=8)
        return Plot(title, _svg(figure))


def bars(title: str, names: Sequence[str], values: Sequence[float], across: str) -> Plot:
    """One bar a name, 0..1."""
    with rc_context(LOOK):
        figure, axes = _figure(6.0, 0.6 + 0.3 * len(names))
        axes.barh(range(len(names)), np.nan_to_num(values), color="#4878a8")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlim(0, 1)
        axes.axvline(0.5, color="#888", linewidth=0.8)
        axes.set_xlabel(across)
        axes.invert_yaxis()
        return Plot(title, _svg(figure))


def _figure(wide: float, high: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(wide, high), layout="constrained")
    return figure, figure.add_subplot()


def _svg(figure: Figure) -> str:
    """The element alone: no prologue, which would name a document type elsewhere, no metadata."""
    out = io.StringIO()
    empty = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(out, format="svg", metadata=empty)
    said = out.getvalue()
    return said[said.index("<svg") :].strip()
