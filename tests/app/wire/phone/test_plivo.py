"""Messages as in https://plivo.com/docs/voice/audio-streaming/audio-streaming, the Vobiz one as in its documents."""

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
    SendDigits,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.plivo import Plivo

STREAM = "87654321-4321-4321-4321-cba987654321"
START = """{
  "event": "start", "sequenceNumber": 1,
  "start": {
    "callId": "12345678-1234-1234-1234-123456789abc", "streamId": "87654321-4321-4321-4321-cba987654321",
    "accountId": "MAXXXXXXXXXXXXXXXXXX", "tracks": ["inbound"],
    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000}
  },
  "extra_headers": "userId=12345;sessionId=abc-xyz"
}"""
MULAW = SoundFormat("mulaw", 8000)
CALL = PhoneCall(
    gateway="plivo",
    call_id="12345678-1234-1234-1234-123456789abc",
    stream_id=STREAM,
    input=MULAW,
    output=MULAW,
    parameters={"userId": "12345", "sessionId": "abc-xyz"},
)


@pytest.fixture
def plivo() -> Plivo:
    codec = Plivo()
    codec.decode(START)
    return codec


def test_a_start_tells_of_the_call() -> None:
    assert [Started(CALL)] == Plivo().decode(START)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("", {}),
        ("{}", {}),
        ('{"plan": "gold"}', {"plan": "gold"}),
        ("test1=12,test2=123", {"test1": "12", "test2": "123"}),
        ("nothing of the kind", {}),
    ],
)
def test_extra_headers_are_parameters(headers: str, expected: dict[str, str]) -> None:
    (started,) = Plivo().decode(json.dumps({**json.loads(START), "extra_headers": headers}))

    assert isinstance(started, Started)
    assert expected == started.call.parameters


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"event": "media", "media": {"track": "inbound", "timestamp": "1", "chunk": 1, "payload": "/w=="}},
            [Audio(bytes(2))],
        ),
        ({"event": "media", "media": {"track": "outbound", "chunk": 1, "payload": "/w=="}}, []),
        ({"event": "dtmf", "dtmf": {"track": "inbound", "digit": "5", "timestamp": "1"}}, [Digit("5")]),
        ({"event": "playedStream", "name": "customer greeting audio"}, [MarkReached("customer greeting audio")]),
        ({"event": "clearedAudio"}, [Cleared()]),
    ],
)
def test_what_plivo_sends(plivo: Plivo, content: dict[str, object], expected: list[Event]) -> None:
    assert expected == plivo.decode(json.dumps({"sequenceNumber": 2, "streamId": STREAM, **content}))


def test_what_plivo_is_sent(plivo: Plivo) -> None:
    commands = (Speak(bytes(2)), Mark("greeting"), Clear(), SendDigits("1#"))
    sent = [json.loads(str(message)) for command in commands for message in plivo.encode(command)]

    assert [
        {
            "event": "playAudio",
            "streamId": STREAM,
            "media": {"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": "/w=="},
        },
        {"event": "checkpoint", "streamId": STREAM, "name": "greeting"},
        {"event": "clearAudio", "streamId": STREAM},
        {"event": "sendDTMF", "dtmf": "1#"},
    ] == sent


def test_linear_audio_is_sent_as_it_comes() -> None:
    plivo = Plivo(l16="l16be")
    (started,) = plivo.decode(START.replace("audio/x-mulaw", "audio/x-l16").replace("8000", "16000"))
    (message,) = plivo.encode(Speak(b"\1\2"))
    expected = {"contentType": "audio/x-l16", "sampleRate": 16_000, "payload": "AgE="}

    assert isinstance(started, Started)
    assert SoundFormat("l16be", 16_000) == started.call.output
    assert expected == json.loads(str(message))["media"]


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        (START.replace("audio/x-mulaw", "audio/ogg"), "start.mediaFormat.encoding: expected one of audio/x-mulaw, "),
        (START.replace('"userId=12345;sessionId=abc-xyz"', '"{broken"'), "extra_headers: not JSON"),
        ('{"event": "stop"}', "event: unknown"),
        ('{"event": "playedStream"}', "name: is missing"),
    ],
)
def test_a_mistake_is_named(message: str, mistake: str) -> None:
    with pytest.raises(WireError) as caught:
        Plivo().decode(message)

    assert str(caught.value).startswith(mistake)
