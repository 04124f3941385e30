"""Twilio's side of a media stream, as https://www.twilio.com/docs/voice/media-streams/websocket-messages tells it."""

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

__all__ = ("TwilioGateway",)

ACCOUNT = "AC00000000000000000000000000000000"


class TwilioGateway:
    name: ClassVar[str] = "twilio"
    subprotocols: ClassVar[tuple[str, ...]] = ()
    formats: ClassVar[tuple[SoundFormat, ...]] = (SoundFormat("mulaw", 8000),)

    def __init__(self) -> None:
        self._sound = FarSound()
        self._sent = 0

    def encode(self, event: Event) -> list[Message]:
        match event:
            case Started(call):
                self._sound.start(call)
                connected = json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
                return [connected, self._message("start", self._start(call))]
            case Audio(pcm):
                return [self._message("media", self._media(pcm))]
            case Digit(digit):
                return [self._message("dtmf", {"track": "inbound_track", "digit": digit})]
            case MarkReached(name):
                return [self._message("mark", {"name": name})]
            case HungUp():
                return [self._message("stop", {"accountSid": ACCOUNT, "callSid": self._sound.call.call_id})]
            case Cleared() | FlowChanged() | Respond() | Failed():
                return []
            case _:
                assert_never(event)

    def decode(self, message: Message) -> list[Command]:
        fields = json_object(message)
        must_be_of(self._sound.call.stream_id, fields, "streamSid")
        return [asked(fields, self._sound)]

    def _start(self, call: PhoneCall) -> dict[str, object]:
        return {
            "accountSid": ACCOUNT,
            "streamSid": call.stream_id,
            "callSid": call.call_id,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": call.parameters,
        }

    def _media(self, pcm: bytes) -> dict[str, object]:
        packet = self._sound.packet(pcm)
        return {
            "track": "inbound",
            "chunk": str(packet.number),
            "timestamp": str(packet.at_ms),
            "payload": packet.payload,
        }

    def _message(self, event: str, content: dict[str, object]) -> str:
        self._sent += 1
        numbered = {"event": event, "sequenceNumber": str(self._sent), "streamSid": self._sound.call.stream_id}
        return json.dumps({**numbered, event: content})
