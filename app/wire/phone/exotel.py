"""Exotel's Voicebot applet: https://developer.exotel.com/docs/agentstream/websocket-protocol

Linear PCM, little-endian, at 8, 16 or 24 kHz. Messages to it are to hold 3,200 to 100,000 bytes of audio, in multiples
of 320, or there are gaps.
"""

from __future__ import annotations

import math
from typing import ClassVar

from app.wire.phone.api import Abilities, Command, Event, Message, PhoneCall, SoundEncoding, SoundFormat
from app.wire.phone.envelope import Fields, json_object
from app.wire.phone.json_stream import JsonStream

__all__ = ("Exotel",)

ENCODINGS: dict[str, SoundEncoding] = {"audio/x-raw": "l16le", "audio/l16": "l16le", "audio/x-mulaw": "mulaw"}
MIN_BYTES = 3200
MULTIPLE_BYTES = 320


class Exotel:
    """A call is hung up by closing the socket, or over REST."""

    name: ClassVar[str] = "exotel"
    subprotocols: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.abilities = Abilities(marks=True, packet_ms=_packet_ms(8000))
        self._stream = JsonStream(MULTIPLE_BYTES)

    def decode(self, message: Message) -> list[Event]:
        fields = json_object(message)
        return self._start(fields.object("start")) if fields.text("event") == "start" else self._stream.decode(fields)

    def encode(self, command: Command) -> list[Message]:
        return self._stream.encode(command)

    def _start(self, start: Fields) -> list[Event]:
        media = start.object("media_format")
        form = SoundFormat(media.one_of("encoding", ENCODINGS), media.rate_hz("sample_rate", 8000))
        call = PhoneCall(
            gateway=self.name,
            call_id=start.text("call_sid"),
            stream_id=start.text("stream_sid"),
            input=form,
            output=form,
            caller=start.optional_text("from"),
            callee=start.optional_text("to"),
            parameters=start.parameters("custom_parameters"),
        )
        events = self._stream.start(call, "stream_sid")
        self.abilities = Abilities(marks=True, packet_ms=_packet_ms(form.rate_hz))
        return events


def _packet_ms(rate_hz: int) -> int:
    """The fewest frames of linear audio that Exotel allows in a message: 200 ms at 8 kHz, 100 ms at 16 kHz."""
    return math.ceil(MIN_BYTES / (rate_hz // 50 * 2)) * 20
