"""Messages as in https://developers.telnyx.com/docs/voice/programmable-voice/media-streaming."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Digit,
    Event,
    Failed,
    HungUp,
    Mark,
    MarkReached,
    PhoneCall,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.telnyx import Telnyx, TelnyxCodec

STREAM = "32DE0DEA-53CB-4B21-89A4-9E1819C043BC"
START = """{
  "event": "start", "sequence_number": "1",
  "start": {
    "user_id": "3E6F995F-85F7-4705-9741-53B116D28237",
    "call_control_id": "v2:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ",
    "call_session_id": "ff55a038-6f5d-11ef-9692-02420aeffb1f",
    "from": "+13122010094", "to": "+13122123456", "tags": ["TAG1", "TAG2"],
    "client_state": "aGF2ZSBhIG5pY2UgZGF5ID1d",
    "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}
  },
  "stream_id": "32DE0DEA-53CB-4B21-89A4-9E1819C043BC"
}"""
MULAW = SoundFormat("mulaw", 8000)
CALL = PhoneCall(
    gateway="telnyx",
    call_id="v2:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ",
    stream_id=STREAM,
    input=MULAW,
    output=MULAW,
    caller="+13122010094",
    callee="+13122123456",
)
QUIET = b64encode(b"\xff").decode()
LOUD = b64encode(b"\x80").decode()


@pytest.fixture
def telnyx() -> Telnyx:
    codec = Telnyx()
    codec.decode(START)
    return codec


def media(chunk: int, payload: str = QUIET, track: str = "inbound") -> str:
    content = {"track": track, "chunk": str(chunk), "timestamp": "5", "payload": payload}
    return json.dumps({"event": "media", "sequence_number": "4", "media": content, "stream_id": STREAM})


def test_a_start_tells_of_the_call() -> None:
    assert [Started(CALL)] == Telnyx().decode(START)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('{"event": "connected", "version": "1.0.0"}', []),
        (media(2), [Audio(bytes(2))]),
        (media(2, track="outbound"), []),
        (
            (
                '{"event": "dtmf", "stream_id": "32DE0DEA", "occurred_at": "2025-06-05T08:54:19.698408Z",'
                ' "sequence_number": "5", "dtmf": {"digit": "1"}}'
            ),
            [Digit("1")],
        ),
        (
            '{"event": "mark", "sequence_number": "8", "stream_id": "32DE0DEA", "mark": {"name": "m"}}',
            [MarkReached("m")],
        ),
        (
            (
                '{"stream_id": "32DE0DEA", "event": "error", "payload":'
                ' {"code": 100002, "title": "unknown_error", "detail": "Unknown error"}}'
            ),
            [Failed("100002: unknown_error")],
        ),
        (
            (
                '{"event": "stop", "sequence_number": "5", "stop": {"user_id": "3E6F", "call_control_id": "v2:T02"},'
                ' "stream_id": "32DE0DEA"}'
            ),
            [HungUp()],
        ),
    ],
)
def test_what_telnyx_sends(telnyx: Telnyx, message: str, expected: list[Event]) -> None:
    assert expected == telnyx.decode(message)


def test_what_telnyx_is_sent(telnyx: Telnyx) -> None:
    sent = [
        json.loads(str(message))
        for command in (Speak(bytes(4)), Mark("m"), Clear())
        for message in telnyx.encode(command)
    ]

    assert [
        {"event": "media", "media": {"payload": "//8="}},
        {"event": "mark", "mark": {"name": "m"}},
        {"event": "clear"},
    ] == sent


def test_chunks_out_of_order_are_put_right(telnyx: Telnyx) -> None:
    events = [telnyx.decode(media(1)), telnyx.decode(media(3, LOUD)), telnyx.decode(media(2))]
    (loud,) = [event for event in events[2][1:] if isinstance(event, Audio)]

    assert [[Audio(bytes(2))], [], [Audio(bytes(2)), loud]] == events
    assert bytes(2) != loud.pcm


def test_a_lost_chunk_does_not_stop_the_stream(telnyx: Telnyx) -> None:
    events = [event for chunk in (1, *range(3, 13)) for event in telnyx.decode(media(chunk))]

    assert 11 == len(events)


def test_what_waits_is_heard_before_the_end(telnyx: Telnyx) -> None:
    telnyx.decode(media(1))
    telnyx.decode(media(3))

    assert [Audio(bytes(2)), HungUp()] == telnyx.decode('{"event": "stop"}')


@pytest.mark.parametrize(
    ("codec", "rate_hz", "expected"),
    [
        ("PCMU", 8000, SoundFormat("mulaw", 8000)),
        ("PCMA", 8000, SoundFormat("alaw", 8000)),
        ("G722", 8000, SoundFormat("g722", 16_000)),
        ("L16", 24_000, SoundFormat("l16be", 24_000)),
    ],
)
def test_what_we_send_is_what_the_stream_was_asked_for_with(
    codec: TelnyxCodec, rate_hz: int, expected: SoundFormat
) -> None:
    (started,) = Telnyx(codec, rate_hz).decode(START)

    assert isinstance(started, Started)
    assert (MULAW, expected) == (started.call.input, started.call.output)


@pytest.mark.parametrize(
    ("encoding", "rate_hz", "expected"),
    [
        ("audio/x-mulaw", 8000, MULAW),
        ("G722", 8000, SoundFormat("g722", 16_000)),
        ("L16", 16_000, SoundFormat("l16le", 16_000)),
    ],
)
def test_what_telnyx_sends_is_in_its_start(encoding: str, rate_hz: int, expected: SoundFormat) -> None:
    start = START.replace("PCMU", encoding).replace("8000", str(rate_hz))
    (started,) = Telnyx(l16="l16le").decode(start)

    assert isinstance(started, Started)
    assert expected == started.call.input


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        (START.replace("PCMU", "OPUS"), "start.media_format.encoding: expected one of pcmu, pcma, g722, l16, "),
        (START.replace("stream_id", "id"), "stream_id: is missing"),
        (media(1), "audio before the start"),
        ('{"event": "error"}', "payload: is missing"),
    ],
)
def test_a_mistake_is_named(message: str, mistake: str) -> None:
    with pytest.raises(WireError) as caught:
        Telnyx().decode(message)

    assert str(caught.value).startswith(mistake)
