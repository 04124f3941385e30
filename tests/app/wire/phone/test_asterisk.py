"""Messages as in https://docs.asterisk.org/Configuration/Channel-Drivers/WebSocket/ and channels/chan_websocket.c."""

from __future__ import annotations

import json

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Cleared,
    Command,
    Continue,
    Digit,
    Event,
    Failed,
    FlowChanged,
    HangUp,
    Mark,
    MarkReached,
    Message,
    Pause,
    PhoneCall,
    Respond,
    SendDigits,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.asterisk import Asterisk

CONNECTION = "e226e283-c90a-4ea9-9e37-389000b9ef47"
OLD = f"MEDIA_START connection_id:{CONNECTION} channel:WebSocket/connectionid format:ulaw optimal_frame_size:160"
PLAIN = (
    f"MEDIA_START connection_id:{CONNECTION} channel:WebSocket/connectionid channel_id:pbx1-123456789.999 format:ulaw "
    "optimal_frame_size:160 ptime:20"
)
JSON = """{
    "event": "MEDIA_START",
    "connection_id": "e226e283-c90a-4ea9-9e37-389000b9ef47",
    "channel": "WebSocket/connectionid",
    "channel_id": "pbx1-123456789.999",
    "format": "ulaw",
    "optimal_frame_size": 160,
    "ptime": 20,
    "channel_variables": {
        "SOME_CHANNEL_VARIABLE": "some value",
        "ANOTHER_CHANNEL_VARIABLE": "some other value"
    }
}"""
MULAW = SoundFormat("mulaw", 8000)
VARIABLES = {"SOME_CHANNEL_VARIABLE": "some value", "ANOTHER_CHANNEL_VARIABLE": "some other value"}


def started(start: str, **options: bool) -> Asterisk:
    codec = Asterisk(**options)
    codec.decode(start)
    return codec


@pytest.mark.parametrize(
    ("start", "call_id", "parameters"),
    [
        (OLD, "WebSocket/connectionid", {}),
        (PLAIN, "pbx1-123456789.999", {}),
        (JSON, "pbx1-123456789.999", VARIABLES),
    ],
)
def test_a_start_tells_of_the_call(start: str, call_id: str, parameters: dict[str, str]) -> None:
    call = PhoneCall("asterisk", call_id, MULAW, MULAW, stream_id=CONNECTION, parameters=parameters)

    assert [Started(call)] == Asterisk().decode(start)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alaw", SoundFormat("alaw", 8000)),
        ("slin", SoundFormat("l16le", 8000)),
        ("slin16", SoundFormat("l16le", 16_000)),
        ("slin24", SoundFormat("l16le", 24_000)),
        ("g722", SoundFormat("g722", 16_000)),
    ],
)
def test_the_start_names_the_format(name: str, expected: SoundFormat) -> None:
    (event,) = Asterisk().decode(PLAIN.replace("ulaw", name))

    assert isinstance(event, Started)
    assert expected == event.call.input == event.call.output


@pytest.mark.parametrize("start", [OLD, PLAIN, JSON])
def test_marks_are_asked_for_of_versions_that_have_none_yet_too(start: str) -> None:
    """They do not tell; where none comes back, the session does without."""
    (message,) = started(start).encode(Mark("1"))

    assert "MARK_MEDIA" in str(message)


