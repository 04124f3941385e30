"""Where the server's WebRTC may be reached: addresses, ports, servers, and how long it waits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from types import MappingProxyType

__all__ = ("NetworkSettings",)


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How sessions are reached. Addresses are IP literals; every mistake raises `ValueError` that names it.

    `addresses`: gathered on; empty means each address of this host but loopback. `advertised`: what to tell the client
    instead of a local address (1:1 NAT). `ports`: the lowest and highest UDP port a session may take. `shared_port`:
    one UDP port for all sessions, instead of a range; 0 lets the system choose. `relay_only`: nothing but TURN is used.
    """

    addresses: tuple[str, ...] = ()
    advertised: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ports: tuple[int, int] | None = None
    shared_port: int | None = None
    relay_only: bool = False
    # A STUN or TURN server that answers no sooner is left out; one that is gone delays each answer so long.
    gather_timeout_ms: int = 1_000
    connect_timeout_ms: int = 15_000
    # A peer that has not answered for so long is gone. RFC 7675 allows up to 30 s; a voice call notices sooner.
    consent_expiry_ms: int = 4_000
    consent_interval_ms: int = 1_000

    def __post_init__(self) -> None:
        for address in (*self.addresses, *self.advertised, *self.advertised.values()):
            _require_address(address)
        for local, advertised in self.advertised.items():
            if self.addresses and local not in self.addresses:
                raise ValueError(f"advertised: {local} is not among the addresses gathered on")
            if ip_address(local).version != ip_address(advertised).version:
                raise ValueError(f"advertised: {local} and {advertised} are not of the same IP version")
        if self.ports is not None:
            if self.shared_port is not None:
                raise ValueError("ports and shared_port exclude each other")
            low, high = self.ports
            if not 1 <= low <= high <= 65_535:
                raise ValueError(f"ports: {low}-{high} is no range within 1-65535")
        if self.shared_port is not None and not 0 <= self.shared_port <= 65_535:
            raise ValueError(f"shared_port: {self.shared_port} is not within 0-65535")
        if not 0 < self.consent_interval_ms < self.consent_expiry_ms:
            raise ValueError("consent_interval_ms must be above 0 and below consent_expiry_ms")
        for name in ("gather_timeout_ms", "connect_timeout_ms"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")


def _require_address(text: str) -> None:
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None
    if address.is_unspecified:
        raise ValueError(f"{text} stands for every address: name those to gather on, or none for all")
    if address.version == 6 and address in ip_network("fe80::/10"):
        raise ValueError(f"{text} is link-local and cannot be bound without a zone")
