"""ASGI scopes as a server hands them over: of an upgrade, and of a webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.types import Scope

__all__ = ("upgrade", "webhook")


def upgrade(
    path: str, headers: Mapping[str, str] | None = None, *, host: str = "voice.example.com", token: str | None = None
) -> Scope:
    """``token``: that stands in the path."""
    return _scope("websocket", "ws", path, headers, host) | {
        "subprotocols": [],
        "path_params": {} if token is None else {"token": token},
    }


def webhook(
    path: str, headers: Mapping[str, str] | None = None, *, host: str = "voice.example.com", method: str = "POST"
) -> Scope:
    return _scope("http", "http", path, headers, host) | {"method": method, "path_params": {}}


def _scope(kind: str, scheme: str, target: str, headers: Mapping[str, str] | None, host: str) -> dict[str, Any]:
    path, _, query = target.partition("?")
    named = {"host": host, **(headers or {})}
    return {
        "type": kind,
        "scheme": scheme,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items()],
        "client": ("127.0.0.1", 4321),
    }
