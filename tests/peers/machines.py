"""Machines of one test: network namespaces, each with an address, on one switch.

`ip netns exec` runs a program on one of them. Nothing of it can be reached from outside, and all of
it is gone at the end. Source: ip-netns(8), veth(4).
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pytest

from tests.peers.tools import tool

ADDRESSES = {
    "left": "10.77.0.1",
    "right": "10.77.0.2",
    "store": "10.77.0.3",
    "balancer": "10.77.0.10",
    "people": "10.77.0.20",
}
"""Of each machine."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One of them."""

    namespace: str
    address: str
    ip: str
    """The program."""

    def run(self, *command: str) -> list[str]:
        """A command that runs another one there."""
        return [self.ip, "netns", "exec", self.namespace, *command]

    def cable(self, state: str) -> None:
        """`down` pulls it out, `up` puts it in again."""
        subprocess.run([self.ip, "-n", self.namespace, "link", "set", "net0", state], check=True)


class Machines:
    """All of ADDRESSES, while the context lasts; a skip where none may be made."""

    def __init__(self) -> None:
        self._ip = tool("ip")
        self._made: list[str] = []

    def __enter__(self) -> Self:
        try:
            self._add("switch")
            self._do("-n", self._name("switch"), "link", "add", "br0", "type", "bridge")
            self._do("-n", self._name("switch"), "link", "set", "br0", "up")
            for n, (machine, address) in enumerate(ADDRESSES.items()):
                self._add(machine)
                self._plug(machine, f"port{n}", address)
        except subprocess.CalledProcessError as error:
            self._remove()
            pytest.skip(f"no network namespace may be made here (ip netns): {error.stderr.strip()}")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._remove()

    def __getitem__(self, machine: str) -> Machine:
        return Machine(self._name(machine), ADDRESSES[machine], self._ip)

    def _plug(self, machine: str, port: str, address: str) -> None:
        """A cable from the machine to the switch."""
        switch, end = self._name("switch"), self._name(machine)
        self._do(
            *("-n", switch, "link", "add", port, "type", "veth"),
            *("peer", "name", "net0", "netns", end),
        )
        self._do("-n", switch, "link", "set", port, "master", "br0", "up")
        self._do("-n", end, "address", "add", f"{address}/24", "dev", "net0")
        self._do("-n", end, "link", "set", "net0", "up")
        self._do("-n", end, "link", "set", "lo", "up")

    def _name(self, machine: str) -> str:
        return f"lookgate-{os.getpid()}-{machine}"

    def _add(self, machine: str) -> None:
        self._do("netns", "add", self._name(machine))
        self._made.append(self._name(machine))

    def _do(self, *arguments: str) -> None:
        subprocess.run([self._ip, *arguments], check=True, capture_output=True, text=True)

    def _remove(self) -> None:
        # The last program in it ends with it; so do the cables.
        for namespace in self._made:
            subprocess.run([self._ip, "netns", "delete", namespace], check=False)
        self._made.clear()
