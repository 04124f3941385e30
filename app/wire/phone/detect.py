"""Which gateway has connected, where the address does not say it: by its WebSocket's subprotocol or first messages."""

from __future__ import annotations

from collections.abc import Sequence

from app.wire.phone.api import Message, WireError
from app.wire.phone.envelope import Fields, json_object, text_of

__all__ = ("by_message", "by_subprotocol")

SUBPROTOCOLS = {
    "audio.jambonz.org": "jambonz",
    "audio.drachtio.org": "freeswitch-fork",
    "audiostream.drachtio.org": "freeswitch-fork",
}


def by_subprotocol(offered: Sequence[str]) -> str | None:
    """The gateway's name, or None if the subprotocols that it offers do not tell."""
    return next((SUBPROTOCOLS[each] for each in offered if each in SUBPROTOCOLS), None)


def by_message(message: Message) -> str | None:
    """The gateway's name, or None for a greeting that several have: the next message tells.

    Every message so far is still to be given to the codec. FreeSWITCH's free text is not recognised.

    :raises WireError: if no gateway begins like that.
    """
    if isinstance(message, bytes):
        return "freeswitch"  # the only one that may begin with audio
    if text_of(message).startswith("MEDIA_START "):
        return "asterisk"
    fields = json_object(message)
    match fields.text("event", ""):
        case "connected":
            return None
        case "start":
            return _by_start(fields)
        case "MEDIA_START":
            return "asterisk"
        case "websocket:connected":
            return "vonage"
        case "":
            return _without_event(fields)
        case _:
            raise WireError("event: no gateway begins with it")


def _by_start(fields: Fields) -> str:
    """The names that each has for its stream and its call."""
    start = fields.object("start")
    if "streamSid" in start and "callSid" in start:
        return "twilio"
    if "stream_id" in fields and "call_control_id" in start:
        return "telnyx"
    if "streamId" in start and "callId" in start:
        return "plivo"
    if "stream_sid" in start and "call_sid" in start:
        return "exotel"
    raise WireError("start: names no stream and call of a known gateway")


def _without_event(fields: Fields) -> str:
    if fields.text("type", "") == "open" and fields.text("version", "") == "2":
        return "audiohook"
    if "callSid" in fields and "sampleRate" in fields:
        return "jambonz"
    raise WireError("no gateway begins with it")
