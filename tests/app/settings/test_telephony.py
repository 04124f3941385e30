from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.settings import WrongSettings, load
from app.settings.telephony import Telephony, private_key_pem
from tests.app.gateways.keys import ED25519_PUBLIC, RSA_PEM


def mistakes(**telephony: Any) -> list[str]:
    with pytest.raises(WrongSettings) as raised:
        load(flags={"telephony": telephony})
    return raised.value.lines


def test_nothing_is_needed() -> None:
    settings = load().telephony

    assert (None, 2.0, "#", 32) == (
        settings.public_url,
        settings.dtmf.timeout,
        settings.dtmf.terminator,
        settings.dtmf.max_digits,
    )


def test_the_environment_reaches_every_table() -> None:
    settings = load(
        environment={
            "BELUGA_TELEPHONY__PUBLIC_URL": "https://voice.example.com",
            "BELUGA_TELEPHONY__TWILIO__ACCOUNT_SID": "AC1",
            "BELUGA_TELEPHONY__TWILIO__AUTH_TOKEN": "hunter2",
            "BELUGA_TELEPHONY__VONAGE__RATE": "8000",
            "BELUGA_TELEPHONY__TELNYX__PUBLIC_KEY": ED25519_PUBLIC,
            "BELUGA_TELEPHONY__DTMF__TIMEOUT": "1500ms",
            "BELUGA_TELEPHONY__DTMF__TERMINATOR": "*",
        }
    ).telephony

    assert settings.twilio.auth_token is not None
    assert "hunter2" == settings.twilio.auth_token.get_secret_value()
    assert (8000, 1.5, "*") == (settings.vonage.rate, settings.dtmf.timeout, settings.dtmf.terminator)
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"colour": 1}, "telephony.colour: unknown setting; known are public_url, "),
        (
            {"twilio": {"sid": "AC1"}},
            "telephony.twilio.sid: unknown setting; known are account_sid, auth_token, edge, ",
        ),
        ({"vonage": {"rate": 44100}}, "telephony.vonage.rate: 44100 given, 8000, 16000 or 24000 allowed"),
        ({"silent_after": "2h"}, "telephony.silent_after: '2h' given, 1 to 3600 allowed"),
        ({"dtmf": {"max_digits": 0}}, "telephony.dtmf.max_digits: 0 given, 1 to 100 allowed"),
        ({"dtmf": {"timeout": "soon"}}, "telephony.dtmf.timeout: 'soon' given, a duration such as 500ms, "),
        ({"twilio": {"auth_token": 12}}, "telephony.twilio.auth_token: *** given, a string allowed"),
        ({"twilio": "AC1"}, "telephony.twilio: 'AC1' given, a table allowed"),
        ({"twilio": '{"auth_token": "secret"'}, "telephony.twilio: *** given, a table allowed"),
        ({"public_url": "voice.example.com"}, "telephony.public_url: 'voice.example.com' given, URLs such as "),
        ({"public_url": "https://a/?b=1"}, "telephony.public_url: 'https://a/?b=1' given, URLs such as "),
        ({"jambonz": {"api_url": "jambonz"}}, "telephony.jambonz.api_url: 'jambonz' given, URLs such as "),
        (
            {"telnyx": {"public_key": "short"}},
            "telephony.telnyx.public_key: 'short' given, an Ed25519 key of 32 bytes in base64 allowed",
        ),
        (
            {"audiohook": {"api_key": "key", "client_secret": "!"}},
            "telephony.audiohook.client_secret: *** given, base64 allowed",
        ),
        (
            {"vonage": {"application_id": "app-1", "private_key": "key"}},
            "telephony.vonage.private_key: *** given, an RSA key in PEM allowed",
        ),
        (
            {"vonage": {"application_id": "app-1", "private_key_file": "/nowhere"}},
            "telephony.vonage.private_key_file: /nowhere given, cannot be read: No such file or directory",
        ),
        (
            {"plivo": {"rate": 16000}},
            "telephony.plivo.rate: 16000 given, 8000 allowed with telephony.plivo.codec mulaw",
        ),
        (
            {"telnyx": {"rate": 24000, "codec": "G722"}},
            "telephony.telnyx.rate: 24000 given, 8000 or 16000 allowed with telephony.telnyx.codec G722",
        ),
    ],
)
def test_a_mistake_is_named(table: dict[str, Any], line: str) -> None:
    (told,) = mistakes(**table)

    assert told.startswith(line)


@pytest.mark.parametrize(
    ("gateway", "given", "needed"),
    [
        ("twilio", {"account_sid": "AC1"}, "auth_token"),
        ("plivo", {"auth_id": "MA1"}, "auth_token"),
        ("telnyx", {"connection_id": "1"}, "api_key"),
        ("vonage", {"private_key": RSA_PEM}, "application_id"),
        ("asterisk", {"username": "joe"}, "password"),
        ("freeswitch", {"password": "pass"}, "username"),
        ("jambonz", {"api_key": "key"}, "account_sid"),
        ("exotel", {"api_key": "key", "api_token": "token"}, "account_sid"),
        ("audiohook", {"client_secret": "Zg=="}, "api_key"),
    ],
)
def test_half_a_credential_is_named(gateway: str, given: dict[str, str], needed: str) -> None:
    (told,) = mistakes(**{gateway: given})

    assert told.endswith(f"given together with telephony.{gateway}.{needed}, or not at all")


def test_an_auth_token_alone_checks_signatures() -> None:
    assert load(flags={"telephony": {"twilio": {"auth_token": "a"}, "plivo": {"auth_token": "b"}}})


def test_a_private_key_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "private.key"
    file.write_text(RSA_PEM)
    given = {"application_id": "app-1", "private_key_file": str(file)}
    settings = load(flags={"telephony": {"vonage": given}}).telephony

    assert RSA_PEM == private_key_pem(settings.vonage)
    assert [
        "telephony.vonage.private_key: given together with telephony.vonage.private_key_file, one of them allowed"
    ] == (mistakes(vonage={**given, "private_key": RSA_PEM}))


def test_a_file_that_is_no_text_is_no_key(tmp_path: Path) -> None:
    file = tmp_path / "private.key"
    file.write_bytes(b"\xff\xfe")
    (told,) = mistakes(vonage={"application_id": "app-1", "private_key_file": str(file)})

    assert told == f"telephony.vonage.private_key_file: {file} given, an RSA key in PEM allowed"


def test_nothing_is_a_key_where_none_is_given() -> None:
    assert private_key_pem(Telephony().vonage) is None
