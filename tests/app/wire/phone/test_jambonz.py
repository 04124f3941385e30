"""Messages as in https://docs.jambonz.org/verbs/verbs/listen: call attributes, then metadata."""

from __future__ import annotations

import json

import pytest

from app.wire.phone.api import Audio, HangUp, Message, PhoneCall, SoundFormat, Started, WireError
from app.wire.phone.jambonz import Jambonz

ATTRIBUTES = {
    "callSid": "b6f48929-8e86-4d62-ae3b-64fb574d91f6",
    "direction": "inbound",
    "from": "15083084809",
    "to": "15088888888",
    "sampleRate": 8000,
    "mixType": "mono",
    "plan": "gold",
}
START = json.dumps(ATTRIBUTES)


def test_the_first_text_tells_of_the_call() -> None:
    call = PhoneCall(
        gateway="jambonz",
        call_id="b6f48929-8e86-4d62-ae3b-64fb574d91f6",
        input=SoundFormat("l16le", 8000),
        output=SoundFormat("l16le", 8000),
        caller="15083084809",
        callee="15088888888",
        parameters={"direction": "inbound", "plan": "gold"},
    )

    assert [Started(call)] == Jambonz().decode(START)


def test_the_rate_that_we_send_is_the_verbs() -> None:
    (started,) = Jambonz(output_rate_hz=24_000).decode(START)

    assert isinstance(started, Started)
    assert (8000, 24_000) == (started.call.input.rate_hz, started.call.output.rate_hz)


@pytest.mark.parametrize(("mix", "data"), [("mono", b"\1\0\2\0"), ("stereo", b"\1\0\x7f\x7f\2\0\x7f\x7f")])
def test_the_caller_is_in_the_first_channel(mix: str, data: bytes) -> None:
    codec = Jambonz()
    codec.decode(json.dumps({**ATTRIBUTES, "mixType": mix}))

    assert [Audio(b"\1\0\2\0")] == codec.decode(data)


def test_later_texts_are_not_another_start() -> None:
    codec = Jambonz()
    codec.decode(START)

    assert [] == codec.decode(START)
    assert ['{"type":"disconnect"}'] == codec.encode(HangUp())


def test_its_subprotocol_must_be_accepted() -> None:
    assert ("audio.jambonz.org",) == Jambonz.subprotocols


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        ("{}", "sampleRate: is missing"),
        (json.dumps({**ATTRIBUTES, "sampleRate": 7}), "sampleRate: expected one of 8000, "),
        (json.dumps({**ATTRIBUTES, "mixType": "quadro"}), "mixType: expected one of mono, mixed, stereo"),
        (b"\0\0", "audio before the start"),
        ("hello", "not JSON"),
    ],
)
def test_a_mistake_is_named(message: Message, mistake: str) -> None:
    with pytest.raises(WireError) as caught:
        Jambonz().decode(message)

    assert str(caught.value).startswith(mistake)
