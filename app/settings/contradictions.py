"""Values that are right each for itself and do not fit together."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from app.settings.hosts import is_loopback
from app.settings.tables import Auth, Settings, WebRtc, in_order
from app.settings.telephony import telephony_contradictions
from app.transports.ice.servers import parse_server_url
from providers.registry import KINDS, names

__all__ = ("contradictions", "unknown_providers")


def contradictions(settings: Settings) -> Iterator[str]:
    yield from unknown_providers(settings)
    yield from _weak_credentials(settings.auth)
    yield from _webrtc_contradictions(settings.webrtc)
    yield from telephony_contradictions(settings.telephony)
    fallback = ((f"agent.fallback.{at}", agent) for at, agent in enumerate(settings.agent.fallback))
    for path, agent in (("agent", settings.agent), *fallback):
        for name in ("url", "secret"):
            if getattr(agent, name) is not None and agent.provider in {"demo", "echo"}:
                yield f"{path}.{name}: given, but {path}.provider is {agent.provider}, which calls nobody"
            if getattr(agent, name) is not None and name in agent.options:
                yield f"{path}.options.{name}: given twice, {path}.{name} alone allowed"
    server = settings.server
    if not (settings.auth.configured or server.insecure or is_loopback(server.host)):
        yield (
            f"server.host: {server.host!r} given, loopback allowed while neither auth.api_keys nor auth.jwt_secret is "
            "set (--insecure serves everybody)"
        )


def unknown_providers(settings: Settings) -> Iterator[str]:
    for kind in KINDS:
        known = names(kind)
        before: list[tuple[str, dict[str, Any]]] = []
        for path, name, options in in_order(settings, kind):
            if name not in known:
                yield f"{path}.provider: {name!r} given, {', '.join(known)} allowed"
            if (name, options) in before:
                yield f"{path}: {name!r} given, with the same options once allowed"
            before.append((name, options))


def _weak_credentials(auth: Auth) -> Iterator[str]:
    if any(len(key.get_secret_value()) < 8 for key in auth.api_keys):
        yield "auth.api_keys: *** given, keys of at least 8 characters allowed"
    # RFC 7518 § 3.2: a key for HS256 has at least the size of the hash.
    if auth.jwt_secret is not None and len(auth.jwt_secret.get_secret_value().encode()) < 32:
        yield "auth.jwt_secret: *** given, at least 32 bytes allowed"
    for origin in auth.allowed_origins:
        if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
            yield f"auth.allowed_origins: {origin!r} given, origins such as https://example.com allowed"


def _webrtc_contradictions(webrtc: WebRtc) -> Iterator[str]:
    yield from _wrong_addresses(webrtc)
    if (webrtc.port_min is None) != (webrtc.port_max is None):
        yield "webrtc.port_min: given together with webrtc.port_max, or neither of them"
    elif webrtc.port_min is not None and webrtc.port_max is not None:
        if webrtc.port_min > webrtc.port_max:
            yield f"webrtc.port_min: {webrtc.port_min} given, at most webrtc.port_max ({webrtc.port_max}) allowed"
        if webrtc.shared_port is not None:
            yield "webrtc.shared_port: given together with webrtc.port_min and port_max, one way allowed"
    for name in ("stun", "turn"):
        for url in getattr(webrtc, name):
            try:
                fits = parse_server_url(url).scheme.startswith(name)
            except ValueError:
                fits = False
            if not fits:
                yield f"webrtc.{name}: {url!r} given, URLs such as {name}:{name}.example.com:3478 allowed"
    if (webrtc.turn_username is None) != (webrtc.turn_password is None):
        yield "webrtc.turn_username: given together with webrtc.turn_password, or neither of them"
    if webrtc.turn_secret is not None and webrtc.turn_password is not None:
        yield "webrtc.turn_secret: given together with webrtc.turn_password, one of them allowed"
    has_credentials = webrtc.turn_secret is not None or webrtc.turn_password is not None
    if bool(webrtc.turn) != has_credentials:
        yield "webrtc.turn: given together with webrtc.turn_secret, or with webrtc.turn_username and turn_password"
    if webrtc.relay_only and not webrtc.turn:
        yield "webrtc.relay_only: true given, false allowed while webrtc.turn names no server"


def _wrong_addresses(webrtc: WebRtc) -> Iterator[str]:
    named = [("addresses", address) for address in webrtc.addresses]
    named += [("advertised", address) for pair in webrtc.advertised.items() for address in pair]
    for name, text in named:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            yield f"webrtc.{name}: {text!r} given, IP addresses allowed"
            continue
        if address.is_unspecified or address.is_link_local:
            yield f"webrtc.{name}: {text!r} given, addresses of one interface and not link-local allowed"
    for local, public in webrtc.advertised.items():
        if webrtc.addresses and local not in webrtc.addresses:
            yield f"webrtc.advertised: {local!r} given, one of webrtc.addresses allowed"
        if (":" in local) != (":" in public):
            yield f"webrtc.advertised: {local}={public} given, addresses of one IP version allowed"
