"""What a gateway says before its call: read until the call starts, by its codec, once that is known."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import Receive, Send

from app.settings.telephony import Telephony
from app.transports.phone.farewell import Farewell, message_of
from app.transports.phone.gateways import codec_of
from app.wire.phone.api import Codec, Event, HungUp, Message, PhoneCall, Respond, Started, WireError
from app.wire.phone.detect import by_message

__all__ = ("GoneError", "Greeted", "greet")

_MESSAGES = 10
"""More than any gateway sends before it starts its call."""


class GoneError(Exception):
    """The gateway has left."""


@dataclass(frozen=True, slots=True)
class Greeted:
    """``rest``: what came in one message with the start, behind it."""

    codec: Codec
    call: PhoneCall
    rest: list[Event]


async def greet(gateway: str | None, settings: Telephony, receive: Receive, send: Send, *, limit_s: float) -> Greeted:
    """Without a ``gateway`` it is recognised from its messages.

    :raises Farewell: nothing came in time, or nothing of any use.
    :raises GoneError:
    """
    try:
        async with asyncio.timeout(limit_s):
            return await _read(gateway, settings, receive, send)
    except TimeoutError:
        raise Farewell(1008, f"no start within {limit_s:g} s") from None
    except WireError as error:
        raise Farewell(1007, str(error)) from None


async def _read(gateway: str | None, settings: Telephony, receive: Receive, send: Send) -> Greeted:
    codec = None if gateway is None else codec_of(gateway, settings)
    unread: list[Message] = []
    for _ in range(_MESSAGES):
        received = await receive()
        if received["type"] == "websocket.disconnect":
            raise GoneError
        unread.append(message_of(received))
        if codec is None:
            gateway = by_message(unread[-1])
            codec = None if gateway is None else codec_of(gateway, settings)
        if codec is None:
            continue
        events = [event for message in unread for event in codec.decode(message)]
        unread.clear()
        while events:
            match events.pop(0):
                case Started(call):
                    return Greeted(codec, call, events)
                case Respond(message):
                    kind = "text" if isinstance(message, str) else "bytes"
                    await send({"type": "websocket.send", kind: message})
                case HungUp():
                    raise GoneError
                case _:
                    pass
    raise WireError("no start among the first messages")
