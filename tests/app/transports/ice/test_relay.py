"""Through a real coturn: on loopback, and between two network namespaces that can only meet through it."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.transports.ice.network import open_network
from app.transports.ice.servers import IceServer
from app.transports.ice.settings import NetworkSettings
from tests.app.transports.ice.coturn import coturn, free_udp_port, self_signed, turn_server
from tests.app.transports.ice.peers import Caller, Server
from tests.app.transports.ice.processes import far_peer

RELAY_ONLY = NetworkSettings(addresses=("127.0.0.1",), relay_only=True)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_server_that_may_only_relay_is_heard_through_coturn(transport: str) -> None:
    port = free_udp_port()
    async with coturn(("127.0.0.1",), port):
        server = Server(await open_network(RELAY_ONLY), (turn_server("127.0.0.1", port, transport=transport),))
        caller = Caller(await open_network(NetworkSettings(addresses=("127.0.0.1",))), 500)
        await caller.call(server.answer)

        assert 500 == await caller.heard_hz(10)
        assert (server.peers[0].path or "").startswith("relay/")
        assert "typ host" not in server.peers[0].localDescription.sdp
        assert "127.0.0.1 rport" not in server.peers[0].localDescription.sdp

        await asyncio.gather(caller.close(), server.close())


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_relay_is_reached_over_tls_if_its_certificate_is_trusted(
    trusted: bool,  # noqa: FBT001 - a case
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_udp_port()
    certificate = await asyncio.to_thread(self_signed, tmp_path, "127.0.0.1")
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.cert))
    async with coturn(("127.0.0.1",), port, certificate=certificate):
        turn = turn_server("127.0.0.1", port, transport="tcp", scheme="turns")
        server = Server(await open_network(RELAY_ONLY), (turn,))
        caller = Caller(await open_network(NetworkSettings(addresses=("127.0.0.1",))), 500)
        if trusted:
            await caller.call(server.answer)

            assert 500 == await caller.heard_hz(10)
            assert (server.peers[0].path or "").startswith("relay/")
        else:
            with pytest.raises(OSError, match="no relay"):
                await caller.call(server.answer)

        await asyncio.gather(caller.close(), server.close())


async def test_credentials_that_expired_get_no_relay() -> None:
    port = free_udp_port()
    async with coturn(("127.0.0.1",), port):
        server = Server(await open_network(RELAY_ONLY), (turn_server("127.0.0.1", port, valid_s=-10),))
        caller = Caller(await open_network(NetworkSettings(addresses=("127.0.0.1",))), 500)
        with pytest.raises(OSError, match="no relay"):
            await caller.call(server.answer)

        await asyncio.gather(caller.close(), server.close())


async def test_of_several_servers_those_that_answer_are_used() -> None:
    port = free_udp_port()
    dead = IceServer(("turn:127.0.0.1:9?transport=udp", "stun:127.0.0.1:9"), "1:x", "y")
    async with coturn(("127.0.0.1",), port):
        network = await open_network(NetworkSettings(addresses=("127.0.0.1",)))
        server = Server(network, (dead, turn_server("127.0.0.1", port)))
        caller = Caller(network, 500)
        await caller.call(server.answer)

        assert 1 == server.peers[0].localDescription.sdp.count("typ relay")
        assert 500 == await caller.heard_hz(10)

        await asyncio.gather(caller.close(), server.close())


async def run(command: str) -> int:
    process = await asyncio.create_subprocess_exec(*command.split(), stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()


@contextlib.asynccontextmanager
async def two_sides(prefix: str) -> AsyncIterator[None]:
    """Namespaces `prefix`-a (10.77.1.2) and -b (10.77.2.2), and -t with a foot in both nets that forwards nothing."""
    try:
        for side in ("t", "a", "b"):
            assert 0 == await run(f"ip netns add {prefix}-{side}")
            assert 0 == await run(f"ip -n {prefix}-{side} link set lo up")
        assert 0 == await run(f"ip netns exec {prefix}-t sysctl -qw net.ipv4.ip_forward=0")
        for net, side in ((1, "a"), (2, "b")):
            veth = f"ip link add {prefix}{side} netns {prefix}-t type veth peer name eth0 netns {prefix}-{side}"
            assert 0 == await run(veth)
            assert 0 == await run(f"ip -n {prefix}-t addr add 10.77.{net}.1/24 dev {prefix}{side}")
            assert 0 == await run(f"ip -n {prefix}-t link set {prefix}{side} up")
            assert 0 == await run(f"ip -n {prefix}-{side} addr add 10.77.{net}.2/24 dev eth0")
            assert 0 == await run(f"ip -n {prefix}-{side} link set eth0 up")
        yield
    finally:
        for side in ("a", "b", "t"):
            await run(f"ip netns del {prefix}-{side}")


async def test_two_namespaces_that_cannot_reach_each_other_talk_through_coturn() -> None:
    prefix = f"v{os.getpid() % 100_000}"
    async with two_sides(prefix):
        assert 0 != await run(f"ip -n {prefix}-a route get 10.77.2.2")
        async with (
            coturn(("10.77.1.1", "10.77.2.1"), 3478, namespace=f"{prefix}-t"),
            far_peer("caller", "10.77.1.2", "10.77.1.1", "3478", namespace=f"{prefix}-a") as caller,
            far_peer("server", "10.77.2.2", "10.77.2.1", "3478", namespace=f"{prefix}-b") as server,
        ):
            server.write(await caller.read())
            caller.write(await server.read())
            heard_by_caller, heard_by_server = await caller.read(), await server.read()

            assert 900 == heard_by_caller["heard_hz"]
            assert 600 == heard_by_server["heard_hz"]
            assert "relay" in heard_by_server["path"]
