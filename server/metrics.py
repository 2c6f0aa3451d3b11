"""Counters, gauges and histograms of one process, and their text form.

Here: the four kinds that the server needs and the table of its metrics. Not here: who may read them
(routes). Source: Prometheus text exposition format 0.0.4. Hand-written: it is 60 lines, and a
registry of our own cannot leak between two servers in one test process.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

STAGES = ("connect", "first_frame", "turn", "see", "step", "verdict", "settle")
"""offer -> channel open; channel open -> first frame; waiting until a thread is free for one frame;
its measuring; its judging; first frame -> decision; decision -> verdict sent."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Family:
    """What one metric says now."""

    name: str
    kind: str
    text: str
    """For people."""
    samples: tuple[tuple[str, float], ...]
    """Name with labels, as exposed, and value."""


class Counter:
    """Counts up, per tuple of label values."""

    kind = "counter"

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name, self.text, self.labels = name, text, tuple(labels)
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}

    def add(self, *values: str, by: float = 1.0) -> None:
        """Count `by` more for these label values, in the order of `labels`."""
        if len(values) != len(self.labels):
            raise AssertionError(f"{self.name} has {len(self.labels)} labels")
        self._values[values] = self._values.get(values, 0.0) + by

    def value(self, *values: str) -> float:
        """What has been counted for these label values."""
        return self._values.get(values, 0.0)

    def samples(self) -> list[tuple[str, float]]:
        """Name with labels, and value."""
        return [
            (f"{self.name}{_labels(zip(self.labels, values, strict=True))}", value)
            for values, value in sorted(self._values.items())
        ]


class Gauge:
    """Reads a number when asked."""

    kind = "gauge"

    def __init__(self, name: str, text: str, read: Callable[[], float] = lambda: 0.0) -> None:
        self.name, self.text, self.read = name, text, read

    def samples(self) -> list[tuple[str, float]]:
        """Name and value."""
        return [(self.name, self.read())]


class Histogram:
    """Seconds in buckets, per value of one label."""

    kind = "histogram"

    def __init__(self, name: str, text: str, label: str, bounds: Sequence[float] = SECONDS) -> None:
        self.name, self.text, self._label, self._bounds = name, text, label, tuple(bounds)
        self._rows: dict[str, tuple[list[int], list[float]]] = {}

    def observe(self, value: str, seconds: float) -> None:
        """Count one duration under a label value."""
        counts, total = self._rows.setdefault(value, ([0] * (len(self._bounds) + 1), [0.0]))
        counts[bisect.bisect_left(self._bounds, seconds)] += 1
        total[0] += seconds

    def samples(self) -> list[tuple[str, float]]:
        """Name with labels, and value; buckets are cumulative."""
        out: list[tuple[str, float]] = []
        for value, (counts, total) in sorted(self._rows.items()):
            running = 0
            for bound, count in zip((*map(_number, self._bounds), "+Inf"), counts, strict=True):
                running += count
                pair = [(self._label, value), ("le", bound)]
                out.append((f"{self.name}_bucket{_labels(pair)}", running))
            label = _labels([(self._label, value)])
            out.append((f"{self.name}_sum{label}", total[0]))
            out.append((f"{self.name}_count{label}", running))
        return out


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 6))


def _labels(pairs: object) -> str:
    parts = []
    for name, value in pairs:  # type: ignore[attr-defined]
        escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        parts.append(f'{name}="{escaped}"')
    return "{" + ",".join(parts) + "}" if parts else ""


class Metrics:
    """Everything that one server counts. Label values come from fixed vocabularies only."""

    def __init__(self) -> None:
        self.sessions = Counter(
            "lookgate_sessions_total",
            "Finished sessions by purpose, outcome and first reason.",
            ("purpose", "outcome", "reason"),
        )
        self.created = Counter(
            "lookgate_sessions_created_total", "Sessions asked for by clients.", ("purpose",)
        )
        self.active = Gauge("lookgate_sessions_active", "Sessions with a connection now.")
        self.carried = Gauge(
            "lookgate_sessions_carried", "Sessions that the CPUs carry at this moment, as measured."
        )
        self.line = Gauge("lookgate_line_waiting", "Sessions that wait in line for a place now.")
        self.refusals = Counter(
            "lookgate_offers_refused_total",
            "Offers that found no place: told to wait (busy), or sent away.",
            ("code",),
        )
        self.waits = Histogram(
            "lookgate_line_wait_seconds", "How long sessions waited in line.", "outcome"
        )
        self.frames = Counter("lookgate_frames_total", "Frames measured.")
        self.dropped = Counter(
            "lookgate_frames_dropped_total", "Frames that a newer one replaced before measuring."
        )
        self.undecoded = Counter(
            "lookgate_frames_undecoded_total",
            "Frames that brought no picture: skipped before decoding, or failed.",
            ("reason",),
        )
        self.overflow = Counter(
            "lookgate_datagrams_dropped_total", "Datagrams of peers who sent too much."
        )
        self.refused = Counter(
            "lookgate_messages_refused_total", "Data channel messages refused.", ("code",)
        )
        self.unused = Counter(
            "lookgate_templates_unused_total",
            "Times a template was left out of a comparison: embedder, unreadable, turned_back.",
            ("reason",),
        )
        self.keys_unused = Gauge(
            "lookgate_signing_keys_unused", "Published signing keys that do not open now."
        )
        self.oidc = Counter(
            "lookgate_oidc_requests_total",
            "Requests of OpenID Connect by endpoint and what became of them: ok, or the code.",
            ("endpoint", "outcome"),
        )
        self.elsewhere = Counter(
            "lookgate_nets_elsewhere_total",
            "Calls of nets at INFERENCE: answered, failed, done here, refused.",
            ("outcome",),
        )
        self.stages = Histogram(
            "lookgate_stage_seconds", "How long the stages of a session take.", "stage"
        )
        self.waiting = Gauge("lookgate_inference_waiting", "Frames that wait for a worker now.")

    def families(self) -> tuple[Family, ...]:
        """All that was counted."""
        return tuple(
            Family(metric.name, metric.kind, metric.text, tuple(metric.samples()))
            for metric in vars(self).values()
        )

    def text(self) -> str:
        """All of it in the exposition format."""
        return exposition(self.families())


def exposition(families: Iterable[Family]) -> str:
    """Families in the exposition format."""
    out = []
    for family in families:
        out.append(f"# HELP {family.name} {family.text}")
        out.append(f"# TYPE {family.name} {family.kind}")
        out.extend(f"{name} {_number(value)}" for name, value in family.samples)
    return "\n".join(out) + "\n"
