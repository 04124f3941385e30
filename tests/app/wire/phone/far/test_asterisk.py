"""What Asterisk sends and takes, as in https://docs.asterisk.org/Configuration/Channel-Drivers/WebSocket/."""

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
    HungUp,
    Mark,
    MarkReached,
    Message,
    Pause,
    PhoneCall,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.far.asterisk import AsteriskGateway

MULAW = SoundFormat("mulaw", 8000)
CALL = PhoneCall("asterisk", "pbx1-1.9", MULAW, MULAW, stream_id="e226", parameters={"NAME": "some value"})


def started(*, speaks_json: bool) -> AsteriskGateway:
    gateway = AsteriskGateway(speaks_json=speaks_json)
    gateway.encode(Started(CALL))
    return gateway


def test_its_start_in_plain_text_is_one_line() -> None:
    expected = (
        "MEDIA_START connection_id:e226 channel:WebSocket/e226 channel_id:pbx1-1.9 format:ulaw optimal_frame_size:160 "
        "ptime:20"
    )

    assert [expected] == AsteriskGateway(speaks_json=False).encode(Started(CALL))


def test_its_start_in_json_has_the_variables_too() -> None:
    (start,) = AsteriskGateway().encode(Started(CALL))

    assert {"NAME": "some value"} == json.loads(str(start))["channel_variables"]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Audio(bytes(4)), [b"\xff\xff"]),
        (Digit("5"), ["DTMF_END digit:5"]),
        (MarkReached("7"), ["MEDIA_MARK_PROCESSED 7"]),
        (MarkReached("7", heard=False), []),
        (Failed("no such thing"), ["ERROR channel_id:pbx1-1.9 error_text:no such thing"]),
        (FlowChanged(open=False), ["MEDIA_XOFF"]),
        (FlowChanged(open=True), ["MEDIA_XON"]),
        (HungUp(), []),
    ],
)
def test_what_it_sends(event: Event, expected: list[Message]) -> None:
    assert expected == started(speaks_json=False).encode(event)


def test_it_reports_an_empty_queue_once_if_asked() -> None:
    gateway = started(speaks_json=False)
    gateway.decode("REPORT_QUEUE_DRAINED")

    assert (["QUEUE_DRAINED"], []) == (gateway.encode(Cleared()), gateway.encode(Cleared()))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("MARK_MEDIA 7", [Mark("7")]),
        ("FLUSH_MEDIA", [Clear()]),
        ("PAUSE_MEDIA", [Pause()]),
        ("CONTINUE_MEDIA", [Continue()]),
        ("HANGUP", [HangUp()]),
        ("ANSWER", []),
        ("GET_STATUS", []),
        ("STOP_MEDIA_BUFFERING 61ea9311", []),
    ],
)
def test_what_it_takes(command: str, expected: list[Command]) -> None:
    name, _, correlation_id = command.partition(" ")
    as_json = json.dumps({"command": name, "correlation_id": correlation_id or None})

    assert expected == started(speaks_json=False).decode(command) == started(speaks_json=True).decode(as_json)


def test_it_takes_a_part_of_a_frame_only_while_it_buffers() -> None:
    gateway = started(speaks_json=False)
    gateway.decode("START_MEDIA_BUFFERING")

    assert [Speak(bytes(20))] == gateway.decode(b"\xff" * 10)
    gateway.decode("STOP_MEDIA_BUFFERING")
    with pytest.raises(WireError, match="no whole frames, and no buffering"):
        gateway.decode(b"\xff" * 10)


@pytest.mark.parametrize(
    ("message", "mistake"),
    [("flush_media", "command: unknown"), (bytes(65_600), "binary: longer than 65500 bytes")],
)
def test_it_does_not_understand(message: Message, mistake: str) -> None:
    with pytest.raises(WireError, match=mistake):
        started(speaks_json=False).decode(message)
