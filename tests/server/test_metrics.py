"""The exposition format, read back by a parser that knows only the format's rules."""

from __future__ import annotations

import re

import pytest

from server.metrics import STAGES, Counter, Metrics

SAMPLE = re.compile(r'^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (-?[0-9.e+-]+|\+Inf)$')


def _samples(text: str) -> dict[str, float]:
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.match(line)
            assert match, line
            found[match[1] + (match[2] or "")] = float(match[3])
    return found


def test_what_was_counted_is_told() -> None:
    metrics = Metrics()
    metrics.active.read = lambda: 3
    metrics.sessions.add("login", "rejected", "no_match")
    metrics.sessions.add("login", "rejected", "no_match")
    metrics.frames.add(by=7)
    for seconds in (0.0005, 0.05, 99.0):
        metrics.stages.observe("see", seconds)
    found = _samples(metrics.text())
    name = 'lookgate_sessions_total{purpose="login",outcome="rejected",reason="no_match"}'
    assert found[name] == 2
    assert found["lookgate_frames_total"] == 7
    assert found["lookgate_sessions_active"] == 3
    assert found['lookgate_stage_seconds_bucket{stage="see",le="0.001"}'] == 1
    assert found['lookgate_stage_seconds_bucket{stage="see",le="0.05"}'] == 2
    assert found['lookgate_stage_seconds_bucket{stage="see",le="60"}'] == 2
    assert found['lookgate_stage_seconds_bucket{stage="see",le="+Inf"}'] == 3
    assert found['lookgate_stage_seconds_count{stage="see"}'] == 3
    assert found['lookgate_stage_seconds_sum{stage="see"}'] == pytest.approx(99.0505)


def test_each_metric_is_declared_once() -> None:
    text = Metrics().text()
    declared = re.findall(r"^# TYPE (\S+) (counter|gauge|histogram)$", text, re.M)
    assert len(declared) == len({name for name, _ in declared}) == text.count("# HELP")


def test_label_values_are_escaped() -> None:
    counter = Counter("c", "c.", ("a",))
    counter.add('q"\\\n')
    assert counter.samples() == [('c{a="q\\"\\\\\\n"}', 1.0)]
    with pytest.raises(AssertionError):
        counter.add()


def test_the_operator_page_names_every_metric_and_stage() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    for metric in vars(Metrics()).values():
        assert f"`{metric.name}`" in page, metric.name
    for stage in STAGES:
        assert f"`{stage}`" in page, stage
