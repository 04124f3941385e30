"""A request as its sender wrote it: what signatures are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

__all__ = ("Received", "fields_of", "received", "unix_time")

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Received:
    """``url``: the public one, with its query; of an upgrade it begins with ws or wss. ``headers``: their names in any
    case. ``body`` is empty for an upgrade."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_upgrade(self) -> bool:
        return self.url.startswith("ws")

    @property
    def form(self) -> list[tuple[str, str]]:
        """The fields of a form, in the order in which they came; none where the body is something else."""
        return _form(self.headers.get("content-type", ""), self.body)

    @property
    def authority(self) -> str:
        """Lower case, without a default port (RFC 9110 § 4.2.3)."""
        parts = urlsplit(self.url)
        host = (parts.hostname or "").lower()
        host = f"[{host}]" if ":" in host else host
        return host if parts.port in {None, _DEFAULT_PORTS[parts.scheme]} else f"{host}:{parts.port}"

    @property
    def target(self) -> str:
        """The path and the query."""
        parts = urlsplit(self.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def urls(self) -> list[str]:
        """The ways in which a vendor may have written ``url``: with or without the default port, and of an upgrade
        also as https, and with or without a slash at its end."""
        schemes = [self.url.partition("://")[0]]
        if self.is_upgrade:
            schemes.append({"ws": "http", "wss": "https"}[schemes[0]])
        written = []
        for scheme in schemes:
            for authority in self._authorities():
                written += [f"{scheme}://{authority}{target}" for target in self._targets()]
        return written

    def _authorities(self) -> list[str]:
        parts = urlsplit(self.url)
        is_default = parts.port in {None, _DEFAULT_PORTS[parts.scheme]}
        return [self.authority, f"{self.authority}:{_DEFAULT_PORTS[parts.scheme]}"] if is_default else [self.authority]

    def _targets(self) -> list[str]:
        path, mark, query = self.target.partition("?")
        if not self.is_upgrade:
            return [self.target]
        return [f"{way}{mark}{query}" for way in (path.rstrip("/"), f"{path.rstrip('/')}/")]


def received(scope: Scope, body: bytes, public_url: str | None) -> Received:
    """``public_url``: where the world reaches this server; else the ``Host`` that the request names. What a proxy says
    in its headers is not believed, for anyone can say it."""
    headers = Headers(scope=scope)
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string", b"")
    target = path.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
    host = headers.get("host", "")
    base = public_url.rstrip("/") if public_url else f"{scope['scheme']}://{host if _is_host(host) else ''}"
    if scope["type"] == "websocket":
        base = base.replace("http", "ws", 1) if base.startswith("http") else base
    return Received(scope.get("method", "GET"), base + target, headers, body)


def _is_host(text: str) -> bool:
    try:
        return urlsplit(f"//{text}").netloc == text and urlsplit(f"//{text}").port != 0
    except ValueError:
        return False


def fields_of(query: Mapping[str, str], content_type: str, body: bytes) -> dict[str, str]:
    """What a webhook says, wherever it says it: in the query, in a form, or as the texts of a JSON object."""
    return {**query, **dict(_form(content_type, body)), **_json(content_type, body)}


def _form(content_type: str, body: bytes) -> list[tuple[str, str]]:
    if _kind(content_type) != "application/x-www-form-urlencoded":
        return []
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def _json(content_type: str, body: bytes) -> dict[str, str]:
    if _kind(content_type) != "application/json":
        return {}
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return {name: value for name, value in given.items() if isinstance(value, str)} if isinstance(given, dict) else {}


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def unix_time(text: str) -> int | None:
    """In seconds; None for what is no time, or further away than any."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
