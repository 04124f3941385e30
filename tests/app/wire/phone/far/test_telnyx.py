"""What Telnyx sends and takes, as in https://developers.telnyx.com/docs/voice/programmable-voice/media-streaming."""

from __future__ import annotations

import json

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Command,
    Digit,
    Failed,
    HungUp,
    Mark,
    MarkReached,
    PhoneCall,
    SoundFormat,
    Speak,
    Started,
)
from app.wire.phone.far.telnyx import TelnyxGateway

MULAW = SoundFormat("mulaw", 8000)
CALL = PhoneCall("telnyx", "v2:1", MULAW, SoundFormat("l16be", 16_000), stream_id="S1", caller="+1", callee="+2")


def start_of(call: PhoneCall) -> dict[str, object]:
    _, start = TelnyxGateway().encode(Started(call))
    content: dict[str, object] = json.loads(str(start))["start"]
    return content


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (MULAW, {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}),
        (SoundFormat("g722", 16_000), {"encoding": "G722", "sample_rate": 8000, "channels": 1}),
        (SoundFormat("l16be", 16_000), {"encoding": "L16", "sample_rate": 16_000, "channels": 1}),
    ],
)
def test_its_start_tells_what_it_sends(form: SoundFormat, expected: dict[str, object]) -> None:
    assert expected == start_of(PhoneCall("telnyx", "v2:1", form, MULAW))["media_format"]


def test_its_messages_are_numbered_and_name_the_stream() -> None:
    gateway = TelnyxGateway()
    gateway.encode(Started(CALL))
    events = (Audio(bytes(320)), Digit("1"), MarkReached("m"), Failed("100002: unknown_error"), HungUp())
    messages = [json.loads(str(message)) for event in events for message in gateway.encode(event)]

    assert ["media", "dtmf", "mark", "error", "stop"] == [message["event"] for message in messages]
    assert ["2", "3", "4", "5", "6"] == [message["sequence_number"] for message in messages]
    assert {"S1"} == {message["stream_id"] for message in messages}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('{"event": "media", "media": {"payload": "AQI="}}', Speak(b"\2\1")),
        ('{"event": "mark", "mark": {"name": "m"}}', Mark("m")),
        ('{"event": "clear"}', Clear()),
    ],
)
def test_what_it_takes_is_in_the_format_that_was_asked_for(message: str, expected: Command) -> None:
    gateway = TelnyxGateway()
    gateway.encode(Started(CALL))

    assert [expected] == gateway.decode(message)
