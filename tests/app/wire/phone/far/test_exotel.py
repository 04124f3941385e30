"""What Exotel sends and takes, as in https://developer.exotel.com/docs/agentstream/websocket-protocol."""

from __future__ import annotations

import json

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Command,
    Digit,
    HungUp,
    Mark,
    PhoneCall,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.far.exotel import ExotelGateway

L16 = SoundFormat("l16le", 16_000)
CALL = PhoneCall("exotel", "CA1", L16, L16, stream_id="MZ1", caller="+91", callee="+80", parameters={"key1": "value1"})


@pytest.fixture
def gateway() -> ExotelGateway:
    gateway = ExotelGateway()
    gateway.encode(Started(CALL))
    return gateway


def test_it_greets_and_tells_of_the_call() -> None:
    greeting, start = (json.loads(str(message)) for message in ExotelGateway().encode(Started(CALL)))

    assert {"event": "connected"} == greeting
    assert ("MZ1", "CA1", "+91") == (start["stream_sid"], start["start"]["call_sid"], start["start"]["from"])
    assert {"encoding": "audio/x-raw", "sample_rate": "16000", "bit_rate": "16"} == start["start"]["media_format"]
    assert {"key1": "value1"} == start["start"]["custom_parameters"]


def test_messages_are_numbered(gateway: ExotelGateway) -> None:
    messages = [each for event in (Audio(b"\1\0"), Digit("5"), HungUp()) for each in gateway.encode(event)]
    numbers = [json.loads(str(message))["sequence_number"] for message in messages]

    assert ["2", "3", "4"] == numbers


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"event": "media", "media": {"payload": "AAAA" * 106 + "AAA="}}, Speak(bytes(320))),
        ({"event": "mark", "mark": {"name": "reply-1"}}, Mark("reply-1")),
        ({"event": "clear"}, Clear()),
    ],
)
def test_what_it_takes(gateway: ExotelGateway, message: dict[str, object], expected: Command) -> None:
    assert [expected] == gateway.decode(json.dumps({"stream_sid": "MZ1", **message}))


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        ('{"event": "clear", "stream_sid": "MZ2"}', "stream_sid: is of another stream"),
        (
            '{"event": "media", "stream_sid": "MZ1", "media": {"payload": "AAAA"}}',
            "media.payload: expected a multiple of 320 bytes",
        ),
    ],
)
def test_it_does_not_understand(gateway: ExotelGateway, message: str, mistake: str) -> None:
    with pytest.raises(WireError, match=mistake):
        gateway.decode(message)
