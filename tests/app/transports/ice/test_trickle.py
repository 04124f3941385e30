import random

import pytest

from app.transports.ice.trickle import MAX_CANDIDATES, Fragment, FragmentError, decode_fragment, encode_fragment

CHROME = (
    b"a=ice-ufrag:EsAw\r\n"
    b"a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
    b"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
    b"a=mid:0\r\n"
    b"a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n"
    b"a=candidate:3471623853 1 udp 2122194687 4f3c.local 61765 typ host generation 0\r\n"
    b"a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n"
    b"a=candidate:2154773085 1 udp 1685987071 203.0.113.5 7 typ srflx raddr 192.0.2.1 rport 61764\r\n"
    b"a=end-of-candidates\r\n"
)


def test_a_browsers_fragment_is_read() -> None:
    fragment = decode_fragment(CHROME)

    assert ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1") == (fragment.ufrag, fragment.password)
    assert ["192.0.2.1", "4f3c.local", "192.0.2.1", "203.0.113.5"] == [c.ip for c in fragment.candidates]
    assert ["udp", "udp", "tcp", "udp"] == [c.protocol for c in fragment.candidates]
    assert {"0"} == {c.sdpMid for c in fragment.candidates}
    assert ("192.0.2.1", 61_764) == (fragment.candidates[3].relatedAddress, fragment.candidates[3].relatedPort)
    assert fragment.ended


def test_what_is_written_is_read_back() -> None:
    fragment = decode_fragment(CHROME)

    assert fragment == decode_fragment(encode_fragment(fragment, "0"))


def test_a_fragment_may_say_only_that_no_more_will_come() -> None:
    assert Fragment(None, None, (), ended=True) == decode_fragment(b"a=end-of-candidates\n")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff", "UTF-8"),
        (b"hello", "line 1: neither"),
        (b"a=ice-ufrag:ab\r\n", "line 1: ice-ufrag"),
        (b"a=ice-ufrag:abcd\r\n", "one ice-ufrag and one ice-pwd"),
        (b"a=candidate:1 1 udp 1 192.0.2.1 5\r\n", "eight fields"),
        (b"a=candidate:1 1 udp x 192.0.2.1 5 typ host\r\n", "priority"),
        (b"a=candidate:1 1 udp 1 192.0.2.1 70000 typ host\r\n", "port"),
        (b"a=candidate:1 1 udp 1 192.0.2.300 5 typ host\r\n", "address"),
        (b"a=candidate:1 1 udp 1 exa/mple.org 5 typ host\r\n", "address"),
        (b"a=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\n" * (MAX_CANDIDATES + 1), "more than"),
        (b"a" * 40_000, "bytes"),
    ],
)
def test_a_fragment_that_is_none_says_what_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(FragmentError, match=words):
        decode_fragment(data)


def test_garbage_raises_fragment_error_and_nothing_else() -> None:
    rng = random.Random(11)
    for _ in range(5_000):
        data = bytearray(CHROME)
        for _ in range(rng.randrange(1, 12)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            decode_fragment(bytes(data))
        except FragmentError as error:
            assert str(error)  # noqa: PT017 (either outcome is right)
