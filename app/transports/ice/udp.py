"""One UDP port and the sessions behind it: who gets which datagram.

A connectivity check names its session: the first half of its USERNAME. An answer to one of our own requests bears the
request's transaction id. All else belongs to the session that has proved itself from that address, which it did when
its check was answered with success. What fits none of the three is counted and dropped: no answer, no log line.
"""

import asyncio
import socket
import struct
from collections import OrderedDict
from typing import Any, Protocol, cast

__all__ = ("MAX_ADDRESSES", "Endpoint", "UdpPort", "bind_udp", "requested_ufrag")

Address = tuple[str, int]

# A peer has a handful of candidates; the oldest address of one with more is forgotten.
MAX_ADDRESSES = 16
_COOKIE = 0x2112A442
_BINDING_REQUEST, _BINDING_SUCCESS, _BINDING_ERROR = 0x0001, 0x0101, 0x0111
_USERNAME = 0x0006
_MAX_ATTRIBUTES = 8
_BUFFER_BYTES = 4 << 20
_HEADER = struct.Struct("!HHI")
_ATTRIBUTE = struct.Struct("!HH")


class Endpoint(Protocol):
    """A session's end of a port. `ufrag` is its own user fragment, the name by which checks ask for it."""

    @property
    def ufrag(self) -> str: ...

    def datagram_received(self, data: bytes, addr: Address) -> None: ...

    def connection_lost(self, exc: Exception | None) -> None: ...


def requested_ufrag(data: bytes) -> str | None:
    """The local user fragment that a STUN binding request asks for; `None` if it names none."""
    position = 20
    for _ in range(_MAX_ATTRIBUTES):
        if position + 4 > len(data):
            return None
        kind, length = _ATTRIBUTE.unpack_from(data, position)
        if kind == _USERNAME:
            ufrag, colon, _ = data[position + 4 : position + 4 + length].partition(b":")
            return ufrag.decode("ascii", "replace") if colon else None
        position += 4 + (length + 3 & ~3)
    return None


class UdpPort(asyncio.DatagramProtocol):
    """A bound socket that several endpoints share. Every table shrinks when an endpoint is detached."""

    def __init__(self) -> None:
        self.dropped = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._by_ufrag: dict[str, Endpoint] = {}
        self._by_address: dict[Address, Endpoint] = {}
        self._by_transaction: dict[bytes, Endpoint] = {}
        self._addresses: dict[str, OrderedDict[Address, None]] = {}

    @property
    def address(self) -> Address:
        sockname = self._open_transport().get_extra_info("sockname")
        return (sockname[0], sockname[1])

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many endpoints, addresses and open transactions are known."""
        return (len(self._by_ufrag), len(self._by_address), len(self._by_transaction))

    def attach(self, endpoint: Endpoint) -> None:
        """Raises `ValueError` if another endpoint has the same user fragment."""
        if endpoint.ufrag in self._by_ufrag:
            raise ValueError("the user fragment is taken")
        self._by_ufrag[endpoint.ufrag] = endpoint
        self._addresses[endpoint.ufrag] = OrderedDict()

    def detach(self, endpoint: Endpoint) -> None:
        if self._by_ufrag.get(endpoint.ufrag) is not endpoint:
            return
        del self._by_ufrag[endpoint.ufrag]
        for address in self._addresses.pop(endpoint.ufrag):
            if self._by_address.get(address) is endpoint:
                del self._by_address[address]

    def learn(self, endpoint: Endpoint, address: Address) -> None:
        """The endpoint's peer proved that it sends from here. The latest proof wins: a browser may reuse its port."""
        addresses = self._addresses.get(endpoint.ufrag)
        if addresses is None:
            return
        addresses[address] = None
        addresses.move_to_end(address)
        self._by_address[address] = endpoint
        if len(addresses) > MAX_ADDRESSES:
            oldest, _ = addresses.popitem(last=False)
            if self._by_address.get(oldest) is endpoint:
                del self._by_address[oldest]

    def expect(self, transaction_id: bytes, endpoint: Endpoint) -> None:
        self._by_transaction[transaction_id] = endpoint

    def forget(self, transaction_id: bytes) -> None:
        self._by_transaction.pop(transaction_id, None)

    def send(self, data: bytes, address: Address) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, address)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        # An IPv6 address comes with its flow and scope.
        address = (addr[0], addr[1])
        endpoint = self._by_address.get(address) if not data or data[0] > 3 else self._asked_for(data)
        if endpoint is None or not data:
            self.dropped += 1
        else:
            endpoint.datagram_received(data, address)

    def error_received(self, exc: Exception) -> None:
        """An ICMP error says nothing that a missing answer does not say; it may be forged."""

    def _asked_for(self, data: bytes) -> Endpoint | None:
        if len(data) < 20:
            return None
        kind, length, cookie = _HEADER.unpack_from(data)
        if cookie != _COOKIE or length + 20 != len(data):
            return None
        match kind:
            case _ if kind == _BINDING_REQUEST:
                return self._by_ufrag.get(requested_ufrag(data) or "")
            case _ if kind in (_BINDING_SUCCESS, _BINDING_ERROR):
                return self._by_transaction.get(data[8:20])
            case _:
                return None

    def _open_transport(self) -> asyncio.DatagramTransport:
        if self._transport is None:
            raise RuntimeError("the port is not open")
        return self._transport


async def bind_udp(address: str, port: int) -> UdpPort:
    """Opens a port; 0 lets the system choose. Raises `OSError` if it is taken or the address is not this host's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)  # noqa: FBT003 (the socket's own signature)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(UdpPort, sock=sock)
    except BaseException:  # whatever it was, the socket is not left behind
        sock.close()
        raise
    return protocol
