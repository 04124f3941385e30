"""The process's own ports: shared by all sessions, or one per session from a range."""

import random
from collections.abc import Mapping
from types import MappingProxyType

from aioice.ice import get_host_addresses

from app.transports.ice.settings import NetworkSettings
from app.transports.ice.udp import Endpoint, UdpPort, bind_udp

__all__ = ("Network", "NoFreePort", "open_network")


class NoFreePort(OSError):
    """Every port of the range is taken."""


class Network:
    """Gives sessions their ports. Made by `open_network`."""

    def __init__(self, settings: NetworkSettings, addresses: tuple[str, ...], shared: Mapping[str, UdpPort]) -> None:
        self.settings = settings
        self.addresses = addresses
        self.shared = MappingProxyType(dict(shared))

    def advertised(self, address: str) -> str:
        """What the client is told instead of a local address."""
        return self.settings.advertised.get(address, address)

    async def take(self, address: str, endpoint: Endpoint) -> UdpPort:
        """A port on this address, the endpoint attached. Give it back. Raises `OSError`, `NoFreePort` among them."""
        port = self.shared.get(address) or await self._bind(address)
        port.attach(endpoint)
        return port

    def give_back(self, port: UdpPort, endpoint: Endpoint) -> None:
        port.detach(endpoint)
        if port not in self.shared.values():
            port.close()

    def close(self) -> None:
        """Closes the shared ports; sessions close theirs themselves."""
        for port in self.shared.values():
            port.close()

    async def _bind(self, address: str) -> UdpPort:
        if self.settings.ports is None:
            return await bind_udp(address, 0)
        low, high = self.settings.ports
        count = high - low + 1
        # From anywhere in the range: two servers on one host, and one restarted, seldom meet.
        start = random.randrange(count)  # noqa: S311 (no secret)
        for offset in range(count):
            try:
                return await bind_udp(address, low + (start + offset) % count)
            except OSError as error:
                last = error
        raise NoFreePort(f"no free UDP port from {low} to {high} on {address}") from last


async def open_network(settings: NetworkSettings) -> Network:
    """Binds the shared port on every address, so that one that is taken stops the start. Raises `OSError`."""
    addresses = settings.addresses or tuple(get_host_addresses(use_ipv4=True, use_ipv6=True))
    shared: dict[str, UdpPort] = {}
    if settings.shared_port is not None and not settings.relay_only:
        chosen = settings.shared_port
        try:
            for address in addresses:
                shared[address] = await bind_udp(address, chosen)
                chosen = shared[address].address[1]
        except OSError:
            for port in shared.values():
                port.close()
            raise
    return Network(settings, addresses, shared)
