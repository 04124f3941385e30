from __future__ import annotations

import json

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Cleared,
    Command,
    Digit,
    Event,
    HangUp,
    HungUp,
    Mark,
    MarkReached,
    Message,
    PhoneCall,
    SoundFormat,
    Speak,
    WireError,
)
from app.wire.phone.far.drachtio import asked, told
from app.wire.phone.far.sound import FarSound

L16 = SoundFormat("l16le", 8000)


@pytest.fixture
def sound() -> FarSound:
    sound = FarSound()
    sound.start(PhoneCall("some", "1", L16, L16))
    return sound


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Digit("1"), [{"event": "dtmf", "dtmf": "1", "duration": "1600"}]),
        (MarkReached("7"), [{"type": "mark", "data": {"name": "7", "event": "playout"}}]),
        (MarkReached("7", heard=False), [{"type": "mark", "data": {"name": "7", "event": "cleared"}}]),
        (Cleared(), []),
        (HungUp(), []),
    ],
)
def test_what_is_told(sound: FarSound, event: Event, expected: list[object]) -> None:
    assert expected == [json.loads(message) for message in told(event, sound)]


def test_audio_is_binary(sound: FarSound) -> None:
    assert [b"\1\0"] == told(Audio(b"\1\0"), sound)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"\1\0", [Speak(b"\1\0")]),
        ('{"type": "killAudio"}', [Clear()]),
        ('{"type": "mark", "data": {"name": "after-chunk-1"}}', [Mark("after-chunk-1")]),
        ('{"type": "clearMarks"}', []),
        ('{"type": "disconnect"}', [HangUp()]),
    ],
)
def test_what_is_asked(sound: FarSound, message: Message, expected: list[Command]) -> None:
    assert expected == asked(message, sound)


def test_what_is_not_understood(sound: FarSound) -> None:
    with pytest.raises(WireError, match="type: unknown"):
        asked('{"type": "transcription"}', sound)
