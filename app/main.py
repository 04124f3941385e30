"""The composition root: everything is put together here, and nothing else is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.routing import WebSocketRoute

from app import logs, parts, problems, telemetry
from app.admission import Admission
from app.auth import Gate
from app.body_limit import BodyLimit
from app.calls import Calls
from app.edge import Edge
from app.gateways.exchange import Exchange
from app.routes import health, outbound_calls, page, sessions, telephony, webrtc
from app.settings import Settings
from app.traces import Traces
from app.transports.phone.socket import PhoneSocket
from app.transports.websocket import AudioSocket
from app.wire.messages import MAX_MESSAGE_BYTES
from session import FrameCounts

__all__ = ("create_app",)

logger = structlog.get_logger("beluga.server")


def create_app(settings: Settings) -> FastAPI:
    """The server as an ASGI application. Models are loaded in the background once it runs.

    :raises WrongSettings: when a provider cannot be made as configured, or the folder of the traces;
        or when telemetry cannot be sent as configured.
    """
    traces = Traces(settings.log.traces)
    edge = _edge(settings, traces)
    app = FastAPI(title="Beluga Voice", version=version("beluga-voice"), lifespan=_lifespan)
    app.state.edge = edge
    app.state.traces = traces
    app.state.webrtc = webrtc.make(edge)
    app.state.exchange = exchange = Exchange.of(settings, edge.gate)
    app.include_router(health.router)
    app.include_router(sessions.router)
    app.include_router(webrtc.router)
    app.include_router(telephony.router)
    app.include_router(outbound_calls.router)
    app.router.routes.append(WebSocketRoute("/v1/ws", AudioSocket(edge), name="audio_socket"))
    phone = PhoneSocket(edge, exchange)
    for path in ("", "/{gateway}", "/{gateway}/{token}"):
        app.router.routes.append(WebSocketRoute(f"/v1/telephony{path}", phone, name="phone_socket"))
    app.router.routes.extend(page.routes())
    app.add_middleware(BodyLimit, max_bytes=MAX_MESSAGE_BYTES)
    if settings.auth.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.auth.allowed_origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE", "OPTIONS"],
            allow_headers=["Authorization", "Content-Type", "If-Match"],
            expose_headers=["Location", "ETag", "Link"],
        )
    problems.install(app)
    return app


def _edge(settings: Settings, traces: Traces) -> Edge:
    made = parts.build(settings)
    frames = FrameCounts()
    observed = telemetry.build()
    metrics = observed.metrics
    calls = Calls(
        made,
        settings.session,
        frames=frames,
        connect_within_s=settings.limits.connect_within,
        watchers=(metrics.watch, logs.watcher(settings.log), traces.watch),
        operation=metrics.operation,
        tracing=observed.tracing,
        trace=traces.open,
    )
    metrics.read(frames, calls.all, tuple(made.breakers()))
    gate = Gate(settings.auth, insecure=settings.server.insecure, session_of=calls.session_of)
    admission = Admission(settings.limits, sessions=lambda: calls.taken, clock_s=time.monotonic)
    return Edge(settings, made, frames, calls, metrics, observed, gate, admission, asyncio.Event(), asyncio.Event())


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    edge: Edge = app.state.edge
    peers = app.state.webrtc
    if not isinstance(peers, str):
        try:
            await peers.start()
        except OSError as error:  # `serve` looked before; somebody took the port since
            logger.error("no WebRTC", reason=str(error))  # noqa: TRY400 - the reason says it all
            app.state.webrtc = f"its network cannot be opened: {error}"
    running = asyncio.create_task(edge.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
        await edge.aclose()
        await app.state.exchange.aclose()
        if not isinstance(peers, str):
            await peers.aclose()
        await app.state.traces.aclose()
