"""What phone gateways ask over HTTP when a call comes in.

Every request is checked before anything else is done with it, and answered in the vendor's own words for: connect this
call with our stream. What the agent shall know of the call goes along as parameters of the stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from app.edge import SHOWN_IN_DOCS
from app.gateways import answers
from app.gateways.control import GatewayError
from app.gateways.exchange import Exchange
from app.gateways.received import fields_of
from session.errors import ErrorCode, SessionError

__all__ = ("ExchangeOf", "router")

router = APIRouter(prefix="/v1/telephony", tags=["telephony"], dependencies=[SHOWN_IN_DOCS])


async def _exchange_of(request: Request) -> Exchange:
    exchange = request.app.state.exchange
    assert isinstance(exchange, Exchange)  # noqa: S101 - create_app has put it there
    return exchange


ExchangeOf = Annotated[Exchange, Depends(_exchange_of)]

_XML: dict[str, Any] = {
    "response_class": Response,
    "responses": {200: {"content": {"application/xml": {"schema": {"type": "string"}}}}},
}


@router.post("/twilio/voice", **_XML)
async def twilio_voice(request: Request, exchange: ExchangeOf) -> Response:
    """TwiML that connects a call with the agent."""
    asked = await _checked("twilio", request, exchange)
    url, parameters = _stream("twilio", request, exchange, _named(asked, {"from": "From", "to": "To"}))
    return _xml(answers.twiml_stream(url, parameters))


@router.post("/telnyx/voice", **_XML)
async def telnyx_voice(request: Request, exchange: ExchangeOf) -> Response:
    """TeXML that connects a call with the agent."""
    asked = await _checked("telnyx", request, exchange)
    url, parameters = _stream("telnyx", request, exchange, _named(asked, {"from": "From", "to": "To"}))
    return _xml(answers.texml_stream(url, parameters, exchange.settings.telnyx))


@router.get("/vonage/voice")
@router.post("/vonage/voice")
async def vonage_voice(request: Request, exchange: ExchangeOf) -> list[dict[str, Any]]:
    """An NCCO that connects a call with the agent; the stream itself would not say whose it is."""
    asked = await _checked("vonage", request, exchange)
    named = _named(asked, {"from": "from", "to": "to", "call_uuid": "uuid"})
    url, parameters = _stream("vonage", request, exchange, named)
    return answers.ncco_connect(url, parameters, exchange.settings.vonage)


@router.post("/plivo/voice", **_XML)
async def plivo_voice(request: Request, exchange: ExchangeOf) -> Response:
    """Plivo XML that connects a call with the agent."""
    asked = await _checked("plivo", request, exchange)
    named = _named(asked, {"from": "From", "to": "To"})
    url, parameters = _stream("plivo", request, exchange, named)
    return _xml(answers.plivo_stream(url, parameters, exchange.settings.plivo))


@router.post("/plivo/dial", **_XML)
async def plivo_dial(to: str, request: Request, exchange: ExchangeOf) -> Response:
    """Plivo XML that connects a call with somebody else: where a transfer leads to."""
    await _checked("plivo", request, exchange)
    try:
        return _xml(answers.plivo_dial(to))
    except GatewayError as error:
        raise SessionError("transfer", ErrorCode.INVALID_INPUT, error.reason) from None


@router.get("/exotel/voice")
async def exotel_voice(request: Request, exchange: ExchangeOf) -> dict[str, Any]:
    """The URL of the stream, for a Voicebot applet; the stream says itself who calls."""
    await _checked("exotel", request, exchange)
    url, parameters = _stream("exotel", request, exchange, {})
    return answers.exotel_url(url, parameters, exchange.settings.exotel)


@router.post("/jambonz/voice")
async def jambonz_voice(request: Request, exchange: ExchangeOf) -> list[dict[str, Any]]:
    """A ``listen`` verb that connects a call with the agent; the stream says itself who calls."""
    await _checked("jambonz", request, exchange)
    url, parameters = _stream("jambonz", request, exchange, {})
    return answers.jambonz_listen(url, parameters, exchange.settings.jambonz)


@router.post("/jambonz/dial")
async def jambonz_dial(to: str, request: Request, exchange: ExchangeOf) -> list[dict[str, Any]]:
    """A ``dial`` verb that connects a call with somebody else: where a transfer leads to."""
    await _checked("jambonz", request, exchange)
    try:
        return answers.jambonz_dial(to)
    except GatewayError as error:
        raise SessionError("transfer", ErrorCode.INVALID_INPUT, error.reason) from None


async def _checked(gateway: str, request: Request, exchange: Exchange) -> dict[str, str]:
    """What was asked, once it is known who asks.

    :raises Unauthorised: Forbidden:
    """
    body = await request.body()
    exchange.trust.check_webhook(gateway, request.scope, body)
    return fields_of(request.query_params, request.headers.get("content-type", ""), body)


def _named(asked: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """In our words for what each vendor calls otherwise; what it does not say is left out."""
    return {ours: asked[theirs] for ours, theirs in names.items() if asked.get(theirs)}


def _stream(
    gateway: str, request: Request, exchange: Exchange, parameters: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    call = request.query_params.get("call")
    known = {} if call is None else {"call": call}
    return exchange.stream(gateway, str(request.base_url), {**parameters, **known})


def _xml(document: bytes) -> Response:
    return Response(document, media_type="application/xml")
