"""FreeSWITCH's side, of both modules: https://github.com/amigniter/mod_audio_stream in a build that plays and clears at
once, and https://github.com/drachtio/drachtio-freeswitch-modules.
"""

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
    MarkReached,
    Message,
    PhoneCall,
    Respond,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.envelope import Fields, json_object
from app.wire.phone.far.drachtio import asked, told
from app.wire.phone.far.sound import FarSound

__all__ = ("AudioForkGateway", "AudioStreamGateway")


class AudioForkGateway:
    """Of one channel. The server knows the rate from its settings."""

    name: ClassVar[str] = "freeswitch-fork"
    subprotocols: ClassVar[tuple[str, ...]] = ("audio.drachtio.org",)
    formats: ClassVar[tuple[SoundFormat, ...]] = (SoundFormat("l16le", 8000), SoundFormat("l16le", 16_000))

    def __init__(self) -> None:
        self._sound = FarSound()

    def encode(self, event: Event) -> list[Message]:
        if not isinstance(event, Started):
            return told(event, self._sound)
        self._sound.start(event.call)
        return [_metadata(event.call)]

    def decode(self, message: Message) -> list[Command]:
        return asked(message, self._sound)


class AudioStreamGateway:
    """As ``AudioForkGateway``, but it knows neither marks nor keys. It has no message for the end."""

    name: ClassVar[str] = "freeswitch"
    subprotocols: ClassVar[tuple[str, ...]] = ()
    formats: ClassVar[tuple[SoundFormat, ...]] = (SoundFormat("l16le", 8000), SoundFormat("l16le", 16_000))

    def __init__(self) -> None:
        self._sound = FarSound()

    def encode(self, event: Event) -> list[Message]:
        match event:
            case Started(call):
                self._sound.start(call)
                return [_metadata(call)]
            case Audio(pcm):
                return [self._sound.to_server(pcm)]
            case Digit() | MarkReached() | Cleared() | FlowChanged() | Respond() | Failed() | HungUp():
                return []
            case _:
                assert_never(event)

    def decode(self, message: Message) -> list[Command]:
        fields = json_object(message)
        match fields.text("type"):
            case "streamAudio":
                return [Speak(self._sound.from_server(self._payload(fields.object("data"))))]
            case "killAudio":
                return [Clear()]
            case _:
                raise WireError("type: unknown")

    def _payload(self, data: Fields) -> bytes:
        if data.text("audioDataType") != "raw":
            data.fail("audioDataType", "expected raw")
        if data.whole("sampleRate") != self._sound.call.output.rate_hz:
            data.fail("sampleRate", "is not the call's")
        return data.base64("audioData")


def _metadata(call: PhoneCall) -> str:
    """What a dialplan may give along, if it wants the server to know the call."""
    known = {"uuid": call.call_id, "from": call.caller, "to": call.callee}
    return json.dumps({**call.parameters, **{name: value for name, value in known.items() if value}})
