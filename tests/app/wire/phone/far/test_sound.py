from __future__ import annotations

import pytest

from app.wire.phone.api import PhoneCall, SoundFormat, WireError
from app.wire.phone.far.sound import FarSound, Packet

CALL = PhoneCall("some", "1", input=SoundFormat("l16be", 8000), output=SoundFormat("l16le", 8000))


def test_what_the_server_hears_is_what_is_sent() -> None:
    sound = FarSound()
    sound.start(CALL)

    assert b"\2\1" == sound.to_server(b"\1\2")
    assert b"\1\2" == sound.from_server(b"\1\2")


def test_packets_are_numbered_and_timed() -> None:
    sound = FarSound()
    sound.start(CALL)
    packets = [sound.packet(bytes(320)) for _ in range(3)]

    assert [(1, 0), (2, 20), (3, 40)] == [(packet.number, packet.at_ms) for packet in packets]
    assert Packet(4, 60, "AgE=") == sound.packet(b"\1\2")


def test_the_server_may_not_speak_before_the_start() -> None:
    with pytest.raises(WireError, match="before the start"):
        FarSound().from_server(b"\0\0")
