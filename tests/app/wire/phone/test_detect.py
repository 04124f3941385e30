from __future__ import annotations

import pytest

from app.wire.phone.api import Message, PhoneCall, SoundFormat, Started, WireError
from app.wire.phone.detect import by_message, by_subprotocol
from app.wire.phone.far.asterisk import AsteriskGateway
from app.wire.phone.far.catalogue import GATEWAYS

MULAW = SoundFormat("mulaw", 8000)
CALL = PhoneCall("some", "1", MULAW, MULAW, stream_id="2", parameters={"token": "abc"})
TELLING = [name for name in GATEWAYS if not name.startswith("freeswitch")]


@pytest.mark.parametrize("name", TELLING)
def test_a_gateway_is_recognised_from_how_it_starts(name: str) -> None:
    gateway = GATEWAYS[name]()
    form = gateway.formats[0]
    *greetings, start = gateway.encode(Started(PhoneCall(name, "1", form, form, stream_id="2")))

    assert [None] * len(greetings) == [by_message(greeting) for greeting in greetings]
    assert name == by_message(start)


def test_asterisk_is_recognised_in_plain_text_too() -> None:
    (start,) = AsteriskGateway(speaks_json=False).encode(Started(CALL))

    assert "asterisk" == by_message(start)


def test_only_freeswitch_begins_with_audio() -> None:
    assert "freeswitch" == by_message(b"\0\0")


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (["audio.jambonz.org"], "jambonz"),
        (["chat", "audio.drachtio.org"], "freeswitch-fork"),
        (["audiostream.drachtio.org"], "freeswitch-fork"),
        (["chat"], None),
        ([], None),
    ],
)
def test_a_subprotocol_tells_the_gateway(offered: list[str], expected: str | None) -> None:
    assert expected == by_subprotocol(offered)


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        ("hello", "not JSON"),
        ("{}", "no gateway begins with it"),
        ('{"type": "open"}', "no gateway begins with it"),
        ('{"event": "media"}', "event: no gateway begins with it"),
        ('{"event": "start"}', "start: is missing"),
        ('{"event": "start", "start": {"streamSid": "MZ1"}}', "start: names no stream and call of a known gateway"),
    ],
)
def test_what_no_gateway_begins_with_is_a_mistake(message: Message, mistake: str) -> None:
    with pytest.raises(WireError) as caught:
        by_message(message)

    assert mistake == str(caught.value)
