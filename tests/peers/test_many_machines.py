"""Two servers behind Debian's haproxy, the database on a third machine, one server is cut off.

Network namespaces are the machines (machines.py), haproxy.cfg is the balancer, people.py are those
who log in, with the real nets. Facts: docs/scaling.md, "Many machines".
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.clips import clip
from models.errors import ModelError
from models.manifest import default_dir
from models.verify import verify
from server.settings.load import child_environ
from tests.peers.machines import Machine, Machines
from tests.peers.people import CLIENT, PERSON, STRANGER
from tests.peers.tools import tool

ROOT = Path(__file__).parents[2]
LOOKGATE = [sys.executable, "-m", "server.commands.main"]
LOGINS, AT_ONCE = 50, 5
BEFORE = 12
"""Logins that are over when a machine is cut off."""
KNOWN_S = 5.0
"""Until then a page knows that its server is gone."""
SLACK_S = 1.5
"""For what the caller's own process was late, on a machine that others use, too."""
START_S = 60.0
MOST_S = 270.0

pytestmark = pytest.mark.models


class Told:
    """What people.py tells, as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.events: list[dict[str, Any]] = []

    def until(self, enough: Any) -> None:
        """Read on until `enough()`, or to the end."""
        assert self._process.stdout is not None
        while not enough():
            line = self._process.stdout.readline()
            if not line:
                break
            self.events.append(json.loads(line))

    def of(self, event: str) -> list[dict[str, Any]]:
        """All of one kind."""
        return [one for one in self.events if one["event"] == event]


@contextlib.contextmanager
def started(machine: Machine, command: list[str], log: Path, **more: Any) -> Iterator[Any]:
    """A program on a machine; ended at the end."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            machine.run(*command), stdout=out, stderr=subprocess.STDOUT, **more
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def reached(machine: Machine, address: str, port: int) -> None:
    """Return when something listens there, as that machine sees it."""
    deadline_s = time.monotonic() + START_S
    look = f"exec 3<>/dev/tcp/{address}/{port}"
    while subprocess.run(
        machine.run("bash", "-c", look), capture_output=True, check=False
    ).returncode:
        assert time.monotonic() < deadline_s, f"nothing listens on {address}:{port}"
        time.sleep(0.1)


def ready(machine: Machine, address: str) -> None:
    """Return when a login would work there."""
    deadline_s = time.monotonic() + START_S
    look = (
        "import sys, urllib.request as r; r.urlopen(f'http://{sys.argv[1]}:8470/readyz', timeout=5)"
    )
    while subprocess.run(
        machine.run(sys.executable, "-c", look, address), capture_output=True, check=False
    ).returncode:
        assert time.monotonic() < deadline_s, f"{address} does not get ready"
        time.sleep(0.2)


def ended(log: Path) -> dict[str, str]:
    """The first characters of each session that a server saw to its end, and how it ended."""
    found = {}
    for line in log.read_text("utf-8").splitlines():
        said = json.loads(line)
        if said.get("message") == "session over":
            found[str(said["session"])] = str(said["outcome"])
    return found


def test_the_balancer_of_the_page_is_the_one_that_is_tested() -> None:
    text = Path(__file__).with_name("haproxy.cfg").read_text("utf-8")
    shown = text[text.index("defaults\n") :]
    assert f"```\n{shown}```" in (ROOT / "docs" / "scaling.md").read_text("utf-8")


