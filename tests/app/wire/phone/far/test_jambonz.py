"""What jambonz sends first, as in https://docs.jambonz.org/verbs/verbs/listen."""

from __future__ import annotations

import json

from app.wire.phone.api import Audio, Clear, PhoneCall, SoundFormat, Started
from app.wire.phone.far.jambonz import JambonzGateway

L16 = SoundFormat("l16le", 16_000)
CALL = PhoneCall("jambonz", "C1", L16, L16, caller="+1", parameters={"plan": "gold"})


def test_its_first_text_has_the_calls_attributes_and_the_metadata() -> None:
    (message,) = JambonzGateway().encode(Started(CALL))
    expected = {"callSid": "C1", "from": "+1", "sampleRate": 16_000, "mixType": "mono", "plan": "gold"}

    assert expected == json.loads(str(message))


def test_then_it_speaks_as_drachtio_does() -> None:
    gateway = JambonzGateway()
    gateway.encode(Started(CALL))

    assert [b"\1\0"] == gateway.encode(Audio(b"\1\0"))
    assert [Clear()] == gateway.decode('{"type": "killAudio"}')
