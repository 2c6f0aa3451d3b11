"""Bind addresses and port range. May go when aioice has settings for them (0.13 has none)."""

from __future__ import annotations

import ast
import asyncio
import inspect

import pytest
from aioice import ice

from server.rtc.network import Network, PortRangeLoop, asyncio_of_ice, host_addresses, listening
from tests.server.pictures import HERE


def test_addresses_are_the_chosen_ones() -> None:
    with listening(Network((HERE, "fd00::9"))):
        assert host_addresses(True, True) == [HERE, "fd00::9"]
        assert host_addresses(True, False) == [HERE]
    with listening(Network(loopback=True)):
        assert host_addresses(True, True)[0] == HERE
    assert host_addresses(True, True) != []


async def test_ports_stay_in_the_range_until_it_is_used_up() -> None:
    loop = asyncio.get_running_loop()
    with listening(Network(ports=(46200, 46201))):
        opener = asyncio_of_ice().get_running_loop()
        made = [
            (await opener.create_datagram_endpoint(asyncio.DatagramProtocol, (HERE, 0)))[0]
            for _ in range(2)
        ]
        assert {t.get_extra_info("sockname")[1] for t in made} == {46200, 46201}
        with pytest.raises(OSError, match="no free port"):
            await opener.create_datagram_endpoint(asyncio.DatagramProtocol, (HERE, 0))
    assert asyncio_of_ice().get_running_loop() is loop
    for transport in made:
        transport.close()


def test_the_stand_in_has_all_that_is_wanted_of_a_loop() -> None:
    wanted = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(ice)))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "loop"
    }
    assert "create_datagram_endpoint" in wanted
    loop = asyncio.new_event_loop()
    assert wanted <= set(dir(PortRangeLoop(loop)))
    loop.close()
