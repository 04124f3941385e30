"""Who can reach a host."""

from __future__ import annotations

import ipaddress

__all__ = ("is_loopback",)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
