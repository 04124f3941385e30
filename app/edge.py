"""What the routes and transports of one server share, and how a request gets hold of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection

from app import memory
from app.admission import Admission, Refused
from app.auth import Gate, Identity, Scope, bearer
from app.calls import Calls
from app.metrics import Metrics
from app.parts import Parts, warm_up
from app.settings import Settings
from app.telemetry import Telemetry
from session import FrameCounts, agents_told
from session.notices import EndReason

__all__ = ("SHOWN_IN_DOCS", "Edge", "EdgeOf", "Manager", "Reader", "identify")


@dataclass(frozen=True, slots=True)
class Edge:
    settings: Settings
    parts: Parts
    frames: FrameCounts
    calls: Calls
    metrics: Metrics
    telemetry: Telemetry
    gate: Gate
    admission: Admission
    started: asyncio.Event
    """Set when the server runs; ``ready``: when the models are warm too."""
    ready: asyncio.Event

    async def run(self) -> None:
        """Warm the models up, then keep house, until cancelled."""
        self.started.set()
        await warm_up(self.parts)
        self.admission.warm = True
        self.ready.set()
        await asyncio.gather(self.metrics.sample_lag(), memory.give_back())

    def admit(self, identity: Identity) -> None:
        """
        :raises Refused: counted.
        """
        try:
            self.admission.admit(identity.subject)
        except Refused as refused:
            self.metrics.refused(refused.reason)
            raise
        self.calls.make_room(self.settings.limits.max_sessions)

    async def drain(self) -> None:
        """Take nobody new, let the calls go on for the grace, then end those that are left."""
        self.admission.draining = True
        if len(self.calls):
            await self.calls.wait_empty(self.settings.server.shutdown_grace)
        await self.calls.end_all(EndReason.SERVER_SHUTDOWN)

    async def aclose(self) -> None:
        await self.calls.end_all(EndReason.SERVER_SHUTDOWN)
        await agents_told()
        await self.parts.aclose()
        await self.telemetry.aclose()


async def _edge_of(connection: HTTPConnection) -> Edge:
    """A coroutine, as all dependencies here: FastAPI calls plain functions in a thread."""
    edge = connection.app.state.edge
    assert isinstance(edge, Edge)  # noqa: S101 - create_app has put it there
    return edge


def identify(connection: HTTPConnection) -> Identity:
    """
    :raises Unauthorised: Forbidden: as ``Gate`` says.
    """
    gate: Gate = connection.app.state.edge.gate
    gate.check_origin(connection.headers)
    token = bearer(connection.headers, connection.query_params, connection.scope.get("subprotocols", []))
    address = connection.client.host if connection.client is not None else "unknown"
    return gate.identify(token, address)


async def _reader(connection: HTTPConnection) -> Identity:
    identity = identify(connection)
    identity.require(Scope.READ, connection.path_params.get("session_id"))
    return identity


async def _manager(connection: HTTPConnection) -> Identity:
    identity = identify(connection)
    identity.require(Scope.MANAGE, connection.path_params.get("session_id"))
    return identity


SHOWN_IN_DOCS = Security(HTTPBearer(auto_error=False))
"""Tells ``/docs`` that there is a credential; ``identify`` reads it."""

EdgeOf = Annotated[Edge, Depends(_edge_of)]
Reader = Annotated[Identity, Depends(_reader)]
Manager = Annotated[Identity, Depends(_manager)]
