"""As amigniter/mod_audio_stream's README has it, playback as bolna writes it; mod_audio_fork as jambonz uses it."""

from __future__ import annotations

import json

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Command,
    Digit,
    HungUp,
    MarkReached,
    PhoneCall,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.far.freeswitch import AudioForkGateway, AudioStreamGateway

L16 = SoundFormat("l16le", 8000)
CALL = PhoneCall("freeswitch", "u-1", L16, L16, caller="+1", parameters={"plan": "gold"})


@pytest.mark.parametrize("make", [AudioForkGateway, AudioStreamGateway])
def test_its_first_text_is_what_the_dialplan_gives_along(make: type[AudioForkGateway | AudioStreamGateway]) -> None:
    gateway = make()
    (metadata,) = gateway.encode(Started(CALL))

    assert {"uuid": "u-1", "from": "+1", "plan": "gold"} == json.loads(str(metadata))
    assert [b"\1\0"] == gateway.encode(Audio(b"\1\0"))


def test_a_stream_tells_nothing_but_audio() -> None:
    gateway = AudioStreamGateway()
    gateway.encode(Started(CALL))

    assert [] == [each for event in (Digit("1"), MarkReached("1"), HungUp()) for each in gateway.encode(event)]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            '{"type": "streamAudio", "data": {"audioDataType": "raw", "sampleRate": 8000, "audioData": "AQA="}}',
            Speak(b"\1\0"),
        ),
        ('{"type": "killAudio"}', Clear()),
    ],
)
def test_what_a_stream_takes(message: str, expected: Command) -> None:
    gateway = AudioStreamGateway()
    gateway.encode(Started(CALL))

    assert [expected] == gateway.decode(message)


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        ('{"type": "mark"}', "type: unknown"),
        ('{"type": "streamAudio", "data": {"audioDataType": "mp3"}}', "data.audioDataType: expected raw"),
        (
            '{"type": "streamAudio", "data": {"audioDataType": "raw", "sampleRate": 16000}}',
            "data.sampleRate: is not the call's",
        ),
    ],
)
def test_what_a_stream_does_not_understand(message: str, mistake: str) -> None:
    gateway = AudioStreamGateway()
    gateway.encode(Started(CALL))

    with pytest.raises(WireError, match=mistake):
        gateway.decode(message)


def test_a_fork_takes_marks() -> None:
    gateway = AudioForkGateway()
    gateway.encode(Started(CALL))

    assert [Speak(b"\1\0")] == gateway.decode(b"\1\0")
