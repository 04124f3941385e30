"""Telnyx' side of a media stream, as
https://developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket tells it.
"""

from __future__ import annotations

import json
from typing import ClassVar, assert_never

from app.wire.phone.api import (
    Audio,
    Cleared,
    Command,
    Digit,
    Event,
    Failed,
    FlowChanged,
    HungUp,
    MarkReached,
    Message,
    PhoneCall,
    Respond,
    SoundFormat,
    Started,
)
from app.wire.phone.envelope import json_object
from app.wire.phone.far.json_stream import asked
from app.wire.phone.far.sound import FarSound

__all__ = ("TelnyxGateway",)

ENCODINGS = {"mulaw": "PCMU", "alaw": "PCMA", "g722": "G722", "l16be": "L16", "l16le": "L16"}


class TelnyxGateway:
    """What it wants back, ``PhoneCall.output``, the server knows from its settings."""

    name: ClassVar[str] = "telnyx"
    subprotocols: ClassVar[tuple[str, ...]] = ()
    formats: ClassVar[tuple[SoundFormat, ...]] = (
        SoundFormat("mulaw", 8000),
        SoundFormat("alaw", 8000),
        SoundFormat("g722", 16_000),
        SoundFormat("l16be", 16_000),
    )

    def __init__(self) -> None:
        self._sound = FarSound()
        self._sent = 0

    def encode(self, event: Event) -> list[Message]:
        match event:
            case Started(call):
                self._sound.start(call)
                return ['{"event": "connected", "version": "1.0.0"}', self._message("start", start=self._start(call))]
            case Audio(pcm):
                return [self._message("media", media=self._media(pcm))]
            case Digit(digit):
                return [self._message("dtmf", dtmf={"digit": digit})]
            case MarkReached(name):
                return [self._message("mark", mark={"name": name})]
            case Failed(message):
                code, _, title = message.partition(": ")
                return [self._message("error", payload={"code": int(code), "title": title, "detail": title})]
            case HungUp():
                call = self._sound.call
                return [self._message("stop", stop={"user_id": "user", "call_control_id": call.call_id})]
            case Cleared() | FlowChanged() | Respond():
                return []
            case _:
                assert_never(event)

    def decode(self, message: Message) -> list[Command]:
        return [asked(json_object(message), self._sound)]

    def _start(self, call: PhoneCall) -> dict[str, object]:
        encoding, rate_hz = ENCODINGS[call.input.encoding], call.input.rate_hz
        return {
            "user_id": "user",
            "call_control_id": call.call_id,
            "call_session_id": "session",
            "from": call.caller,
            "to": call.callee,
            "custom_parameters": call.parameters,
            # G.722's clock is 8 kHz in RTP (RFC 3551, section 4.5.2).
            "media_format": {
                "encoding": encoding,
                "sample_rate": 8000 if encoding == "G722" else rate_hz,
                "channels": 1,
            },
        }

    def _media(self, pcm: bytes) -> dict[str, object]:
        packet = self._sound.packet(pcm)
        return {
            "track": "inbound",
            "chunk": str(packet.number),
            "timestamp": str(packet.at_ms),
            "payload": packet.payload,
        }

    def _message(self, event: str, **content: dict[str, object]) -> str:
        self._sent += 1
        call = self._sound.call
        numbered = {"event": event, "sequence_number": str(self._sent), "stream_id": call.stream_id}
        return json.dumps({**numbered, **content})
