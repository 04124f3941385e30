"""What Twilio and those who took after it share: JSON, audio as base64 in it, marks and clear by the same names."""

from __future__ import annotations

import json
from typing import assert_never

from app.wire.phone.api import (
    Clear,
    Command,
    Continue,
    Digit,
    Event,
    HangUp,
    HungUp,
    Mark,
    Message,
    Pause,
    PhoneCall,
    SendDigits,
    Speak,
    WireError,
)
from app.wire.phone.call_audio import CallAudio
from app.wire.phone.envelope import Fields
from app.wire.phone.marks import Marks

__all__ = ("JsonStream", "is_callers")


def is_callers(media: Fields) -> bool:
    """Whether it is what the caller says; a stream may carry what they hear, too."""
    return media.text("track", "inbound") != "outbound"


class JsonStream:
    """All but how a call starts. Of a part of ``multiple_bytes`` of audio is sent all, the rest of it silence."""

    def __init__(self, multiple_bytes: int = 1) -> None:
        self.audio = CallAudio()
        self._marks = Marks()
        self._multiple_bytes = multiple_bytes
        self._stream = ""

    def start(self, call: PhoneCall, stream_field: str | None) -> list[Event]:
        """``stream_field`` names the stream in every message, where a gateway wants it named."""
        events = self.audio.start(call)
        self._stream = f',"{stream_field}":{json.dumps(call.stream_id)}' if stream_field else ""
        return events

    def decode(self, fields: Fields) -> list[Event]:
        match fields.text("event"):
            case "media":
                media = fields.object("media")
                return self.audio.heard(media.base64("payload")) if is_callers(media) else []
            case "dtmf":
                return [Digit(fields.object("dtmf").digit("digit"))]
            case "mark":
                return [self._marks.reached(fields.object("mark").text("name"))]
            case "stop":
                return [HungUp()]
            case "connected":
                return []
            case _:
                raise WireError("event: unknown")

    def encode(self, command: Command) -> list[Message]:
        self.audio.must_have_started()
        match command:
            case Speak(pcm):
                payload = self.audio.spoken_base64(pcm, self._multiple_bytes)
                return [f'{{"event":"media"{self._stream},"media":{{"payload":"{payload}"}}}}'] if payload else []
            case Mark(name):
                self._marks.ask(name)
                return [self._message("mark", f',"mark":{{"name":{json.dumps(name)}}}')]
            case Clear():
                self._marks.clear()
                return [self._message("clear")]
            case Pause() | Continue() | SendDigits() | HangUp():
                return []
            case _:
                assert_never(command)

    def _message(self, event: str, content: str = "") -> str:
        return f'{{"event":"{event}"{self._stream}{content}}}'
