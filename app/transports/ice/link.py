"""One ICE association: aioice's `Connection` on the network's ports, with the network's servers and a short consent."""

import asyncio
import random
import secrets
import string
import struct
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, cast

from aioice import Candidate, Connection, TransportPolicy
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import CandidatePair, StunProtocol, relayed_candidate, server_reflexive_candidate
from aioice.stun import Class, Message, TransactionError

from app.transports.ice.network import Network
from app.transports.ice.servers import IceServer, ServerUrl, parse_server_url
from app.transports.ice.udp import MAX_ADDRESSES, Address, UdpPort

__all__ = ("Link", "LinkProtocol")

_LETTERS = string.ascii_letters + string.digits
# After the first answer of a kind, how long the slower servers may still give theirs.
_LATER_ANSWERS_S = 0.1
# A wait that ends no later than this ended in time.
_PUNCTUAL_S = 0.05

Gathered = tuple[Candidate, StunProtocol | None]


def _secret(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


class LinkProtocol(StunProtocol):
    """A link's end of a UDP port or of a TURN allocation. Passes on only what a proved peer sent."""

    def __init__(self, link: "Link", port: UdpPort | None = None) -> None:
        super().__init__(link)
        self.ufrag = link.local_username
        self.port = port
        self._proved: dict[Address, None] = {}

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        data, address = cast(bytes, data), (addr[0], addr[1])
        if not data:
            return
        if data[0] > 3:
            if address in self._proved:
                self.receiver.data_received(data, 1)
            return
        try:
            super().datagram_received(data, address)
        except (struct.error, KeyError):
            # aioice 0.13 lets attributes of a wrong length, or missing ones, through as these.
            return

    def send_stun(self, message: Message, addr: Address) -> None:
        # A success is only ever sent in answer to a request whose integrity was checked.
        if message.message_class is Class.RESPONSE:
            self._proved.pop(addr, None)
            self._proved[addr] = None
            if len(self._proved) > MAX_ADDRESSES:
                del self._proved[next(iter(self._proved))]
            if self.port is not None:
                self.port.learn(self, addr)
        super().send_stun(message, addr)

    async def request(
        self,
        request: Message,
        addr: Address,
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[Message, Address]:
        if self.port is None:
            return await super().request(request, addr, integrity_key, retransmissions)
        transaction_id = request.transaction_id
        self.port.expect(transaction_id, self)
        try:
            return await super().request(request, addr, integrity_key, retransmissions)
        finally:
            self.port.forget(transaction_id)


class _PortTransport(asyncio.DatagramTransport):
    """What aioice takes for a socket: an endpoint's share of a port."""

    def __init__(self, network: Network, port: UdpPort, protocol: LinkProtocol) -> None:
        super().__init__()
        self._network, self._port, self._protocol = network, port, protocol
        self._closed = False

    def sendto(self, data: Any, addr: Any = None) -> None:
        if not self._closed:
            self._port.send(data, addr)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._port.address if name == "sockname" else default

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._network.give_back(self._port, self._protocol)
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)


class Link(Connection):
    """Gathers as the network's settings say, and ends as soon as they say that the peer is gone.

    `deliver` gets each datagram of the peer; `lost` is called once, when consent expired.
    Of aioice's private names it uses `_protocols`; `compatibility.py` checks it.
    """

    def __init__(
        self, network: Network, servers: Iterable[IceServer], deliver: Callable[[bytes], None], lost: Callable[[], None]
    ) -> None:
        policy = TransportPolicy.RELAY if network.settings.relay_only else TransportPolicy.ALL
        super().__init__(
            ice_controlling=False, transport_policy=policy, local_username=_secret(8), local_password=_secret(24)
        )
        self.selected: CandidatePair | None = None
        self._network = network
        self._servers = tuple(servers)
        self._deliver = deliver
        self._lost = lost

    async def get_component_candidates(self, component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:  # noqa: ARG002, ASYNC109 (aioice's signature)
        hosts: list[LinkProtocol] = []
        if not self._network.settings.relay_only:
            for preference, address in enumerate(self._network.addresses):
                hosts.append(await self._take_port(address, component, preference))
        candidates = [host.local_candidate for host in hosts]
        within_s = self._network.settings.gather_timeout_ms / 1_000
        urls = [(server, parse_server_url(url)) for server in self._servers for url in server.urls]
        reflexive = [
            server_reflexive_candidate(host, (url.host, url.port))
            for host in hosts
            # The advertised address is what a STUN server would tell.
            if host.port is not None and host.port.address[0] not in self._network.settings.advertised
            for _, url in urls
            if url.scheme == "stun" and ":" not in host.local_candidate.host
        ]
        relays = [self._relay(server, url, component) for server, url in urls if url.scheme != "stun"]
        for answered in await asyncio.gather(_answers(reflexive, within_s), _answers(relays, within_s)):
            for candidate, protocol in answered:
                if protocol is not None:
                    self._protocols.append(protocol)
                if not any((candidate.host, candidate.port) == (c.host, c.port) for c in candidates):
                    candidates.append(candidate)
        return candidates

    async def query_consent(self) -> None:
        """Asks once per interval, and gives the peer up when nothing was answered for the expiry time (RFC 7675)."""
        loop = asyncio.get_running_loop()
        interval_s = self._network.settings.consent_interval_ms / 1_000
        expiry_s = self._network.settings.consent_expiry_ms / 1_000
        answered_at = loop.time()
        asking: set[asyncio.Task[bool]] = set()
        try:
            while (left_s := answered_at + expiry_s - loop.time()) > 0:
                if (pair := self.selected) is not None:
                    asking.add(asyncio.create_task(self._consents(pair)))
                wait_s = min(left_s, interval_s * random.uniform(0.8, 1.2))  # noqa: S311 (no secret)
                resume_at = loop.time() + wait_s
                while asking and (rest_s := resume_at - loop.time()) > 0:
                    done, asking = await asyncio.wait(asking, timeout=rest_s, return_when=asyncio.FIRST_COMPLETED)
                    if any(task.result() for task in done):
                        answered_at = loop.time()
                await asyncio.sleep(max(0.0, resume_at - loop.time()))
                # What this process was late by is not the peer's silence.
                answered_at += max(0.0, loop.time() - resume_at - _PUNCTUAL_S)
        finally:
            for task in asking:
                task.cancel()
        self._lost()

    def check_complete(self, pair: CandidatePair) -> None:
        if pair.state is CandidatePair.State.SUCCEEDED and pair.nominated:
            self.selected = pair
        super().check_complete(pair)

    def data_received(self, data: bytes, component: int) -> None:  # noqa: ARG002 (aioice's signature)
        if data[0] > 19:
            self._deliver(data)

    async def _consents(self, pair: CandidatePair) -> bool:
        request = self.build_request(pair, nominate=False)
        key = (self.remote_password or "").encode()
        try:
            # One more after half a second: an answer may take a second and a half, and one packet may be lost.
            await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=1)
        except TransactionError:
            return False
        return True

    async def _take_port(self, address: str, component: int, preference: int) -> LinkProtocol:
        protocol = LinkProtocol(self)
        port = await self._network.take(address, protocol)
        protocol.port = port
        protocol.connection_made(_PortTransport(self._network, port, protocol))
        protocol.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", address),
            component=component,
            transport="udp",
            priority=candidate_priority(component, "host", 65_535 - preference),
            host=self._network.advertised(address),
            port=port.address[1],
            type="host",
        )
        self._protocols.append(protocol)
        return protocol

    async def _relay(self, server: IceServer, url: ServerUrl, component: int) -> Gathered:
        return await relayed_candidate(
            component=component,
            hide_related_address=self._network.settings.relay_only,
            protocol_factory=lambda: LinkProtocol(self),
            turn_server=(url.host, url.port),
            turn_username=server.username,
            turn_password=server.credential,
            turn_ssl=url.scheme == "turns",
            turn_transport=url.transport,
        )


async def _answers(asked: Iterable[Coroutine[Any, Any, Gathered]], within_s: float) -> list[Gathered]:
    """What the servers that answer say. The first answer ends the wait for the others, but for a moment."""
    pending = {asyncio.create_task(coroutine) for coroutine in asked}
    answers: list[Gathered] = []
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    try:
        while pending and (left_s := until - loop.time()) > 0:
            done, pending = await asyncio.wait(pending, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            answers += [task.result() for task in done if not task.cancelled() and task.exception() is None]
            if answers:
                until = min(until, loop.time() + _LATER_ANSWERS_S)
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    return answers
