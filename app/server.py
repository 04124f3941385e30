"""The process: a socket, an event loop, signals. ``serve`` returns when the server has shut down."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from rich.console import Console
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from app.edge import Edge
from app.settings import Settings, WebRtc
from app.wire.messages import MAX_MESSAGE_BYTES
from session.notices import EndReason

__all__ = ("bind", "configure", "serve", "unusable_addresses")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_SEND_BUFFER_BYTES = 64 * 1024
"""What the kernel keeps for a client that does not read: little, so that the server soon notices."""

_UNREAD_FOR_MS = 30_000
"""A connection whose client takes nothing for so long is closed by the kernel, with what is left to write."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; those that it accepts have its options.

    :raises OSError: the address is taken, or not ours.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a frame must not wait for an acknowledgement
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_FOR_MS)
        listener.bind(address)
        listener.listen(1024)
    except BaseException:  # whatever it was, the socket is not left behind
        listener.close()
        raise
    return listener


def unusable_addresses(webrtc: WebRtc) -> list[str]:
    """A line for each address and port of the settings that WebRTC could not have just now."""
    if not webrtc.enabled or webrtc.relay_only:
        return []
    port = webrtc.shared_port or 0
    mistakes: list[str] = []
    for address in webrtc.addresses or ["0.0.0.0"]:  # noqa: S104 - looked at, and not served
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((address, port))
            except OSError as error:
                name = "shared_port" if port else "addresses"
                mistakes.append(f"webrtc.{name}: {address}:{port} given, cannot listen there: {error.strerror}")
    return mistakes


def configure(app: FastAPI) -> uvicorn.Config:
    """A client that answers no ping for two intervals of the sessions' keep-alive is cut off."""
    session = app.state.edge.settings.session
    ping_every_s = session.keep_alive_interval_ms / 1000 if session.enable_keep_alive else None
    return uvicorn.Config(
        app,
        ws=_websocket,  # type: ignore[arg-type] # a function makes the protocol as a class would
        ws_max_size=8 * MAX_MESSAGE_BYTES,  # what is a little too long is told so, by us
        ws_per_message_deflate=False,  # audio does not shrink, and each connection would pay for trying
        ws_ping_interval=ping_every_s,
        ws_ping_timeout=None if ping_every_s is None else 2 * ping_every_s,
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


def _websocket(
    config: uvicorn.Config,
    server_state: ServerState,
    app_state: dict[str, Any],
    _loop: asyncio.AbstractEventLoop | None = None,
) -> WebSocketsSansIOProtocol:
    """uvicorn's own, with one more thing in the scope's ``state``: ``abort``, which cuts the connection at once."""
    protocol = WebSocketsSansIOProtocol(config, server_state, app_state, _loop)

    def abort() -> None:
        protocol.transport.abort()

    protocol.app_state = {**app_state, "abort": abort}
    return protocol


async def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT: then drain, end what is left, and close. A second signal ends the calls at once,
    and a third the process."""
    edge: Edge = app.state.edge
    server = uvicorn.Server(configure(app))
    loop = asyncio.get_running_loop()
    tasks = [asyncio.create_task(_announce(edge, listener))]
    serving = asyncio.create_task(server.serve(sockets=[listener]))

    def stop() -> None:
        _at_signals(loop, hurry)
        tasks.append(asyncio.create_task(_stop(edge, server)))

    def hurry() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        tasks.append(asyncio.create_task(edge.calls.end_all(EndReason.SERVER_SHUTDOWN)))

    await edge.started.wait()  # uvicorn has taken the signals by then: it would cut the calls at once
    _at_signals(loop, stop)
    await serving
    for task in tasks:
        task.cancel()


def _at_signals(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    for number in _SIGNALS:
        loop.add_signal_handler(number, act)


async def _stop(edge: Edge, server: uvicorn.Server) -> None:
    await edge.drain()
    server.should_exit = True


async def _announce(edge: Edge, listener: socket.socket) -> None:
    await edge.ready.wait()
    address = _address(edge.settings, listener)
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"Ready: [bold]http://{address}[/]")
    console.print(f"Talk to it: [bold]{_program()} talk FILE.wav --url ws://{address}/v1/ws[/]")


def _program() -> str:
    """``beluga-voice`` as it was called, where that is how it was."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "beluga-voice" and not called.is_absolute() else "beluga-voice"


def _address(settings: Settings, listener: socket.socket) -> str:
    host = settings.server.host
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "localhost"
    return f"[{host}]:{listener.getsockname()[1]}" if ":" in host else f"{host}:{listener.getsockname()[1]}"
