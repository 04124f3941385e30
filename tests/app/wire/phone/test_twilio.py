"""Messages as in https://www.twilio.com/docs/voice/media-streams/websocket-messages."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Continue,
    Digit,
    HangUp,
    HungUp,
    Mark,
    MarkReached,
    Pause,
    PhoneCall,
    SendDigits,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.twilio import Twilio
from providers.audio import decode as pcm_of

MULAW = SoundFormat("mulaw", 8000)
STREAM = "MZ18ad3ab5a668481ce02b83e7395059f0"
START = {
    "event": "start",
    "sequenceNumber": "1",
    "start": {
        "accountSid": "AC00000000000000000000000000000000",
        "streamSid": STREAM,
        "callSid": "CA00000000000000000000000000000000",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"FirstName": "Jane", "RemoteParty": "Bob"},
    },
    "streamSid": STREAM,
}


def media(payload: str, track: str = "inbound") -> str:
    content = {"track": track, "chunk": "1", "timestamp": "5", "payload": payload}
    return json.dumps({"event": "media", "sequenceNumber": "3", "media": content, "streamSid": STREAM})


@pytest.fixture
def twilio() -> Twilio:
    codec = Twilio()
    codec.decode(json.dumps(START))
    return codec


def test_the_greeting_says_nothing_of_the_call() -> None:
    greeting = '{"event": "connected", "protocol": "Call", "version": "1.0.0"}'

    assert [] == Twilio().decode(greeting)


def test_a_start_tells_of_the_call() -> None:
    call = PhoneCall(
        gateway="twilio",
        call_id="CA00000000000000000000000000000000",
        stream_id=STREAM,
        input=MULAW,
        output=MULAW,
        parameters={"FirstName": "Jane", "RemoteParty": "Bob"},
    )

    assert [Started(call)] == Twilio().decode(json.dumps(START))


def test_media_is_the_callers_voice(twilio: Twilio) -> None:
    mulaw = bytes(range(160))

    assert [Audio(pcm_of(mulaw, "mulaw"))] == twilio.decode(media(b64encode(mulaw).decode()))


def test_what_the_caller_hears_is_not_what_they_say(twilio: Twilio) -> None:
    assert [] == twilio.decode(media("/////w==", track="outbound"))


def test_a_key_is_a_digit(twilio: Twilio) -> None:
    pressed = {"event": "dtmf", "streamSid": STREAM, "sequenceNumber": "5"}
    content = {"track": "inbound_track", "digit": "1"}

    assert [Digit("1")] == twilio.decode(json.dumps({**pressed, "dtmf": content}))


def test_a_mark_comes_back_when_it_was_heard(twilio: Twilio) -> None:
    twilio.encode(Mark("my label"))
    mark = {"event": "mark", "sequenceNumber": "4", "streamSid": STREAM, "mark": {"name": "my label"}}

    assert [MarkReached("my label", heard=True)] == twilio.decode(json.dumps(mark))


def test_a_mark_that_comes_back_after_a_clear_was_not_heard(twilio: Twilio) -> None:
    twilio.encode(Mark("my label"))
    twilio.encode(Clear())
    mark = {"event": "mark", "streamSid": STREAM, "mark": {"name": "my label"}}

    assert [MarkReached("my label", heard=False)] == twilio.decode(json.dumps(mark))


def test_a_stop_ends_the_call(twilio: Twilio) -> None:
    content = {"accountSid": "AC00000000000000000000000000000000", "callSid": "CA00000000000000000000000000000000"}
    stop = {"event": "stop", "sequenceNumber": "5", "streamSid": STREAM, "stop": content}

    assert [HungUp()] == twilio.decode(json.dumps(stop))


def test_speech_is_media_of_the_stream(twilio: Twilio) -> None:
    (message,) = twilio.encode(Speak(bytes(320)))
    payload = b64encode(b"\xff" * 160).decode()

    assert {"event": "media", "streamSid": STREAM, "media": {"payload": payload}} == json.loads(message)


def test_a_mark_is_asked_for_by_name(twilio: Twilio) -> None:
    (message,) = twilio.encode(Mark('"1" é'))

    assert {"event": "mark", "streamSid": STREAM, "mark": {"name": '"1" é'}} == json.loads(message)


def test_a_clear_names_the_stream(twilio: Twilio) -> None:
    (message,) = twilio.encode(Clear())

    assert {"event": "clear", "streamSid": STREAM} == json.loads(message)


@pytest.mark.parametrize("command", [Pause(), Continue(), SendDigits("1"), HangUp()])
def test_there_is_no_message_for_what_a_stream_cannot_do(
    twilio: Twilio, command: Pause | Continue | SendDigits | HangUp
) -> None:
    assert [] == twilio.encode(command)


def test_nothing_can_be_asked_before_the_start() -> None:
    with pytest.raises(RuntimeError, match="the call has not started"):
        Twilio().encode(Speak(bytes(320)))


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        (b"\x00", "binary: expected text"),
        ("{", "not JSON"),
        ("[]", "not an object"),
        ("{}", "event: is missing"),
        ('{"event": 5}', "event: expected text"),
        ('{"event": "mystery"}', "event: unknown"),
        ('{"event": "media"}', "media: is missing"),
        ('{"event": "media", "media": {"payload": "#"}}', "media.payload: expected base64"),
        (media("AAAA"), "audio before the start"),
        ('{"event": "dtmf", "dtmf": {"digit": "12"}}', "dtmf.digit: expected one of 0 to 9, *, #, A to D"),
        ('{"event": "start", "start": {"callSid": "CA1"}}', "start.streamSid: is missing"),
        (
            json.dumps({**START, "start": {**START["start"], "mediaFormat": {"encoding": "mp3"}}}),  # type: ignore[dict-item]  # a dict
            "start.mediaFormat.encoding: expected one of audio/x-mulaw",
        ),
    ],
)
def test_a_mistake_is_named(message: str | bytes, mistake: str) -> None:
    with pytest.raises(WireError) as caught:
        Twilio().decode(message)

    assert mistake == str(caught.value)


def test_a_call_starts_once(twilio: Twilio) -> None:
    with pytest.raises(WireError, match="a second start"):
        twilio.decode(json.dumps(START))
