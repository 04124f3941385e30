"""HTTP Basic (RFC 7617), of the gateways that are given a name and a password, and of those that want one."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode

from app.gateways.received import Received

__all__ = ("basic", "has_password")


def basic(username: str, password: str) -> dict[str, str]:
    """The header that has them."""
    return {"Authorization": "Basic " + b64encode(f"{username}:{password}".encode()).decode()}


def has_password(request: Received, username: str, password: str) -> bool:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = b64decode(encoded.strip(), validate=True)
    except ValueError:
        return False
    return hmac.compare_digest(given, f"{username}:{password}".encode())
