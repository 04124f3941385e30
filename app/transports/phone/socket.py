"""``WS /v1/telephony/{gateway}``: may whoever connects have a call, and what is known of it?

A plain ASGI endpoint, as the audio WebSocket's and for the same reason.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import structlog
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from app.admission import Reason, Refused
from app.auth import Forbidden, Identity, Unauthorised
from app.calls import Call
from app.edge import Edge
from app.gateways.exchange import Exchange
from app.spans import ids, incoming
from app.transports.joining import call_for
from app.transports.phone.connection import PhoneConnection
from app.transports.phone.farewell import Farewell
from app.transports.phone.gateways import subprotocol, which
from app.transports.phone.greeting import GoneError, Greeted, greet
from app.wire.phone.api import PhoneCall
from app.wire.phone.catalogue import CODECS
from session.errors import SessionError

__all__ = ("PhoneSocket",)

logger = structlog.get_logger("beluga.telephony")

T = TypeVar("T")


class PhoneSocket:
    """The endpoint. One call of it is one connection."""

    def __init__(self, edge: Edge, exchange: Exchange) -> None:
        self._edge = edge
        self._exchange = exchange

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        gateway: str | None = scope.get("path_params", {}).get("gateway")
        try:
            identity = await self._upgraded(gateway, scope, send)
            greeted = await self._greeted(which(gateway, scope.get("subprotocols", [])), receive, send)
            call = await self._call_for(greeted.call, scope, identity)
        except Farewell as farewell:
            # A socket that was not accepted is refused with HTTP 403.
            logger.warning("connection closed", gateway=gateway, code=farewell.code, reason=str(farewell))
            await send({"type": "websocket.close", "code": farewell.code, "reason": str(farewell)})
        except GoneError:
            return
        else:
            connection = PhoneConnection(
                self._edge,
                self._exchange.settings,
                call,
                greeted.call,
                greeted.codec,
                control=self._exchange.controls.get(greeted.call.gateway),
                abort=scope.get("state", {}).get("abort", lambda: None),
            )
            await connection.run(receive, send, greeted.rest)

    async def _upgraded(self, gateway: str | None, scope: Scope, send: Send) -> Identity | None:
        if gateway is not None and gateway not in CODECS:
            raise Farewell(1008, f"unknown gateway; one of {', '.join(CODECS)} is allowed")
        identity = await self._trusted(self._exchange.trust.check_upgrade(gateway, scope))
        offered = scope.get("subprotocols", [])
        chosen = subprotocol(which(gateway, offered), offered)
        await send({"type": "websocket.accept", "subprotocol": chosen})
        return identity

    async def _greeted(self, gateway: str | None, receive: Receive, send: Send) -> Greeted:
        limit_s = self._edge.settings.limits.start_within
        return await greet(gateway, self._exchange.settings, receive, send, limit_s=limit_s)

    async def _call_for(self, phone: PhoneCall, scope: Scope, identity: Identity | None) -> Call:
        """
        :raises Farewell: they may not, or there is no room.
        """
        trusted = self._exchange.trust.check_start(phone.gateway, scope, phone.parameters, identity)
        identity = await self._trusted(trusted)
        known = self._exchange.outbound.take(phone.parameters.get("call", ""))
        try:
            call, _ = call_for(self._edge, identity, session_id=None, metadata={**known, **_metadata(phone)})
        except Refused as refused:
            raise Farewell(1008 if refused.reason is Reason.RATE else 1013, str(refused)) from None
        except SessionError as error:
            raise Farewell(1008, error.message) from None
        if ids(context := incoming(HTTPConnection(scope).headers)):
            call.context = context
        return call

    async def _trusted(self, checked: Awaitable[T]) -> T:
        try:
            return await checked
        except (Unauthorised, Forbidden):
            self._edge.metrics.refused("unauthorized")
            raise Farewell(1008, "a valid credential is needed") from None


def _metadata(phone: PhoneCall) -> dict[str, object]:
    """What the agent is told of a call. A token that opened it is nobody's business."""
    parameters = {name: value for name, value in phone.parameters.items() if name not in {"token", "call"}}
    return {
        "gateway": phone.gateway,
        "call_id": phone.call_id,
        "from": phone.caller or parameters.pop("from", None),
        "to": phone.callee or parameters.pop("to", None),
        "parameters": parameters,
    }
