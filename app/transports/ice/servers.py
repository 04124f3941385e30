"""STUN and TURN servers, and the time-limited credentials that coturn's `use-auth-secret` verifies."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ("IceServer", "ServerUrl", "ice_servers_json", "link_headers", "parse_server_url", "with_turn_credentials")

_URL = re.compile(
    r"(?P<scheme>stun|turns?):(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?(?:\?transport=(?P<transport>udp|tcp))?"
)


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """One way to a server. `host` is a name or an IP literal without brackets."""

    scheme: Literal["stun", "turn", "turns"]
    host: str
    port: int
    transport: Literal["udp", "tcp"]


@dataclass(frozen=True, slots=True)
class IceServer:
    """One server as clients are told of it; the credentials are for TURN."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None

    def __post_init__(self) -> None:
        if not self.urls:
            raise ValueError("an ICE server needs a URL")
        turns = [url for url in self.urls if parse_server_url(url).scheme != "stun"]
        if turns and (self.username is None or self.credential is None):
            raise ValueError(f"{turns[0]}: a TURN server needs a user name and a credential")


def parse_server_url(url: str) -> ServerUrl:
    """A `stun:`, `turn:` or `turns:` URL (RFC 7064, RFC 7065). Raises `ValueError` naming the URL."""
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(f"{url!r} is not a STUN or TURN URL, such as turn:turn.example.org:3478?transport=udp")
    scheme, transport = match["scheme"], match["transport"]
    if scheme == "stun" and transport is not None:
        raise ValueError(f"{url!r}: a STUN URL has no transport")
    if scheme == "turns" and transport == "udp":
        raise ValueError(f"{url!r}: TURN over DTLS is not supported, only over TLS")
    port = int(match["port"] or (5349 if scheme == "turns" else 3478))
    if not 1 <= port <= 65_535:
        raise ValueError(f"{url!r}: port {port} is not within 1-65535")
    host = match["host"].strip("[]")
    match scheme:
        case "stun":
            return ServerUrl("stun", host, port, "udp")
        case "turns":
            return ServerUrl("turns", host, port, "tcp")
        case _:
            return ServerUrl("turn", host, port, "tcp" if transport == "tcp" else "udp")


def with_turn_credentials(urls: Iterable[str], secret: str, user: str, expires_at_s: int) -> IceServer:
    """A TURN server that one user may use until `expires_at_s` (Unix time).

    The user name is the time, a colon and the user; the credential is base64(HMAC-SHA1(secret, user name)). `secret` is
    coturn's `static-auth-secret`. An allocation made in time lives on past it.
    """
    if not secret:
        raise ValueError("the TURN secret is empty")
    username = f"{expires_at_s}:{user}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return IceServer(tuple(urls), username, base64.b64encode(digest).decode())


def ice_servers_json(servers: Iterable[IceServer]) -> list[dict[str, object]]:
    """As a browser's `RTCConfiguration.iceServers` takes them."""
    return [
        {"urls": list(server.urls)}
        if server.username is None
        else {"urls": list(server.urls), "username": server.username, "credential": server.credential}
        for server in servers
    ]


def link_headers(servers: Iterable[IceServer]) -> list[str]:
    """One WHIP `Link` value per URL (RFC 9725, section 4.6)."""
    headers = []
    for server in servers:
        for url in server.urls:
            link = f'<{url}>; rel="ice-server"'
            if server.username is not None and not url.startswith("stun:"):
                link += f'; username="{_quoted(server.username)}"; credential="{_quoted(server.credential or "")}"'
                link += '; credential-type="password"'
            headers.append(link)
    return headers


def _quoted(text: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("a credential holds a control character")
    return text.replace("\\", "\\\\").replace('"', '\\"')
