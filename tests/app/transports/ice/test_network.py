import asyncio

import pytest

from app.transports.ice.network import NoFreePort, open_network
from app.transports.ice.settings import NetworkSettings
from app.transports.ice.udp import bind_udp
from tests.app.transports.ice.peers import Caller, Server
from tests.app.transports.ice.test_udp import Seat


async def test_a_range_that_is_used_up_says_so() -> None:
    probe = await bind_udp("127.0.0.1", 0)
    number = probe.address[1]
    network = await open_network(NetworkSettings(addresses=("127.0.0.1",), ports=(number, number)))
    with pytest.raises(NoFreePort, match=f"no free UDP port from {number} to {number} on 127.0.0.1"):
        await network.take("127.0.0.1", Seat("one1"))
    probe.close()


async def test_a_port_given_back_can_be_taken_again() -> None:
    network = await open_network(NetworkSettings(addresses=("127.0.0.1",), ports=(42_000, 42_000)))
    for ufrag in ("one1", "two2"):
        seat = Seat(ufrag)
        port = await network.take("127.0.0.1", seat)
        network.give_back(port, seat)
        await _closed()

    last = await network.take("127.0.0.1", Seat("last"))

    assert ("127.0.0.1", 42_000) == last.address

    last.close()


async def test_a_shared_port_that_is_taken_stops_the_start() -> None:
    taken = await bind_udp("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        await open_network(NetworkSettings(addresses=("127.0.0.1",), shared_port=taken.address[1]))
    taken.close()


async def test_without_addresses_those_of_the_host_are_taken_but_loopback() -> None:
    network = await open_network(NetworkSettings())

    assert "127.0.0.1" not in network.addresses


@pytest.mark.parametrize("shared_port", [None, 0])
async def test_a_call_over_ipv6_is_heard(shared_port: int | None) -> None:
    server = Server(await open_network(NetworkSettings(addresses=("::1",), shared_port=shared_port)))
    caller = Caller(await open_network(NetworkSettings(addresses=("::1",))), 700)
    await caller.call(server.answer)

    assert 700 == await caller.heard_hz(10)
    assert {"::1"} == {each.host for each in server.peers[0]._agent.local_candidates}

    await asyncio.gather(caller.close(), server.close())


async def test_an_address_that_is_not_this_hosts_stops_the_start() -> None:
    with pytest.raises(OSError, match="assign"):
        await open_network(NetworkSettings(addresses=("192.0.2.1",), shared_port=0))


async def _closed() -> None:
    """A transport closes its socket in the loop's next round."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
