"""Plivo's side of an audio stream, as https://plivo.com/docs/voice/audio-streaming/audio-streaming tells it."""

from __future__ import annotations

import json
from typing import ClassVar, assert_never

from app.wire.phone.api import (
    Audio,
    Clear,
    Cleared,
    Command,
    Digit,
    Event,
    Failed,
    FlowChanged,
    HungUp,
    Mark,
    MarkReached,
    Message,
    PhoneCall,
    Respond,
    SendDigits,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.envelope import Fields, json_object
from app.wire.phone.far.json_stream import must_be_of
from app.wire.phone.far.sound import FarSound

__all__ = ("PlivoGateway",)

CONTENT_TYPES = {"mulaw": "audio/x-mulaw", "l16le": "audio/x-l16", "l16be": "audio/x-l16"}


class PlivoGateway:
    """It has no message for the end: the socket closes."""

    name: ClassVar[str] = "plivo"
    subprotocols: ClassVar[tuple[str, ...]] = ()
    formats: ClassVar[tuple[SoundFormat, ...]] = (
        SoundFormat("mulaw", 8000),
        SoundFormat("l16le", 8000),
        SoundFormat("l16le", 16_000),
    )

    def __init__(self) -> None:
        self._sound = FarSound()
        self._sent = -1

    def encode(self, event: Event) -> list[Message]:
        match event:
            case Started(call):
                self._sound.start(call)
                headers = ",".join(f"{name}={value}" for name, value in call.parameters.items())
                return [self._message("start", start=self._start(call), extra_headers=headers)]
            case Audio(pcm):
                return [self._message("media", streamId=self._sound.call.stream_id, media=self._media(pcm))]
            case Digit(digit):
                dtmf = {"track": "inbound", "digit": digit, "timestamp": "0"}
                return [self._message("dtmf", streamId=self._sound.call.stream_id, dtmf=dtmf)]
            case MarkReached(name):
                return [self._message("playedStream", streamId=self._sound.call.stream_id, name=name)]
            case Cleared():
                return [self._message("clearedAudio", streamId=self._sound.call.stream_id)]
            case FlowChanged() | Respond() | Failed() | HungUp():
                return []
            case _:
                assert_never(event)

    def decode(self, message: Message) -> list[Command]:
        fields = json_object(message)
        call = self._sound.call
        match fields.text("event"):
            case "playAudio":
                media = fields.object("media")
                self._check(media, call)
                return [Speak(self._sound.from_server(media.base64("payload")))]
            case "checkpoint":
                must_be_of(call.stream_id, fields, "streamId")
                return [Mark(fields.text("name"))]
            case "clearAudio":
                must_be_of(call.stream_id, fields, "streamId")
                return [Clear()]
            case "sendDTMF":
                return [SendDigits(fields.text("dtmf"))]
            case _:
                raise WireError("event: unknown")

    def _check(self, media: Fields, call: PhoneCall) -> None:
        if media.text("contentType") != CONTENT_TYPES[call.output.encoding]:
            media.fail("contentType", "is not the stream's")
        if media.whole("sampleRate") != call.output.rate_hz:
            media.fail("sampleRate", "is not the stream's")

    def _start(self, call: PhoneCall) -> dict[str, object]:
        return {
            "callId": call.call_id,
            "streamId": call.stream_id,
            "accountId": "500025",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": CONTENT_TYPES[call.input.encoding], "sampleRate": call.input.rate_hz},
        }

    def _media(self, pcm: bytes) -> dict[str, object]:
        packet = self._sound.packet(pcm)
        return {"track": "inbound", "chunk": packet.number, "timestamp": str(packet.at_ms), "payload": packet.payload}

    def _message(self, event: str, **content: object) -> str:
        self._sent += 1
        return json.dumps({"sequenceNumber": self._sent, "event": event, **content})
