import base64
import hashlib
import hmac

import pytest

from app.transports.ice.servers import (
    IceServer,
    ServerUrl,
    ice_servers_json,
    link_headers,
    parse_server_url,
    with_turn_credentials,
)

TURN = IceServer(("turn:t.example:3478?transport=udp", "turns:t.example"), '1700000000:a"b', "c+/=")
STUN = IceServer(("stun:s.example",))


def test_a_credential_is_the_keyed_hash_of_expiry_and_user() -> None:
    server = with_turn_credentials(["turn:t.example"], "secret", "session1", 1_700_000_000)
    digest = hmac.new(b"secret", b"1700000000:session1", hashlib.sha1).digest()

    assert "1700000000:session1" == server.username
    assert base64.b64encode(digest).decode() == server.credential


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("stun:s.example", ServerUrl("stun", "s.example", 3478, "udp")),
        ("stun:[2001:db8::1]:1234", ServerUrl("stun", "2001:db8::1", 1234, "udp")),
        ("turn:t.example:99", ServerUrl("turn", "t.example", 99, "udp")),
        ("turn:t.example?transport=tcp", ServerUrl("turn", "t.example", 3478, "tcp")),
        ("turns:t.example", ServerUrl("turns", "t.example", 5349, "tcp")),
    ],
)
def test_a_server_url_says_where_and_how(url: str, expected: ServerUrl) -> None:
    assert expected == parse_server_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://t",
        "turn:",
        "turn:t:0",
        "turn:t:70000",
        "turn:t?transport=sctp",
        "stun:s?transport=udp",
        "turns:t?transport=udp",
    ],
)
def test_a_url_that_is_none_is_named(url: str) -> None:
    with pytest.raises(ValueError, match=r"turn|stun|http|''"):
        parse_server_url(url)


def test_turn_without_a_credential_is_refused() -> None:
    with pytest.raises(ValueError, match="credential"):
        IceServer(("turn:t.example",))


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        with_turn_credentials(["turn:t.example"], "", "x", 1)


def test_a_browser_gets_servers_as_it_takes_them() -> None:
    expected = [
        {"urls": ["stun:s.example"]},
        {"urls": list(TURN.urls), "username": '1700000000:a"b', "credential": "c+/="},
    ]

    assert expected == ice_servers_json([STUN, TURN])


def test_whip_gets_one_link_per_url_with_quoted_credentials() -> None:
    credentials = 'username="1700000000:a\\"b"; credential="c+/="; credential-type="password"'

    assert [
        '<stun:s.example>; rel="ice-server"',
        f'<turn:t.example:3478?transport=udp>; rel="ice-server"; {credentials}',
        f'<turns:t.example>; rel="ice-server"; {credentials}',
    ] == link_headers([STUN, TURN])


def test_a_line_break_cannot_enter_a_header() -> None:
    with pytest.raises(ValueError, match="control"):
        link_headers([IceServer(("turn:t",), "a\r\nx: y", "c")])
