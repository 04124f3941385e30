"""Vonage's side of a call to a WebSocket: https://developer.vonage.com/voice/voice-api/concepts/websockets."""

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
    Respond,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.envelope import json_object
from app.wire.phone.far.sound import FarSound

__all__ = ("VonageGateway",)


class VonageGateway:
    """It has no message for the end: the socket closes."""

    name: ClassVar[str] = "vonage"
    subprotocols: ClassVar[tuple[str, ...]] = ()
    formats: ClassVar[tuple[SoundFormat, ...]] = tuple(
        SoundFormat("l16le", rate_hz) for rate_hz in (16_000, 8000, 24_000)
    )

    def __init__(self) -> None:
        self._sound = FarSound()

    def encode(self, event: Event) -> list[Message]:
        match event:
            case Started(call):
                self._sound.start(call)
                content_type = f"audio/l16;rate={call.input.rate_hz}"
                headers = {**call.parameters, "call_uuid": call.call_id}
                return [json.dumps({"event": "websocket:connected", "content-type": content_type, **headers})]
            case Audio(pcm):
                return [self._sound.to_server(pcm)]
            case Digit(digit):
                return [json.dumps({"event": "websocket:dtmf", "digit": digit, "duration": 260})]
            case MarkReached(name):
                return [json.dumps({"event": "websocket:notify", "payload": {"mark": name}})]
            case Cleared():
                return [json.dumps({"event": "websocket:cleared"})]
            case FlowChanged() | Respond() | Failed() | HungUp():
                return []
            case _:
                assert_never(event)

    def decode(self, message: Message) -> list[Command]:
        if isinstance(message, bytes):
            if len(message) != self._sound.call.output.rate_hz // 50 * 2:
                raise WireError("binary: expected a frame of 20 ms")
            return [Speak(self._sound.from_server(message))]
        fields = json_object(message)
        match fields.text("action"):
            case "notify":
                return [Mark(fields.object("payload").text("mark"))]
            case "clear":
                return [Clear()]
            case _:
                raise WireError("action: unknown")
