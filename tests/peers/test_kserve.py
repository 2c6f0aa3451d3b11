"""Nets on a real Triton and a real MLServer: the same bits, a deadline, and nobody let in for want
of an answer. Each test has both; a killed one stays dead, so that it has one of its own."""

from __future__ import annotations

import asyncio
import itertools
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.serving import CLIENT, Server, serving
from models.clips import clip
from models.errors import ModelError
from models.manifest import default_dir
from models.verify import verify
from pipeline.nets import Floats
from pipeline.nets.ort import SPECS, Nets
from server.frames.elsewhere import REST_S, TRIES, Elsewhere, RemoteNets, TritonClient, Where
from server.tools.caller.attempt import Attempt, attempt
from tests.peers.kserve_servers import SERVERS, KServe

pytestmark = pytest.mark.models

DEADLINE_S = 0.5
SLACK_S = 2.0
"""For threads that a busy machine lets wait."""


@pytest.fixture(scope="module")
def here() -> Nets:
    try:
        verify(default_dir())
    except ModelError as error:
        pytest.skip(f"the converted nets are needed: {error.code}")
    return Nets(default_dir(), ["embed", "mesh"])


@pytest.fixture(params=SERVERS)
def there(request: pytest.FixtureRequest, here: Nets) -> Iterator[KServe]:
    with SERVERS[request.param]() as server:
        yield server


def crop(seed: int) -> Floats:
    """A picture as the embedder takes it."""
    values = np.random.default_rng(seed).integers(0, 256, SPECS["embed"].feed)
    return values.astype(np.float32)


def remote(there: KServe, here: Nets, *, fall_back: bool = True, **more: object) -> RemoteNets:
    """The embedder there, checked."""
    where = Where(there.address, ("embed",), DEADLINE_S, fall_back)
    made = RemoteNets(where, here, TritonClient(there.address), **more)  # type: ignore[arg-type]
    made.check()
    return made


def test_the_bits_are_the_same_and_another_net_is_found(there: KServe, here: Nets) -> None:
    counted: Counter[str] = Counter()
    nets = remote(there, here, fall_back=False, tell=lambda outcome: counted.update([outcome]))
    for seed in range(20):
        (far,), (near,) = nets("embed", crop(seed)), here("embed", crop(seed))
        assert far.tobytes() == near.tobytes()
    nets("mesh", np.zeros(SPECS["mesh"].feed, np.float32))  # asked here
    assert counted["answered"] >= 20 - counted["failed"]

    def nearly(net: str, feed: Floats) -> tuple[Floats, ...]:
        return tuple(np.nextafter(one, np.float32(9)) for one in here(net, feed))

    where = Where(there.address, ("embed",), DEADLINE_S, fall_back=True)
    nets = RemoteNets(where, nearly, TritonClient(there.address))
    with pytest.raises(Elsewhere, match="bits") as caught:
        nets.check()
    assert caught.value.code == "inference_wrong"
    lacked = Where(there.address, ("mesh",), DEADLINE_S, fall_back=True)
    nets = RemoteNets(lacked, here, TritonClient(there.address))
    with pytest.raises(Elsewhere):
        nets.check()


def test_a_server_that_hangs_costs_two_deadlines_and_then_nothing(
    there: KServe, here: Nets
) -> None:
    now_s = [0.0]
    counted: Counter[str] = Counter()
    nets = remote(
        there, here, clock=lambda: now_s[0], tell=lambda outcome: counted.update([outcome])
    )
    there.signal(signal.SIGSTOP)
    try:
        for limit_s in (TRIES * DEADLINE_S + SLACK_S, SLACK_S, SLACK_S):
            began_s = time.monotonic()
            assert nets("embed", crop(1))[0].tobytes() == here("embed", crop(1))[0].tobytes()
            assert time.monotonic() - began_s < limit_s
        assert counted == {"failed": TRIES, "local": 3}  # the others did not even ask
    finally:
        there.signal(signal.SIGCONT)
    now_s[0] += REST_S
    deadline_s = time.monotonic() + 30
    while not counted["answered"]:
        assert time.monotonic() < deadline_s
        assert nets("embed", crop(1))[0].tobytes() == here("embed", crop(1))[0].tobytes()
        now_s[0] += REST_S


@pytest.mark.parametrize("fall_back", [True, False])
def test_a_server_killed_under_load_hangs_nobody(
    there: KServe, here: Nets, fall_back: bool
) -> None:
    nets = remote(there, here, fall_back=fall_back)
    right = [here("embed", crop(seed))[0].tobytes() for seed in range(8)]
    killed = threading.Event()
    results: list[tuple[bool, str, float]] = []

    def ask(first: int) -> None:
        over_s = time.monotonic() + 60
        after = 0
        for seed in itertools.cycle(range(first, first + 2)):
            late, began_s = killed.is_set(), time.monotonic()
            try:
                good = nets("embed", crop(seed))[0].tobytes() == right[seed]
                outcome = "right" if good else "wrong"
            except Elsewhere as error:
                outcome = error.code
            results.append((late, outcome, time.monotonic() - began_s))
            after += late
            if after >= 20 or time.monotonic() > over_s:
                return

    threads = [threading.Thread(target=ask, args=(2 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while len(results) < 40 and any(thread.is_alive() for thread in threads):
        time.sleep(0.01)
    there.signal(signal.SIGKILL)
    killed.set()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    outcomes = Counter(outcome for late, outcome, _ in results if late)
    assert set(outcomes) == ({"right"} if fall_back else {"inference_unreachable"})
    assert "wrong" not in {outcome for _, outcome, _ in results}
    assert max(took_s for _, _, took_s in results) < TRIES * DEADLINE_S + SLACK_S


def _login(server: Server, purpose: str) -> Attempt:
    return asyncio.run(
        attempt(
            server_url=server.url,
            client_id=CLIENT,
            secret=server.secret,
            purpose=purpose,
            subject="ada",
            video=clip("cap12"),
        )
    )


@pytest.mark.parametrize("fallback", ["local", "refuse"])
def test_people_log_in_by_it_and_when_it_dies_only_as_the_setting_says(
    there: KServe, tmp_path: Path, fallback: str
) -> None:
    settings = {"inference": f"grpc://{there.address}", "inference_fallback": fallback}
    with serving(tmp_path, inference_deadline_s="5", **settings) as server:
        for purpose in ("enroll", "login"):
            assert _login(server, purpose).verdict["outcome"] == "accepted"
        counted = server.metrics()
        assert counted['lookgate_nets_elsewhere_total{outcome="answered"}'] > 5
        there.signal(signal.SIGKILL)
        after = _login(server, "login").verdict
        counted = server.metrics()
        if fallback == "local":
            assert after["outcome"] == "accepted"
            assert counted['lookgate_nets_elsewhere_total{outcome="local"}'] > 0
        else:
            assert (after["outcome"], after["reasons"]) == ("rejected", ["internal"])
        assert "nets elsewhere do not answer" in server.log()
