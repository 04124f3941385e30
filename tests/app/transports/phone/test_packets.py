from __future__ import annotations

import pytest

from app.transports.phone.packets import Packer


def test_frames_are_put_together() -> None:
    packer = Packer(60)

    assert [b"", b"", b"abc", b"", b"", b"def"] == [packer.add(bytes([frame])) for frame in b"abcdef"]


def test_the_rest_is_given_when_it_is_asked_for() -> None:
    packer = Packer(200)
    packer.add(b"a")
    packer.add(b"b")

    assert [b"ab", b""] == [packer.rest(), packer.rest()]


@pytest.mark.parametrize("packet_ms", [0, 10, 20, 39])
def test_a_gateway_that_wants_no_more_gets_each_frame(packet_ms: int) -> None:
    assert b"a" == Packer(packet_ms).add(b"a")
