"""Asterisk's side of a media WebSocket: https://docs.asterisk.org/Configuration/Channel-Drivers/WebSocket/"""

from __future__ import annotations

import json
from typing import ClassVar, assert_never

from app.wire.phone.api import (
    Audio,
    Clear,
    Cleared,
    Command,
    Continue,
    Digit,
    Event,
    Failed,
    FlowChanged,
    HangUp,
    HungUp,
    Mark,
    MarkReached,
    Message,
    Pause,
    PhoneCall,
    Respond,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.envelope import json_object, text_of
from app.wire.phone.far.sound import FarSound
from app.wire.phone.sound import bytes_of_20_ms

__all__ = ("AsteriskGateway",)

MAX_BYTES = 65_500
NAMES = {
    SoundFormat("mulaw", 8000): "ulaw",
    SoundFormat("alaw", 8000): "alaw",
    SoundFormat("g722", 16_000): "g722",
    SoundFormat("l16le", 8000): "slin",
    SoundFormat("l16le", 16_000): "slin16",
    SoundFormat("l16le", 24_000): "slin24",
}
SILENT = ("ANSWER", "GET_STATUS", "START_MEDIA_BUFFERING", "STOP_MEDIA_BUFFERING", "REPORT_QUEUE_DRAINED")
ASKED: dict[str, Command] = {
    "FLUSH_MEDIA": Clear(),
    "PAUSE_MEDIA": Pause(),
    "CONTINUE_MEDIA": Continue(),
    "HANGUP": HangUp(),
}


class AsteriskGateway:
    """It has no message for the end: the socket closes."""

    name: ClassVar[str] = "asterisk"
    subprotocols: ClassVar[tuple[str, ...]] = ("media",)
    formats: ClassVar[tuple[SoundFormat, ...]] = tuple(NAMES)

    def __init__(self, *, speaks_json: bool = True) -> None:
        self._json = speaks_json
        self._sound = FarSound()
        self._is_buffering = False
        self._reports_drained = False

    def encode(self, event: Event) -> list[Message]:
        match event:
            case Started(call):
                self._sound.start(call)
                return [self._start(call)]
            case Audio(pcm):
                return [self._sound.to_server(pcm)]
            case Digit(digit):
                return [self._event("DTMF_END", digit=digit)]
            case MarkReached(name, heard):
                return [self._mark(name)] if heard else []
            case Failed(message):
                return [self._event("ERROR", channel_id=self._sound.call.call_id, error_text=message)]
            case Cleared():
                reports, self._reports_drained = self._reports_drained, False
                return [self._event("QUEUE_DRAINED")] if reports else []
            case FlowChanged(is_open):
                return [self._event("MEDIA_XON" if is_open else "MEDIA_XOFF")]
            case Respond() | HungUp():
                return []
            case _:
                assert_never(event)

    def decode(self, message: Message) -> list[Command]:
        if isinstance(message, bytes):
            return [Speak(self._media(message))]
        command, correlation_id = self._command(message)
        match command:
            case "MARK_MEDIA":
                return [Mark(correlation_id)]
            case "START_MEDIA_BUFFERING" | "STOP_MEDIA_BUFFERING":
                self._is_buffering = command == "START_MEDIA_BUFFERING"
            case "FLUSH_MEDIA":
                self._is_buffering = False
            case "REPORT_QUEUE_DRAINED":
                self._reports_drained = True
        if command not in ASKED and command not in SILENT:
            raise WireError("command: unknown")
        return [ASKED[command]] if command in ASKED else []

    def _media(self, data: bytes) -> bytes:
        if len(data) > MAX_BYTES:
            raise WireError(f"binary: longer than {MAX_BYTES} bytes")
        if not self._is_buffering and len(data) % bytes_of_20_ms(self._sound.call.output):
            raise WireError("binary: no whole frames, and no buffering")
        return self._sound.from_server(data)

    def _command(self, message: Message) -> tuple[str, str]:
        """And the id that may stand with it."""
        if self._json:
            fields = json_object(message)
            return fields.text("command"), fields.text("correlation_id", "")
        command, _, correlation_id = text_of(message).partition(" ")
        return command, correlation_id

    def _start(self, call: PhoneCall) -> str:
        facts = {
            "connection_id": call.stream_id,
            "channel": f"WebSocket/{call.stream_id}",
            "channel_id": call.call_id,
            "format": NAMES[call.input],
            "optimal_frame_size": bytes_of_20_ms(call.output),
            "ptime": 20,
        }
        return self._event("MEDIA_START", **facts, **({"channel_variables": call.parameters} if self._json else {}))

    def _mark(self, name: str) -> str:
        """In plain text the id has no name. A mark that a flush dropped never comes back."""
        event = "MEDIA_MARK_PROCESSED"
        return self._event(event, correlation_id=name) if self._json else f"{event} {name}"

    def _event(self, name: str, **facts: object) -> str:
        if self._json:
            return json.dumps({"event": name, **facts})
        return " ".join([name, *(f"{key}:{value}" for key, value in facts.items())])
