"""What a server sends, as in https://www.twilio.com/docs/voice/media-streams/websocket-messages."""

from __future__ import annotations

import json

import pytest

from app.wire.phone.api import (
    Audio,
    Clear,
    Cleared,
    Digit,
    HungUp,
    Mark,
    MarkReached,
    PhoneCall,
    SoundFormat,
    Speak,
    Started,
    WireError,
)
from app.wire.phone.far.twilio import TwilioGateway
from app.wire.phone.twilio import Twilio
from tests.app.wire.phone.pairs import Pair

MULAW = SoundFormat("mulaw", 8000)
CALL = PhoneCall("twilio", "CA1", MULAW, MULAW, stream_id="MZ1", parameters={"token": "secret"})


@pytest.fixture
def gateway() -> TwilioGateway:
    gateway = TwilioGateway()
    gateway.encode(Started(CALL))
    return gateway


def test_it_greets_before_it_starts() -> None:
    events = [json.loads(message)["event"] for message in TwilioGateway().encode(Started(CALL))]

    assert ["connected", "start"] == events


def test_media_is_numbered_and_timed(gateway: TwilioGateway) -> None:
    gateway.encode(Audio(bytes(320)))
    (message,) = gateway.encode(Audio(bytes(320)))
    sent = json.loads(message)

    assert ("3", "2", "20") == (sent["sequenceNumber"], sent["media"]["chunk"], sent["media"]["timestamp"])


def test_it_plays_media(gateway: TwilioGateway) -> None:
    media = '{"event": "media", "streamSid": "MZ1", "media": {"payload": "/////w=="}}'

    assert [Speak(bytes(8))] == gateway.decode(media)


def test_it_keeps_a_mark(gateway: TwilioGateway) -> None:
    assert [Mark("my label")] == gateway.decode('{"event": "mark", "streamSid": "MZ1", "mark": {"name": "my label"}}')


def test_it_clears(gateway: TwilioGateway) -> None:
    assert [Clear()] == gateway.decode('{"event": "clear", "streamSid": "MZ1"}')


@pytest.mark.parametrize(
    ("message", "mistake"),
    [
        ('{"event": "clear", "streamSid": "MZ2"}', "streamSid: is of another stream"),
        ('{"event": "clear"}', "streamSid: is missing"),
        ('{"event": "hangup", "streamSid": "MZ1"}', "event: unknown"),
    ],
)
def test_it_does_not_understand(gateway: TwilioGateway, message: str, mistake: str) -> None:
    with pytest.raises(WireError, match=mistake):
        gateway.decode(message)


def test_nothing_is_understood_before_the_start() -> None:
    with pytest.raises(WireError, match="before the start"):
        TwilioGateway().decode('{"event": "clear", "streamSid": "MZ1"}')


def test_both_sides_understand_each_other() -> None:
    pair = Pair(Twilio(), TwilioGateway()).start(CALL)

    assert [Audio(bytes(320)), Digit("#")] == pair.tell(Audio(bytes(320)), Digit("#"))
    assert [Speak(bytes(320)), Mark("1"), Clear()] == pair.ask(Speak(bytes(320)), Mark("1"), Clear())
    assert [MarkReached("2"), HungUp()] == pair.tell(MarkReached("2"), Cleared(), HungUp())
