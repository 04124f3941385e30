"""Messages as in https://developer.vonage.com/voice/voice-api/concepts/websockets."""

from __future__ import annotations

import json

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Cleared,
    Digit,
    Event,
    Mark,
    MarkReached,
    PhoneCall,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.vonage import Vonage

START = (
    '{"event": "websocket:connected", "content-type": "audio/l16;rate=16000", "prop1": "value1", "call_uuid": "u-1"}'
)
L16 = SoundFormat("l16le", 16_000)


@pytest.fixture
def vonage() -> Vonage:
    codec = Vonage()
    codec.decode(START)
    return codec


def test_a_start_tells_of_the_call() -> None:
    call = PhoneCall("vonage", "u-1", L16, L16, parameters={"prop1": "value1"})

    assert [Started(call)] == Vonage().decode(START)


def test_the_calls_id_may_be_in_another_header_or_in_none() -> None:
    ids = [
        event.call.call_id
        for codec in (Vonage(call_id_header="prop1"), Vonage(call_id_header="nowhere"))
        for event in codec.decode(START)
        if isinstance(event, Started)
    ]

    assert ["value1", ""] == ids


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"\1\0\2\0", [Audio(b"\1\0\2\0")]),
        ('{"event": "websocket:dtmf", "digit": "5", "duration": 260}', [Digit("5")]),
        ('{"event": "websocket:cleared"}', [Cleared()]),
        ('{"event": "websocket:notify", "payload": {"mark": "7"}}', [MarkReached("7")]),
        ('{"event": "websocket:notify", "payload": {"other": "thing"}}', []),
    ],
)
def test_what_vonage_sends(vonage: Vonage, message: str | bytes, expected: list[Event]) -> None:
    assert expected == vonage.decode(message)


def test_what_vonage_is_sent(vonage: Vonage) -> None:
    sent = [json.loads(message) for command in (Mark("7"), Clear()) for message in vonage.encode(command)]

    assert [{"action": "notify", "payload": {"mark": "7"}}, {"action": "clear"}] == sent


@pytest.mark.parametrize(("rate_hz", "size_bytes"), [(8000, 320), (16_000, 640), (24_000, 960)])
def test_audio_is_sent_in_whole_frames(rate_hz: int, size_bytes: int) -> None:
    vonage = Vonage()
    vonage.decode(START.replace("16000", str(rate_hz)))
    frames = vonage.encode(Speak(b"\1\0" * size_bytes + b"\2\0"))

    assert [b"\1\0" * (size_bytes // 2)] * 2 + [b"\2\0" + bytes(size_bytes - 2)] == frames


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        (START.replace("16000", "11025"), "content-type: expected audio/l16 with a rate of 8000, 16000 or 24000"),
        (START.replace("content-type", "type"), "content-type: is missing"),
        ('{"event": "websocket:dtmf", "digit": ""}', "digit: expected one of 0 to 9, *, #, A to D"),
        ('{"event": "start"}', "event: unknown"),
        (b"\0\0", "audio before the start"),
    ],
)
def test_a_mistake_is_named(message: str | bytes, mistake: str) -> None:
    with pytest.raises(WireError) as caught:
        Vonage().decode(message)

    assert mistake == str(caught.value)
