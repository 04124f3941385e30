"""What Vonage sends and takes, as in https://developer.vonage.com/voice/voice-api/concepts/websockets."""

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
    HungUp,
    Mark,
    MarkReached,
    Message,
    PhoneCall,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.far.vonage import VonageGateway

L16 = SoundFormat("l16le", 16_000)


@pytest.fixture
def gateway() -> VonageGateway:
    gateway = VonageGateway()
    gateway.encode(Started(PhoneCall("vonage", "u-1", L16, L16)))
    return gateway


def test_its_first_message_has_the_headers_of_the_endpoint() -> None:
    (message,) = VonageGateway().encode(Started(PhoneCall("vonage", "u-1", L16, L16, parameters={"prop1": "value1"})))

    assert {
        "event": "websocket:connected",
        "content-type": "audio/l16;rate=16000",
        "prop1": "value1",
        "call_uuid": "u-1",
    } == json.loads(str(message))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Digit("5"), {"event": "websocket:dtmf", "digit": "5", "duration": 260}),
        (MarkReached("7"), {"event": "websocket:notify", "payload": {"mark": "7"}}),
        (Cleared(), {"event": "websocket:cleared"}),
    ],
)
def test_what_it_sends(gateway: VonageGateway, event: Event, expected: dict[str, object]) -> None:
    assert [expected] == [json.loads(str(message)) for message in gateway.encode(event)]


def test_it_sends_audio_as_binary_and_no_end(gateway: VonageGateway) -> None:
    assert ([b"\1\0"], []) == (gateway.encode(Audio(b"\1\0")), gateway.encode(HungUp()))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (bytes(640), Speak(bytes(640))),
        ('{"action": "clear"}', Clear()),
        ('{"action": "notify", "payload": {"mark": "7"}}', Mark("7")),
    ],
)
def test_what_it_takes(gateway: VonageGateway, message: Message, expected: Command) -> None:
    assert [expected] == gateway.decode(message)


@pytest.mark.parametrize(
    ("message", "mistake"),
    [(bytes(320), "binary: expected a frame of 20 ms"), ('{"action": "stop"}', "action: unknown")],
)
def test_it_does_not_understand(gateway: VonageGateway, message: Message, mistake: str) -> None:
    with pytest.raises(WireError, match=mistake):
        gateway.decode(message)
