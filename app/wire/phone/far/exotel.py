"""Exotel's side of a Voicebot's stream: https://developer.exotel.com/docs/agentstream/websocket-protocol."""

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
from app.wire.phone.far.json_stream import asked, must_be_of
from app.wire.phone.far.sound import FarSound

__all__ = ("ExotelGateway",)

ACCOUNT = "exotel-account"


class ExotelGateway:
    name: ClassVar[str] = "exotel"
    subprotocols: ClassVar[tuple[str, ...]] = ()
    formats: ClassVar[tuple[SoundFormat, ...]] = tuple(
        SoundFormat("l16le", rate_hz) for rate_hz in (8000, 16_000, 24_000)
    )

    def __init__(self) -> None:
        self._sound = FarSound()
        self._sent = 0

    def encode(self, event: Event) -> list[Message]:
        match event:
            case Started(call):
                self._sound.start(call)
                return ['{"event": "connected"}', self._message("start", self._start(call))]
            case Audio(pcm):
                return [self._message("media", self._media(pcm))]
            case Digit(digit):
                return [self._message("dtmf", {"digit": digit, "duration": "100"})]
            case MarkReached(name):
                return [self._message("mark", {"name": name})]
            case HungUp():
                call_id = self._sound.call.call_id
                return [self._message("stop", {"call_sid": call_id, "account_sid": ACCOUNT, "reason": "callended"})]
            case Cleared() | FlowChanged() | Respond() | Failed():
                return []
            case _:
                assert_never(event)

    def decode(self, message: Message) -> list[Command]:
        fields = json_object(message)
        must_be_of(self._sound.call.stream_id, fields, "stream_sid")
        if fields.text("event") == "media" and len(fields.object("media").base64("payload")) % 320:
            fields.fail("media.payload", "expected a multiple of 320 bytes")
        return [asked(fields, self._sound)]

    def _start(self, call: PhoneCall) -> dict[str, object]:
        rate_hz = str(call.input.rate_hz)
        return {
            "stream_sid": call.stream_id,
            "call_sid": call.call_id,
            "account_sid": ACCOUNT,
            "from": call.caller,
            "to": call.callee,
            "custom_parameters": call.parameters,
            "media_format": {"encoding": "audio/x-raw", "sample_rate": rate_hz, "bit_rate": "16"},
        }

    def _media(self, pcm: bytes) -> dict[str, object]:
        packet = self._sound.packet(pcm)
        return {"chunk": str(packet.number), "timestamp": str(packet.at_ms), "payload": packet.payload}

    def _message(self, event: str, content: dict[str, object]) -> str:
        self._sent += 1
        numbered = {"event": event, "sequence_number": str(self._sent), "stream_sid": self._sound.call.stream_id}
        return json.dumps({**numbered, event: content})
