"""``POST /v1/calls``: have a gateway ring somebody, who then talks with the agent."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from app.edge import SHOWN_IN_DOCS, EdgeOf, Manager
from app.gateways.answers import exotel_url
from app.gateways.control import GatewayError, NewCall
from app.gateways.exchange import Exchange
from app.problems import problem
from app.routes.telephony import ExchangeOf
from session.errors import ErrorCode, SessionError

__all__ = ("router",)

router = APIRouter(prefix="/v1/calls", tags=["telephony"], dependencies=[SHOWN_IN_DOCS])

Number = Annotated[str, Field(pattern=r"^\+?[0-9]{3,15}$")]


class OutboundCall(BaseModel):
    """``from``: a number of yours at the gateway. Both in E.164."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    gateway: Annotated[str, Field(min_length=1)]
    to: Number
    from_: Annotated[Number, Field(alias="from")]
    metadata: dict[str, Any] = {}


@router.post("", status_code=201, responses={502: {"description": "the gateway refused, or could not be reached"}})
async def call(body: OutboundCall, edge: EdgeOf, exchange: ExchangeOf, identity: Manager) -> JSONResponse:
    """Ring ``to``. The call becomes a session once it is answered; its agent is told ``metadata``."""
    able = [name for name, control in exchange.controls.items() if "call" in control.operations]
    if body.gateway not in able:
        known = ", ".join(able) or "none"
        reason = f"gateway: {body.gateway!r} given, one that can start calls and has an account allowed: {known}"
        raise SessionError("call", ErrorCode.INVALID_INPUT, reason)
    public_url = exchange.settings.public_url
    if public_url is None:
        raise SessionError(
            "call", ErrorCode.INVALID_CONFIG, "telephony.public_url is not set: who answers finds nobody"
        )
    edge.admit(identity)
    key = exchange.outbound.expect(body.metadata)
    answer_url = f"{public_url.rstrip('/')}/v1/telephony/{body.gateway}/voice?call={key}"
    new = NewCall(body.to, body.from_, answer_url, _stream_url(exchange, body.gateway, key))
    try:
        call_id = await exchange.controls[body.gateway].call(new)
    except GatewayError as error:  # the call may have been started all the same, so its key stays known
        return problem(502, ErrorCode.TRANSPORT_ERROR, str(error), gateway=body.gateway)
    return JSONResponse({"call_id": call_id, "gateway": body.gateway, "to": body.to, "from": body.from_}, 201)


def _stream_url(exchange: Exchange, gateway: str, key: str) -> str:
    """For Exotel, which asks no webhook: with everything in it."""
    url, parameters = exchange.stream(gateway, "", {"call": key})
    return str(exotel_url(url, parameters, exchange.settings.exotel)["url"])
