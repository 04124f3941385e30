import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aioice import Candidate, stun
from aioice.ice import CandidatePair

from app.transports.ice.link import Link
from app.transports.ice.network import Network, open_network
from app.transports.ice.servers import IceServer
from app.transports.ice.settings import NetworkSettings
from session.testing.virtual_time import run
from tests.app.transports.ice.peers import Caller, Server, connected, loopback


class Reflector(asyncio.DatagramProtocol):
    """A STUN server that sees every client as 203.0.113.9."""

    def __init__(self) -> None:
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.asked += 1
        request = stun.parse_message(data)
        response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.9", addr[1])
        self._transport.sendto(bytes(response), addr)


@contextlib.asynccontextmanager
async def reflector() -> AsyncIterator[tuple[Reflector, str]]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        Reflector, local_addr=("127.0.0.1", 0)
    )
    yield protocol, f"stun:127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    transport.close()


async def gathered(settings: NetworkSettings, *urls: str) -> list[tuple[str, str]]:
    network = await open_network(settings)
    link = Link(network, [IceServer(urls)] if urls else [], lambda _: None, lambda: None)
    await link.gather_candidates()
    candidates = [(candidate.type, candidate.host) for candidate in link.local_candidates]
    await link.close()
    network.close()
    return candidates


@pytest.mark.parametrize("shared_port", [None, 0])
async def test_the_address_that_a_stun_server_sees_is_a_candidate(shared_port: int | None) -> None:
    settings = NetworkSettings(addresses=("127.0.0.1",), shared_port=shared_port)
    async with reflector() as (_, url):
        assert [("host", "127.0.0.1"), ("srflx", "203.0.113.9")] == await gathered(settings, "stun:127.0.0.1:9", url)


async def test_an_advertised_address_needs_no_stun_server() -> None:
    settings = NetworkSettings(addresses=("127.0.0.1",), advertised={"127.0.0.1": "198.51.100.1"})
    async with reflector() as (server, url):
        assert [("host", "198.51.100.1")] == await gathered(settings, url)
        assert 0 == server.asked


async def test_each_address_has_a_port_of_its_own_and_the_first_is_preferred() -> None:
    network = await open_network(NetworkSettings(addresses=("127.0.0.1", "127.0.0.2")))
    link = Link(network, (), lambda _: None, lambda: None)
    await link.gather_candidates()
    first, second = link.local_candidates

    assert ("127.0.0.1", "127.0.0.2") == (first.host, second.host)
    assert first.priority > second.priority

    await link.close()


class FallsSilent:
    """Where a link's protocol stands: the peer answers so many checks, then none."""

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self.local_candidate = Candidate("1", 1, "udp", 1, "127.0.0.1", 1, "host")
        self.last_answer_s = 0.0

    async def request(self, request: stun.Message, *_: object, **__: object) -> None:
        self._answers -= 1
        if self._answers < 0:
            await asyncio.sleep(1.5)
            raise stun.TransactionTimeout
        self.last_answer_s = asyncio.get_running_loop().time()


@pytest.mark.parametrize("answers", [0, 1, 100])
def test_a_peer_is_given_up_four_seconds_after_its_last_answer(answers: int) -> None:
    peer = FallsSilent(answers)
    lost_s: list[float] = []

    async def ask_until_lost() -> None:
        loop = asyncio.get_running_loop()
        network = Network(NetworkSettings(), (), {})
        link = Link(network, (), lambda _: None, lambda: lost_s.append(loop.time()))
        link.remote_username, link.remote_password = "peer", "secret"
        link.selected = CandidatePair(cast(Any, peer), peer.local_candidate)
        await link.query_consent()

    run(ask_until_lost())

    assert [4.0] == [round(at_s - peer.last_answer_s, 2) for at_s in lost_s]


async def test_a_server_that_was_itself_too_late_does_not_give_its_peers_up() -> None:
    settings = NetworkSettings(addresses=("127.0.0.1",), consent_interval_ms=100, consent_expiry_ms=400)
    server = Server(await open_network(settings))
    caller = Caller(await loopback(), 700)
    await caller.call(server.answer)
    await connected(server.peers[0])
    await caller.heard_hz(10)

    loop = asyncio.get_running_loop()
    until = loop.time() + 1.2
    while loop.time() < until:
        pass

    assert 700 == await caller.heard_hz(40)
    assert "connected" == server.peers[0].connectionState

    await asyncio.gather(caller.close(), server.close())
