"""Plivo's audio streaming, both ways: https://plivo.com/docs/voice/audio-streaming/audio-streaming

There is no message for the end: the socket closes. Vobiz speaks the same.
"""

from __future__ import annotations

import json
from typing import ClassVar, Literal, assert_never

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
    SoundEncoding,
    SoundFormat,
    Speak,
    WireError,
)
from app.wire.phone.call_audio import CallAudio
from app.wire.phone.envelope import Fields, json_object
from app.wire.phone.json_stream import is_callers
from app.wire.phone.marks import Marks

__all__ = ("Plivo",)

MULAW = "audio/x-mulaw"
L16 = "audio/x-l16"


class Plivo:
    """A call is hung up over REST. What Plivo sends and what it plays are of one ``contentType``.

    :param l16: the byte order of ``audio/x-l16``, which Plivo does not document. Better ask for µ-law.
    """

    name: ClassVar[str] = "plivo"
    subprotocols: ClassVar[tuple[str, ...]] = ()

    def __init__(self, l16: Literal["l16le", "l16be"] = "l16le") -> None:
        self.abilities = Abilities(marks=True, digits_out=True)
        self._encodings: dict[str, SoundEncoding] = {MULAW: "mulaw", L16: l16}
        self._audio = CallAudio()
        self._marks = Marks()
        self._media = ""

    def decode(self, message: Message) -> list[Event]:
        fields = json_object(message)
        match fields.text("event"):
            case "media":
                media = fields.object("media")
                return self._audio.heard(media.base64("payload")) if is_callers(media) else []
            case "start":
                return self._start(fields)
            case "dtmf":
                return [Digit(fields.object("dtmf").digit("digit"))]
            case "playedStream":
                return [self._marks.reached(fields.text("name"))]
            case "clearedAudio":
                return [Cleared()]
            case _:
                raise WireError("event: unknown")

    def encode(self, command: Command) -> list[Message]:
        self._audio.must_have_started()
        match command:
            case Speak(pcm):
                payload = self._audio.spoken_base64(pcm)
                return [f'{self._media}"{payload}"}}}}'] if payload else []
            case Mark(name):
                self._marks.ask(name)
                return [self._message(event="checkpoint", name=name)]
            case Clear():
                self._marks.clear()
                return [self._message(event="clearAudio")]
            case SendDigits(digits):
                return [json.dumps({"event": "sendDTMF", "dtmf": digits})]
            case Pause() | Continue() | HangUp():
                return []
            case _:
                assert_never(command)

    def _start(self, fields: Fields) -> list[Event]:
        start = fields.object("start")
        media = start.object("mediaFormat")
        form = SoundFormat(media.one_of("encoding", self._encodings), media.rate_hz("sampleRate", 8000))
        call = PhoneCall(
            gateway=self.name,
            call_id=start.text("callId"),
            stream_id=start.text("streamId"),
            input=form,
            output=form,
            parameters=_extra_headers(fields),
        )
        events = self._audio.start(call)
        content_type = MULAW if form.encoding == "mulaw" else L16
        kind = f'"contentType":"{content_type}","sampleRate":{form.rate_hz}'
        self._media = f'{{"event":"playAudio","streamId":{json.dumps(call.stream_id)},"media":{{{kind},"payload":'
        return events

    def _message(self, **fields: str) -> str:
        return json.dumps({**fields, "streamId": self._audio.must_have_started().stream_id})


def _extra_headers(fields: Fields) -> dict[str, str]:
    """``name=value`` and more of them behind commas or semicolons, or JSON in the text, as Vobiz has them."""
    text = fields.text("extra_headers", "")
    if text.startswith("{"):
        try:
            return json_object(text).rest()
        except WireError:
            fields.fail("extra_headers", "not JSON")
    pairs = (pair.partition("=") for pair in text.replace(";", ",").split(",") if "=" in pair)
    return {name.strip(): value.strip() for name, _, value in pairs}
