"""Messages as in https://developer.exotel.com/docs/agentstream/websocket-protocol."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Digit,
    Event,
    HungUp,
    Mark,
    MarkReached,
    PhoneCall,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.exotel import Exotel

STREAM = "MZxxxxxxxxxxxxxxxxxxxxxxxx"
START = """{
  "event": "start", "sequence_number": "1", "stream_sid": "MZxxxxxxxxxxxxxxxxxxxxxxxx",
  "start": {
    "stream_sid": "MZxxxxxxxxxxxxxxxxxxxxxxxx", "call_sid": "CAxxxxxxxxxxxxxxxxxxxxxxxx",
    "account_sid": "ACxxxxxxxxxxxxxxxxxxxxxxxx", "from": "+919876543210", "to": "+918047491899",
    "custom_parameters": {"key1": "value1"},
    "media_format": {"encoding": "audio/x-raw", "sample_rate": "8000", "bit_rate": "16"}
  }
}"""
L16 = SoundFormat("l16le", 8000)
CALL = PhoneCall(
    gateway="exotel",
    call_id="CAxxxxxxxxxxxxxxxxxxxxxxxx",
    stream_id=STREAM,
    input=L16,
    output=L16,
    caller="+919876543210",
    callee="+918047491899",
    parameters={"key1": "value1"},
)


@pytest.fixture
def exotel() -> Exotel:
    codec = Exotel()
    codec.decode(START)
    return codec


def test_a_start_tells_of_the_call() -> None:
    assert [Started(CALL)] == Exotel().decode(START)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"event": "connected"}, []),
        ({"event": "media", "media": {"chunk": "2", "timestamp": "200", "payload": "AQACAA=="}}, [Audio(b"\1\0\2\0")]),
        ({"event": "dtmf", "dtmf": {"digit": "5", "duration": "100"}}, [Digit("5")]),
        ({"event": "mark", "mark": {"name": "reply-1"}}, [MarkReached("reply-1")]),
        ({"event": "stop", "stop": {"call_sid": "CA1", "account_sid": "AC1", "reason": "stopped"}}, [HungUp()]),
    ],
)
def test_what_exotel_sends(exotel: Exotel, content: dict[str, object], expected: list[Event]) -> None:
    assert expected == exotel.decode(json.dumps({"sequence_number": "3", "stream_sid": STREAM, **content}))


def test_what_exotel_is_sent(exotel: Exotel) -> None:
    commands = (Speak(bytes(320)), Mark("reply-1"), Clear())
    sent = [json.loads(message) for command in commands for message in exotel.encode(command)]

    assert [
        {"event": "media", "stream_sid": STREAM, "media": {"payload": b64encode(bytes(320)).decode()}},
        {"event": "mark", "stream_sid": STREAM, "mark": {"name": "reply-1"}},
        {"event": "clear", "stream_sid": STREAM},
    ] == sent


def test_the_end_of_a_reply_is_filled_up_to_a_multiple_of_320_bytes(exotel: Exotel) -> None:
    (message,) = exotel.encode(Speak(b"\1\0" * 200))

    assert b64encode(b"\1\0" * 200 + bytes(240)).decode() == json.loads(message)["media"]["payload"]


def test_a_stream_may_have_a_higher_rate_or_mulaw() -> None:
    wide = START.replace('"8000"', '"24000"')
    mulaw = START.replace("audio/x-raw", "audio/x-mulaw")
    events = [event for start in (wide, mulaw) for event in Exotel().decode(start)]
    formats = [event.call.input for event in events if isinstance(event, Started)]

    assert [SoundFormat("l16le", 24_000), SoundFormat("mulaw", 8000)] == formats


@pytest.mark.parametrize(("rate_hz", "packet_ms"), [(8000, 200), (16_000, 100), (24_000, 80)])
def test_messages_hold_at_least_3200_bytes(rate_hz: int, packet_ms: int) -> None:
    exotel = Exotel()
    exotel.decode(START.replace("8000", str(rate_hz)))

    assert packet_ms == exotel.abilities.packet_ms


def test_an_unknown_rate_is_a_mistake() -> None:
    with pytest.raises(WireError, match=r"^start\.media_format\.sample_rate: expected one of 8000, "):
        Exotel().decode(START.replace('"8000"', '"11025"'))
