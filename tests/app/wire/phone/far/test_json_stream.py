from __future__ import annotations

import json

import pytest

from app.wire.phone.api import Clear, Command, Mark, PhoneCall, SoundFormat, Speak, WireError
from app.wire.phone.envelope import json_object
from app.wire.phone.far.json_stream import asked, must_be_of
from app.wire.phone.far.sound import FarSound

MULAW = SoundFormat("mulaw", 8000)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"event": "media", "media": {"payload": "/w=="}}, Speak(bytes(2))),
        ({"event": "mark", "mark": {"name": "7"}}, Mark("7")),
        ({"event": "clear"}, Clear()),
    ],
)
def test_the_three_things_that_can_be_asked(message: dict[str, object], expected: Command) -> None:
    sound = FarSound()
    sound.start(PhoneCall("some", "1", MULAW, MULAW))

    assert expected == asked(json_object(json.dumps(message)), sound)


def test_there_is_no_fourth() -> None:
    with pytest.raises(WireError, match="event: unknown"):
        asked(json_object('{"event": "hangup"}'), FarSound())


def test_a_message_names_its_stream() -> None:
    must_be_of("S1", json_object('{"id": "S1"}'), "id")
    with pytest.raises(WireError, match="id: is of another stream"):
        must_be_of("S1", json_object('{"id": "S2"}'), "id")
    with pytest.raises(WireError, match="id: is missing"):
        must_be_of("S1", json_object("{}"), "id")
