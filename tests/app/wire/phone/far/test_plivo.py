"""What Plivo sends and takes, as in https://plivo.com/docs/voice/audio-streaming/audio-streaming."""

from __future__ import annotations

import json

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Cleared,
    Command,
    Digit,
    HungUp,
    Mark,
    MarkReached,
    PhoneCall,
    SendDigits,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.far.plivo import PlivoGateway

MULAW = SoundFormat("mulaw", 8000)
CALL = PhoneCall("plivo", "C1", MULAW, MULAW, stream_id="S1", parameters={"test1": "12", "test2": "123"})


@pytest.fixture
def gateway() -> PlivoGateway:
    gateway = PlivoGateway()
    gateway.encode(Started(CALL))
    return gateway


def test_its_start_is_its_first_message() -> None:
    (message,) = PlivoGateway().encode(Started(CALL))
    start = json.loads(str(message))

    assert ("start", 0, "test1=12,test2=123") == (start["event"], start["sequenceNumber"], start["extra_headers"])
    assert {"encoding": "audio/x-mulaw", "sampleRate": 8000} == start["start"]["mediaFormat"]
    assert ("C1", "S1") == (start["start"]["callId"], start["start"]["streamId"])


def test_what_it_sends_names_the_stream(gateway: PlivoGateway) -> None:
    events = (Audio(bytes(320)), Digit("1"), MarkReached("m"), Cleared())
    messages = [json.loads(str(message)) for event in events for message in gateway.encode(event)]

    assert ["media", "dtmf", "playedStream", "clearedAudio"] == [message["event"] for message in messages]
    assert {"S1"} == {message["streamId"] for message in messages}
    assert [] == gateway.encode(HungUp())


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            '{"event": "playAudio", "media": {"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": "/w=="}}',
            Speak(bytes(2)),
        ),
        (
            '{"event": "checkpoint", "streamId": "S1", "name": "customer greeting audio"}',
            Mark("customer greeting audio"),
        ),
        ('{"event": "clearAudio", "streamId": "S1"}', Clear()),
        ('{"event": "sendDTMF", "dtmf": "1#"}', SendDigits("1#")),
    ],
)
def test_what_it_takes(gateway: PlivoGateway, message: str, expected: Command) -> None:
    assert [expected] == gateway.decode(message)


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        ('{"event": "playAudio", "media": {"contentType": "audio/x-l16"}}', "media.contentType: is not the stream's"),
        (
            '{"event": "playAudio", "media": {"contentType": "audio/x-mulaw", "sampleRate": 16000}}',
            "media.sampleRate: is not the stream's",
        ),
        ('{"event": "clearAudio", "streamId": "S2"}', "streamId: is of another stream"),
        ('{"event": "clear"}', "event: unknown"),
    ],
)
def test_it_does_not_understand(gateway: PlivoGateway, message: str, mistake: str) -> None:
    with pytest.raises(WireError, match=mistake):
        gateway.decode(message)