def test_a_machine_is_cut_off_in_the_middle(tmp_path: Path) -> None:
    haproxy = tool("haproxy")
    try:
        verify(default_dir())
        clip(PERSON), clip(STRANGER)
    except ModelError as error:
        pytest.skip(f"the converted nets and the recordings are needed: {error.code}")
    secantus = [str(Path(sys.executable).with_name("secantusd-py")), "--host", "0.0.0.0"]
    secantus += ["--port", "27017", "--storage-path", str(tmp_path / "db"), "--cache-size", "64M"]
    secantus += ["--oplog-max-entries", "1000", "--log-level", "ERROR"]
    with contextlib.ExitStack() as stack:
        machines = stack.enter_context(Machines())
        url = f"http://{machines['balancer'].address}:8470"
        store = machines["store"]
        stack.enter_context(started(store, secantus, tmp_path / "store.log", cwd=tmp_path))
        reached(machines["left"], store.address, 27017)
        master_key = base64.b64encode(secrets.token_bytes(32)).decode()
        logs = {}
        for name in ("left", "right"):
            machine = machines[name]
            logs[name] = tmp_path / f"{name}.log"
            environ = child_environ(
                host=machine.address,
                public_url=url,
                data_dir=str(tmp_path / name),
                store=f"mongodb://{store.address}:27017/?directConnection=true",
                master_key=master_key,
                proxy_hops="1",
                log_format="json",
                # All people here have one address, and come faster than people do.
                client_rate="100",
                offer_rate="100",
            )
            if name == "left":
                added = subprocess.run(
                    machine.run(*LOOKGATE, "client", "add", CLIENT),
                    cwd=ROOT,
                    env=environ,
                    capture_output=True,
                    text=True,
                    check=True,
                    timeout=START_S,
                )
                words = added.stdout.split()
                secret = words[words.index("secret") + 1]
            stack.enter_context(
                started(machine, [*LOOKGATE, "serve"], logs[name], cwd=ROOT, env=environ)
            )
        config = str(Path(__file__).with_name("haproxy.cfg"))
        balancer = [haproxy, "-db", "-f", config]
        stack.enter_context(started(machines["balancer"], balancer, tmp_path / "haproxy.log"))
        for name in ("left", "right", "balancer"):
            ready(machines["people"], machines[name].address)

        with (tmp_path / "people.log").open("wb") as errors:
            people = subprocess.Popen(
                machines["people"].run(sys.executable, "-m", "tests.peers.people"),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        stack.callback(people.wait)
        stack.callback(people.kill)
        late = threading.Timer(MOST_S, people.kill)
        late.start()
        stack.callback(late.cancel)
        assert people.stdin is not None
        order = {"url": url, "secret": secret, "logins": LOGINS, "at_once": AT_ONCE}
        people.stdin.write(json.dumps(order) + "\n")
        people.stdin.close()
        told = Told(people)
        told.until(
            lambda: (
                len(told.of("end")) >= BEFORE
                and len(told.of("open")) - len(told.of("end")) >= AT_ONCE - 1
            )
        )
        machines["left"].cable("down")
        cut_s = time.monotonic()
        told.until(lambda: False)
        assert people.wait() == 0, (tmp_path / "people.log").read_text()
        right = ended(logs["right"])

    opened = {one["session"]: one for one in told.of("open") if one["at_s"] <= cut_s}
    over = {one["session"]: one for one in told.of("end") if one["session"]}
    under_way = {session for session in opened if over[session]["at_s"] > cut_s}
    lost = {session for session in under_way if over[session]["outcome"].startswith("headless_")}
    report = {
        "attempts": len(told.of("end")),
        "under way when cut": len(under_way),
        "lost": len(lost),
        "known after s": sorted(round(over[session]["at_s"] - cut_s, 2) for session in lost),
        "requests that came to nothing": sorted(
            (one["outcome"], round(one["took_s"], 1))
            for one in told.of("end")
            if one["outcome"] not in ("accepted", "rejected", "busy", "headless_silent")
        ),
        "full": sum(one["outcome"] == "busy" for one in told.of("end")),
        "states": Counter(told.of("states")[0]["states"]),
    }
    print(json.dumps(report))

    # Of those under way, exactly those of the other machine came to an end as if nothing were.
    assert lost, "nobody was on the machine that was cut off"
    assert not lost & right.keys()
    assert under_way - lost <= right.keys() | ended(logs["left"]).keys()
    for session in lost:
        assert over[session]["outcome"] == "headless_silent"
        assert over[session]["at_s"] - cut_s < KNOWN_S + SLACK_S
    # Everybody got in, by some attempt, and nobody with another one's face.
    got_in = {one["login"] for one in told.of("end") if one["outcome"] == "accepted"}
    refused = {one["login"] for one in told.of("end") if "no_match" in one.get("reasons", ())}
    films = {one["login"]: one["film"] for one in told.of("end")}
    assert {login for login, film in films.items() if film == PERSON} == got_in
    assert {login for login, film in films.items() if film == STRANGER} == refused
    assert len(films) == LOGINS
    # And nothing is left open.
    assert "live" not in report["states"]
