"""Messages as in jambonz/schema, docs/verbs/listen.md, and as clients of jambonz read them."""

from __future__ import annotations

import json
from array import array

import pytest

from app.wire.phone.api import (
    Clear,
    Command,
    Continue,
    Digit,
    Event,
    HangUp,
    Mark,
    MarkReached,
    Pause,
    PhoneCall,
    SendDigits,
    SoundFormat,
    Speak,
    WireError,
)
from app.wire.phone.drachtio import ABILITIES, Drachtio
from app.wire.phone.envelope import json_object

L16 = SoundFormat("l16le", 8000)


@pytest.fixture
def stream() -> Drachtio:
    stream = Drachtio()
    stream.audio.start(PhoneCall("some", "1", L16, L16))
    return stream


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "mark", "data": {"name": "7", "event": "playout"}}, [MarkReached("7", heard=True)]),
        ({"type": "mark", "data": {"name": "7", "event": "cleared"}}, [MarkReached("7", heard=False)]),
        ({"event": "dtmf", "dtmf": "1", "duration": "1600"}, [Digit("1")]),
        ({"type": "playDone", "data": {"id": "1"}}, []),
        ({"anything": "that a dialplan sends"}, []),
    ],
)
def test_what_is_said_after_the_start(stream: Drachtio, message: dict[str, object], expected: list[Event]) -> None:
    assert expected == stream.decode(json_object(json.dumps(message)))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Mark("7"), [{"type": "mark", "data": {"name": "7"}}]),
        (Clear(), [{"type": "killAudio"}]),
        (HangUp(), [{"type": "disconnect"}]),
        (Pause(), []),
        (Continue(), []),
        (SendDigits("1"), []),
    ],
)
def test_what_is_sent(stream: Drachtio, command: Command, expected: list[object]) -> None:
    assert expected == [json.loads(message) for message in stream.encode(command)]


def test_audio_is_sent_as_binary_and_no_audio_not_at_all(stream: Drachtio) -> None:
    assert [b"\1\2"] == stream.encode(Speak(b"\1\2"))
    assert [] == stream.encode(Speak(b""))


def test_no_sample_is_taken_for_a_mark(stream: Drachtio) -> None:
    """As jambonz/freeswitch-modules, mod_audio_fork/lws_glue.cpp: a sample of 0xFFFF is a mark."""
    speech = array("h", [5, -1, -1, 255, -2, 0x12FF, -0x1FF]).tobytes()

    assert [array("h", [5, 0, 0, 255, -2, 0x12FF, -0x1FF]).tobytes()] == stream.encode(Speak(speech))


def test_audio_waits_a_little_after_a_clear() -> None:
    assert 50 <= ABILITIES.after_clear_ms <= 100


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        ({"type": "mark", "data": {"name": "7", "event": "lost"}}, r"^data\.event: expected one of playout, cleared$"),
        ({"type": "mark"}, r"^data: is missing$"),
        ({"event": "dtmf", "dtmf": "x"}, r"^dtmf: expected one of 0 to 9"),
    ],
)
def test_a_mistake_is_named(stream: Drachtio, message: dict[str, object], mistake: str) -> None:
    with pytest.raises(WireError, match=mistake):
        stream.decode(json_object(json.dumps(message)))