@pytest.mark.parametrize(
    ("plain", "as_json", "expected"),
    [
        ("DTMF_END digit:5 channel_id:1", {"event": "DTMF_END", "channel_id": "1", "digit": "5"}, [Digit("5")]),
        ("MEDIA_XOFF", {"event": "MEDIA_XOFF", "channel_id": "1"}, [FlowChanged(open=False)]),
        ("MEDIA_XON", {"event": "MEDIA_XON", "channel_id": "1"}, [FlowChanged(open=True)]),
        ("QUEUE_DRAINED", {"event": "QUEUE_DRAINED", "channel_id": "1"}, [Cleared()]),
        (
            "MEDIA_MARK_PROCESSED 7",
            {"event": "MEDIA_MARK_PROCESSED", "channel_id": "1", "correlation_id": "7"},
            [MarkReached("7")],
        ),
        (
            "STATUS queue_length:43 xon_level:800 xoff_level:900 queue_full:false bulk_media:true media_paused:false",
            {"event": "STATUS", "channel_id": "1", "queue_length": 43},
            [],
        ),
        ("MEDIA_BUFFERING_COMPLETED 61ea9311", {"event": "MEDIA_BUFFERING_COMPLETED", "correlation_id": "61"}, []),
        (
            "ERROR channel_id:1 error_text:FLUSH_MEDIA not supported in passthrough mode",
            {"event": "ERROR", "channel_id": "1", "error_text": "FLUSH_MEDIA not supported in passthrough mode"},
            [Failed("FLUSH_MEDIA not supported in passthrough mode")],
        ),
        ("MEDIA_BUFFERING_COMPLETED", {"event": "MEDIA_BUFFERING_COMPLETED"}, []),
    ],
)
def test_what_asterisk_sends(plain: str, as_json: dict[str, object], expected: list[Event]) -> None:
    assert expected == started(PLAIN).decode(plain) == started(JSON).decode(json.dumps(as_json))


def test_audio_is_binary() -> None:
    assert [Audio(bytes(320))] == started(JSON).decode(b"\xff" * 160)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Mark("7"), ["MARK_MEDIA 7"]),
        (Clear(), ["REPORT_QUEUE_DRAINED", "FLUSH_MEDIA"]),
        (Pause(), ["PAUSE_MEDIA"]),
        (Continue(), ["CONTINUE_MEDIA"]),
        (HangUp(), ["HANGUP"]),
        (SendDigits("1"), []),
    ],
)
def test_what_asterisk_is_sent(command: Command, expected: list[str]) -> None:
    as_json = [json.loads(str(message)) for message in started(JSON).encode(command)]
    names = [" ".join([each["command"], *filter(None, [each.get("correlation_id")])]) for each in as_json]

    assert expected == started(PLAIN).encode(command) == names


def test_whole_frames_are_sent_as_they_are() -> None:
    assert [b"\xff" * 480] == started(PLAIN).encode(Speak(bytes(960)))


def test_a_part_of_a_frame_is_sent_with_buffering() -> None:
    expected = ["START_MEDIA_BUFFERING", b"\xff" * 170, "STOP_MEDIA_BUFFERING"]

    assert expected == started(PLAIN).encode(Speak(bytes(340)))


def test_no_message_is_longer_than_asterisk_can_take() -> None:
    """65,500 bytes; 65,440 are whole frames."""
    pieces = started(PLAIN).encode(Speak(bytes(2 * 160 * 500)))

    assert [65_440, 14_560] == [len(piece) for piece in pieces]


def test_a_call_is_answered_if_the_dial_string_left_it_to_us() -> None:
    answers: list[Message] = [
        event.message for event in Asterisk(answers=True).decode(PLAIN) if isinstance(event, Respond)
    ]

    assert ["ANSWER"] == answers


def test_a_mark_that_comes_back_after_a_flush_was_not_heard() -> None:
    codec = started(JSON)
    codec.encode(Mark("7"))
    codec.encode(Clear())

    assert [MarkReached("7", heard=False)] == codec.decode('{"event": "MEDIA_MARK_PROCESSED", "correlation_id": "7"}')


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        ("", "event: unknown"),
        ("MEDIA_STOP", "event: unknown"),
        ("DTMF_END", "digit: is missing"),
        (PLAIN.replace("ulaw", "opus"), "format: expected one of ulaw, alaw, g722, slin, "),
        (PLAIN.replace(":160", ":0"), "optimal_frame_size: expected 1 to 65500"),
        (PLAIN.replace(":160", ":many"), "optimal_frame_size: expected a whole number"),
        ("{", "not JSON"),
        (b"\xff", "audio before the start"),
    ],
)
def test_a_mistake_is_named(message: Message, mistake: str) -> None:
    with pytest.raises(WireError) as caught:
        Asterisk().decode(message)

    assert str(caught.value).startswith(mistake)
