"""Vonage's Voice API over a WebSocket: https://developer.vonage.com/voice/voice-api/concepts/websockets

Audio is binary: linear PCM, little-endian, in frames of 20 ms both ways. All else is JSON. There is no message for the
end: the socket closes.
"""

from __future__ import annotations

import json
import re
from typing import ClassVar, assert_never

from app.wire.phone.api import (
    Abilities,
    Clear,
    Cleared,
    Command,
    Continue,
    Digit,
    Event,
    HangUp,
    Mark,
    Message,
    Pause,
    PhoneCall,
    SendDigits,
    SoundFormat,
    Speak,
    WireError,
)
from app.wire.phone.call_audio import CallAudio
from app.wire.phone.envelope import Fields, json_object
from app.wire.phone.marks import Marks
from app.wire.phone.sound import bytes_of_20_ms

__all__ = ("Vonage",)

CONTENT_TYPE = re.compile(r"audio/l16;\s*rate=(8000|16000|24000)", re.IGNORECASE | re.ASCII)


class Vonage:
    """A call is hung up over REST.

    :param call_id_header: the header of the endpoint in which the NCCO gives the call's UUID along: the stream itself
        does not name it.
    """

    name: ClassVar[str] = "vonage"
    subprotocols: ClassVar[tuple[str, ...]] = ()

    def __init__(self, call_id_header: str = "call_uuid") -> None:
        self.abilities = Abilities(marks=True)
        self._call_id_header = call_id_header
        self._audio = CallAudio()
        self._marks = Marks()
        self._frame_bytes = 0

    def decode(self, message: Message) -> list[Event]:
        if isinstance(message, bytes):
            return self._audio.heard(message)
        fields = json_object(message)
        match fields.text("event"):
            case "websocket:connected":
                return self._start(fields)
            case "websocket:dtmf":
                return [Digit(fields.digit("digit"))]
            case "websocket:notify":
                payload = fields.object("payload")
                return [self._marks.reached(payload.text("mark"))] if "mark" in payload else []
            case "websocket:cleared":
                return [Cleared()]
            case _:
                raise WireError("event: unknown")

    def encode(self, command: Command) -> list[Message]:
        self._audio.must_have_started()
        match command:
            case Speak(pcm):
                size = self._frame_bytes
                data = self._audio.spoken(pcm, size)
                return [data[at : at + size] for at in range(0, len(data), size)]
            case Mark(name):
                self._marks.ask(name)
                return [json.dumps({"action": "notify", "payload": {"mark": name}})]
            case Clear():
                self._marks.clear()
                return ['{"action":"clear"}']
            case Pause() | Continue() | SendDigits() | HangUp():
                return []
            case _:
                assert_never(command)

    def _start(self, fields: Fields) -> list[Event]:
        content_type = CONTENT_TYPE.fullmatch(fields.text("content-type"))
        if content_type is None:
            fields.fail("content-type", "expected audio/l16 with a rate of 8000, 16000 or 24000")
        form = SoundFormat("l16le", int(content_type[1]))
        call = PhoneCall(
            gateway=self.name,
            call_id=fields.text(self._call_id_header, ""),
            input=form,
            output=form,
            parameters=fields.rest("event", "content-type", self._call_id_header),
        )
        events = self._audio.start(call)
        self._frame_bytes = bytes_of_20_ms(form)
        return events
