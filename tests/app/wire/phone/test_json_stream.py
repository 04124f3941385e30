from __future__ import annotations

import json

import pytest

from app.wire.phone.api import Clear, Mark, MarkReached, PhoneCall, SoundFormat, Speak, WireError
from app.wire.phone.envelope import json_object
from app.wire.phone.json_stream import JsonStream, is_callers

MULAW = SoundFormat("mulaw", 8000)
CALL = PhoneCall("some", "1", MULAW, MULAW, stream_id='S"1')


@pytest.mark.parametrize(("track", "expected"), [("inbound", True), ("outbound", False), (None, True)])
def test_the_callers_track_is_theirs_and_the_only_one(track: str | None, expected: bool) -> None:  # noqa: FBT001
    assert expected == is_callers(json_object(json.dumps({"track": track})))


def test_a_stream_is_named_where_a_gateway_wants_it() -> None:
    stream = JsonStream()
    stream.start(CALL, "streamSid")
    messages = [json.loads(str(stream.encode(command)[0])) for command in (Speak(bytes(2)), Mark("1"), Clear())]

    assert ['S"1'] * 3 == [message["streamSid"] for message in messages]


def test_a_stream_is_not_named_where_it_needs_no_name() -> None:
    stream = JsonStream()
    stream.start(CALL, None)

    assert ['{"event":"media","media":{"payload":"/w=="}}', '{"event":"clear"}'] == [
        *stream.encode(Speak(bytes(2))),
        *stream.encode(Clear()),
    ]


def test_a_mark_that_a_clear_dropped_was_not_heard() -> None:
    stream = JsonStream()
    stream.start(CALL, None)
    stream.encode(Mark("1"))
    stream.encode(Clear())

    assert [MarkReached("1", heard=False)] == stream.decode(json_object('{"event": "mark", "mark": {"name": "1"}}'))


def test_an_event_of_another_protocol_is_a_mistake() -> None:
    with pytest.raises(WireError, match=r"^event: unknown$"):
        JsonStream().decode(json_object('{"event": "playedStream"}'))
