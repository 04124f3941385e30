import asyncio
import logging
import os
import random
import socket
import struct

import pytest
from aioice import stun

from app.transports.ice.network import open_network
from app.transports.ice.settings import NetworkSettings
from app.transports.ice.udp import MAX_ADDRESSES, UdpPort, bind_udp, requested_ufrag
from tests.app.transports.ice.peers import Caller, Server, connected, loopback

SHARED = NetworkSettings(addresses=("127.0.0.1",), shared_port=0)


class Seat:
    """An endpoint that keeps what it is given."""

    def __init__(self, ufrag: str) -> None:
        self.ufrag = ufrag
        self.got: list[tuple[bytes, tuple[str, int]]] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.got.append((data, addr))

    def connection_lost(self, exc: Exception | None) -> None:
        pass


def check(ufrag: str, key: bytes = b"k" * 22) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{ufrag}:far"
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = 1
    message.add_message_integrity(key)
    return bytes(message)


def malformed_check(ufrag: str) -> bytes:
    """A check whose PRIORITY has two bytes instead of four."""
    username = f"{ufrag}:far".encode()
    pad = -len(username) % 4
    body = struct.pack("!HH", 6, len(username)) + username + bytes(pad) + struct.pack("!HHHH", 0x24, 2, 1, 0)
    return struct.pack("!HHI12s", 1, len(body), 0x2112A442, os.urandom(12)) + body


def test_a_check_names_the_session_it_is_for() -> None:
    assert "abcd" == requested_ufrag(check("abcd"))


@pytest.mark.parametrize("length", [20, 24, 30, 40])
def test_a_check_cut_short_names_no_other_session_and_raises_nothing(length: int) -> None:
    assert requested_ufrag(check("abcd")[:length]) in (None, "abcd")


def test_checks_go_by_name_and_all_else_by_proved_address() -> None:
    port, one, two = UdpPort(), Seat("one1"), Seat("two2")
    port.attach(one)
    port.attach(two)
    port.datagram_received(check("two2"), ("10.0.0.2", 5))
    port.datagram_received(b"\x80rtp", ("10.0.0.2", 5))
    port.learn(two, ("10.0.0.2", 5))
    port.datagram_received(b"\x80rtp", ("10.0.0.2", 5))

    assert [] == one.got
    assert [b"\x80rtp"] == [data for data, _ in two.got[1:]]
    assert 1 == port.dropped


def test_an_answer_goes_to_who_asked() -> None:
    port, one = UdpPort(), Seat("one1")
    port.attach(one)
    response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE)
    port.datagram_received(bytes(response), ("10.0.0.2", 5))
    port.expect(response.transaction_id, one)
    port.datagram_received(bytes(response), ("10.0.0.2", 5))
    port.forget(response.transaction_id)
    port.datagram_received(bytes(response), ("10.0.0.2", 5))

    assert 1 == len(one.got)
    assert (1, 0, 0) == port.sizes


def test_a_session_that_leaves_takes_all_its_entries_along() -> None:
    port, one, two = UdpPort(), Seat("one1"), Seat("two2")
    for seat in (one, two):
        port.attach(seat)
        port.learn(seat, ("10.0.0.1", 1))
    port.learn(one, ("10.0.0.1", 2))
    port.detach(one)
    port.learn(one, ("10.0.0.1", 3))
    port.datagram_received(b"\x80rtp", ("10.0.0.1", 1))

    assert (1, 1, 0) == port.sizes
    assert 1 == len(two.got)


def test_a_peer_of_many_addresses_keeps_the_latest() -> None:
    port, one = UdpPort(), Seat("one1")
    port.attach(one)
    for number in range(100):
        port.learn(one, ("10.0.0.1", number))
    port.datagram_received(b"\x80rtp", ("10.0.0.1", 0))
    port.datagram_received(b"\x80rtp", ("10.0.0.1", 99))

    assert (1, MAX_ADDRESSES, 0) == port.sizes
    assert 1 == len(one.got)


def test_two_sessions_cannot_have_one_name() -> None:
    port = UdpPort()
    port.attach(Seat("same"))
    with pytest.raises(ValueError, match="taken"):
        port.attach(Seat("same"))


def test_no_datagram_raises_or_grows_a_table() -> None:
    port, one = UdpPort(), Seat("one1")
    port.attach(one)
    rng = random.Random(7)
    for number in range(20_000):
        data = bytearray(check("one1") if number % 2 else check("none"))
        for _ in range(rng.randrange(6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        port.datagram_received(bytes(data[: rng.randrange(len(data) + 1)]), (f"10.0.{number % 250}.1", number))

    assert (1, 0, 0) == port.sizes


async def test_a_port_that_is_taken_is_refused() -> None:
    port = await bind_udp("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        await bind_udp("127.0.0.1", port.address[1])
    port.close()


async def test_garbage_and_strangers_do_not_disturb_a_call_and_write_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    logging.getLogger("aioice").setLevel(logging.WARNING)
    server = Server(await open_network(SHARED))
    caller = Caller(await loopback(), 700)
    await caller.call(server.answer)
    await connected(server.peers[0])
    port = server.network.shared["127.0.0.1"]
    ufrag = server.peers[0]._agent.local_username
    caplog.clear()

    attacks = [b"", b"\x00", b"\x80" * 40, b"\x16" * 40, b"\x05" * 30, check("none"), check(ufrag)]
    attacks += [malformed_check(ufrag), b"\xff" * 1_400, bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE))]
    for number in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.setblocking(False)  # noqa: FBT003 (the socket's own signature)
            for attack in attacks:
                stranger.sendto(attack, port.address)
        if number % 10 == 0:
            await asyncio.sleep(0)

    assert 700 == await caller.heard_hz(10)
    assert (1, 1) == port.sizes[:2]
    assert [] == caplog.records
    assert "connected" == server.peers[0].connectionState

    await asyncio.gather(caller.close(), server.close())
