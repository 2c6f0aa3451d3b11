"""Nets elsewhere: the deadline, the retry, the rest, and the check that comes before all of them.

With a client that is told what to answer. Real servers: tests/peers/test_kserve.py.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest

from pipeline.nets import Floats
from pipeline.nets.ort import SPECS
from server.frames.elsewhere import (
    CHECK_S,
    REST_S,
    TOLD_S,
    Described,
    Elsewhere,
    RemoteNets,
    TritonClient,
    Where,
)

FEED = np.ones(SPECS["embed"].feed, np.float32)


def nets_here(net: str, feed: Floats) -> tuple[Floats, ...]:
    """Every output is full of the feed's mean."""
    return tuple(np.full(shape, feed.mean(), np.float32) for shape in SPECS[net].outputs)


@dataclass
class Server:
    """Answers as `nets_here`, unless told otherwise."""

    described: Described = field(
        default_factory=lambda: Described("embed", SPECS["embed"].feed, SPECS["embed"].outputs)
    )
    down: int = 0
    """So many calls fail."""
    off: float = 0.0
    """What is added to each answer."""
    shape: tuple[int, ...] | None = None
    limits_s: list[float] = field(default_factory=list)
    """Of each call."""

    def describe(self, net: str, limit_s: float) -> Described:
        self._called(limit_s)
        return self.described

    def ask(self, net: str, feed: Floats, limit_s: float) -> tuple[Floats, ...]:
        self._called(limit_s)
        found = tuple(one + np.float32(self.off) for one in nets_here(net, feed))
        return found if self.shape is None else (np.zeros(self.shape, np.float32),)

    def _called(self, limit_s: float) -> None:
        self.limits_s.append(limit_s)
        if self.down:
            self.down -= 1
            raise Elsewhere("inference_unreachable", "down")


@dataclass
class Case:
    """One set of nets, its clock and what it counted."""

    server: Server = field(default_factory=Server)
    fall_back: bool = True
    now_s: float = 100.0
    counted: Counter[str] = field(default_factory=Counter)

    def nets(self, *, checked: bool = True) -> RemoteNets:
        made = RemoteNets(
            Where("there:8001", ("embed",), 0.25, self.fall_back),
            nets_here,
            self.server,
            tell=lambda outcome: self.counted.update([outcome]),
            clock=lambda: self.now_s,
        )
        if checked:
            made.check()
            self.server.limits_s.clear()
        return made


def test_what_is_chosen_is_asked_there_within_the_deadline_and_nothing_else() -> None:
    case = Case(Server(off=0.0))
    nets = case.nets()
    assert nets("embed", FEED)[0].tobytes() == nets_here("embed", FEED)[0].tobytes()
    nets("mesh", np.zeros(SPECS["mesh"].feed, np.float32))
    assert case.server.limits_s == [0.25]
    assert case.counted == {"answered": 1}


@pytest.mark.parametrize(
    "server",
    [
        Server(off=1e-4),
        Server(shape=(1, 512)),
        Server(Described("embed", (1, 3, 160, 160), SPECS["embed"].outputs)),
        Server(Described("embed", SPECS["embed"].feed, ((1, 512),))),
        Server(Described("embed", SPECS["embed"].feed, ())),
        Server(Described("other", SPECS["embed"].feed, SPECS["embed"].outputs)),
    ],
    ids=["bits", "answer", "feed", "outputs", "none", "name"],
)
def test_nets_that_are_not_those_here_are_refused_before_they_are_asked(server: Server) -> None:
    nets = Case(server).nets(checked=False)
    with pytest.raises(Elsewhere) as caught:
        nets.check()
    assert caught.value.code == "inference_wrong"
    # Nor are they believed by somebody who did not look: nothing there was checked.
    assert nets("embed", FEED)[0].tobytes() == nets_here("embed", FEED)[0].tobytes()


def test_a_free_batch_dimension_is_the_same_net() -> None:
    free = Described("embed", (-1, *SPECS["embed"].feed[1:]), ((-1, 128),))
    Case(Server(free)).nets()


def test_one_failure_is_asked_again_and_two_are_answered_here() -> None:
    case = Case()
    nets = case.nets()
    case.server.down = 1
    nets("embed", FEED)
    assert case.counted == {"failed": 1, "answered": 1}
    case.server.down = 2
    assert nets("embed", FEED)[0].tobytes() == nets_here("embed", FEED)[0].tobytes()
    assert case.counted == {"failed": 3, "answered": 1, "local": 1}


def test_after_two_failures_nobody_asks_for_a_while_and_then_the_bits_are_compared_again() -> None:
    case = Case()
    nets = case.nets()
    case.server.down = 2
    nets("embed", FEED)
    case.server.limits_s.clear()
    case.now_s += REST_S - 0.01
    nets("embed", FEED)
    assert case.server.limits_s == []
    case.now_s += 0.01
    case.server.off = 1e-4  # it came back with another net
    assert nets("embed", FEED)[0].tobytes() == nets_here("embed", FEED)[0].tobytes()
    assert case.server.limits_s == [CHECK_S, CHECK_S]
    case.server.off = 0.0
    nets("embed", FEED)
    assert case.counted["answered"] == 0
    case.now_s += REST_S
    nets("embed", FEED)
    assert case.counted["answered"] == 1


def test_an_answer_of_another_shape_is_none() -> None:
    case = Case()
    nets = case.nets()
    case.server.shape = (1, 512)
    assert nets("embed", FEED)[0].shape == (1, 128)
    assert case.counted == {"failed": 2, "local": 1}


def test_without_a_stand_in_there_is_no_answer() -> None:
    case = Case(fall_back=False)
    nets = case.nets()
    case.server.down = 2
    for _ in range(2):
        with pytest.raises(Elsewhere, match="do not answer"):
            nets("embed", FEED)
    assert case.counted == {"failed": 2, "refused": 2}
    nets("mesh", np.zeros(SPECS["mesh"].feed, np.float32))


def test_the_log_hears_of_it_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    case = Case()
    nets = case.nets()
    for _ in range(int(TOLD_S / REST_S)):
        case.server.down = 2
        nets("embed", FEED)
        case.now_s += REST_S
    assert len(caplog.records) == 1
    case.server.down = 2
    nets("embed", FEED)
    assert [record.failed for record in caplog.records][1] > 10  # type: ignore[attr-defined]


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tritonclient.grpc", None)
    monkeypatch.setitem(sys.modules, "tritonclient", None)
    with pytest.raises(Elsewhere, match="pip install") as caught:
        TritonClient("127.0.0.1:1")
    assert caught.value.code == "inference_missing"
