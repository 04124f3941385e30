"""FreeSWITCH's two modules that stream a call.

``mod_audio_stream``: https://github.com/amigniter/mod_audio_stream; ``mod_audio_fork``:
https://github.com/drachtio/drachtio-freeswitch-modules. Both send linear PCM, little-endian, as binary. The first text
is what the dialplan gives along, any text; without it audio comes at once. Neither tells its rate, unless the dialplan
does: as ``sampleRate`` of a JSON object. There is no message for the end: the socket closes.
"""

from __future__ import annotations

from typing import ClassVar, Literal, assert_never

from app.wire.phone.api import (
    Abilities,
    Clear,
    Command,
    Continue,
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
from app.wire.phone.drachtio import ABILITIES, CHANNELS, Drachtio
from app.wire.phone.envelope import json_object, text_of

__all__ = ("AudioFork", "AudioStream", "MixType")

RATES_HZ = {str(rate_hz): rate_hz for rate_hz in range(8000, 48_001, 8000)}

MixType = Literal["mono", "mixed", "stereo"]


class AudioFork:
    """
    :param rate_hz: of both directions, as the start of the fork has it, where the first text has none.
    """

    name: ClassVar[str] = "freeswitch-fork"
    subprotocols: ClassVar[tuple[str, ...]] = ("audio.drachtio.org", "audiostream.drachtio.org")

    def __init__(self, rate_hz: int = 8000, mix: MixType = "mono") -> None:
        self.abilities = ABILITIES
        self._rate_hz = rate_hz
        self._channels = CHANNELS[mix]
        self._stream = Drachtio()

    def decode(self, message: Message) -> list[Event]:
        audio = self._stream.audio
        if not audio.started:
            return _first(audio, message, self.name, self._rate_hz, self._channels)
        return audio.heard(message) if isinstance(message, bytes) else self._stream.decode(json_object(message))

    def encode(self, command: Command) -> list[Message]:
        return self._stream.encode(command)


class AudioStream:
    """The module as published writes what we send to a file and tells the dialplan of it: to play it into the call at
    once, and to stop it with ``killAudio``, takes one of the builds that do.

    :param rate_hz: of both directions, as the start of the stream has it, where the first text has none.
    :param can_clear: whether the build knows ``killAudio``.
    """

    name: ClassVar[str] = "freeswitch"
    subprotocols: ClassVar[tuple[str, ...]] = ()

    def __init__(self, rate_hz: int = 8000, mix: MixType = "mono", *, can_clear: bool = True) -> None:
        self.abilities = Abilities(clear=can_clear, digits_in=False)
        self._rate_hz = rate_hz
        self._channels = CHANNELS[mix]
        self._audio = CallAudio()

    def decode(self, message: Message) -> list[Event]:
        if not self._audio.started:
            return _first(self._audio, message, self.name, self._rate_hz, self._channels)
        if isinstance(message, bytes):
            return self._audio.heard(message)
        text_of(message)  # of the dialplan's ``send_text`` and ``stop``
        return []

    def encode(self, command: Command) -> list[Message]:
        rate_hz = self._audio.must_have_started().output.rate_hz
        match command:
            case Speak(pcm):
                kind = f'"audioDataType":"raw","sampleRate":{rate_hz}'
                payload = self._audio.spoken_base64(pcm)
                return [f'{{"type":"streamAudio","data":{{{kind},"audioData":"{payload}"}}}}'] if payload else []
            case Clear():
                return ['{"type":"killAudio"}'] if self.abilities.clear else []
            case Mark() | Pause() | Continue() | SendDigits() | HangUp():
                return []
            case _:
                assert_never(command)


def _first(audio: CallAudio, message: Message, name: str, rate_hz: int, channels: int) -> list[Event]:
    """The start of the call: with what the first text tells of it, or without."""
    given = {} if isinstance(message, bytes) else _given(text_of(message))
    form = SoundFormat("l16le", RATES_HZ.get(given.pop("sampleRate", ""), rate_hz))
    call = PhoneCall(
        gateway=name,
        call_id=given.pop("uuid", ""),
        input=form,
        output=form,
        caller=given.pop("from", None),
        callee=given.pop("to", None),
        parameters=given,
    )
    events = audio.start(call, channels)
    return [*events, *audio.heard(message)] if isinstance(message, bytes) else events


def _given(text: str) -> dict[str, str]:
    """The fields of a JSON object, ``uuid``, ``from`` and ``to`` among them; any other text as ``metadata``."""
    try:
        return json_object(text).rest()
    except WireError:
        return {"metadata": text}
