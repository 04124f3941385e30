"""Twilio Media Streams, both ways (``<Connect><Stream>``): https://www.twilio.com/docs/voice/media-streams/websocket-messages

µ-law at 8 kHz in both directions. SignalWire's cXML streams and 2600Hz' Pivot speak the same.
"""

from __future__ import annotations

from typing import ClassVar

from app.wire.phone.api import Abilities, Command, Event, Message, PhoneCall, SoundFormat
from app.wire.phone.envelope import Fields, json_object
from app.wire.phone.json_stream import JsonStream

__all__ = ("Twilio",)

MULAW = SoundFormat("mulaw", 8000)
ENCODINGS = {"audio/x-mulaw": MULAW}


class Twilio:
    """A call is hung up over REST, or by closing the socket: there is no message for it."""

    name: ClassVar[str] = "twilio"
    subprotocols: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.abilities = Abilities(marks=True)
        self._stream = JsonStream()

    def decode(self, message: Message) -> list[Event]:
        fields = json_object(message)
        return self._start(fields.object("start")) if fields.text("event") == "start" else self._stream.decode(fields)

    def encode(self, command: Command) -> list[Message]:
        return self._stream.encode(command)

    def _start(self, start: Fields) -> list[Event]:
        call = PhoneCall(
            gateway=self.name,
            call_id=start.text("callSid"),
            stream_id=start.text("streamSid"),
            input=start.object("mediaFormat").one_of("encoding", ENCODINGS),
            output=MULAW,
            parameters=start.parameters("customParameters"),
        )
        return self._stream.start(call, "streamSid")
