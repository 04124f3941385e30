"""Each gateway's proof, as the server's own reading of the vendors' pages takes it, which was written apart."""

from __future__ import annotations

import time

import pytest

from app.dial.credentials import KINDS, headers
from app.gateways.checks import stream_checks
from app.gateways.received import Received
from app.settings.telephony import Telephony
from app.wire.phone.far.catalogue import GATEWAYS

URL = "wss://voice.example.com/v1/telephony/x?a=b"
PASSWORD = {"username": "ann", "password": "secret"}
SETTINGS = {
    "twilio": {"account_sid": "AC1", "auth_token": "secret"},
    "telnyx": {"stream_auth_token": "secret"},
    "vonage": {"signature_secret": "s" * 32},
    "plivo": {"auth_id": "MA1", "auth_token": "secret"},
    "exotel": PASSWORD,
    "asterisk": PASSWORD,
    "freeswitch": PASSWORD,
    "jambonz": PASSWORD,
    "audiohook": {"api_key": "ann", "client_secret": "c2VjcmV0"},
}
SECRETS = {"twilio": "secret", "telnyx": "secret", "vonage": "s" * 32, "plivo": "secret", "audiohook": "ann:c2VjcmV0"}


@pytest.mark.parametrize("gateway", SETTINGS)
def test_the_server_takes_it(gateway: str) -> None:
    given = headers(gateway, SECRETS.get(gateway, "ann:secret"), URL, "session-1")
    check = stream_checks(Telephony.model_validate({gateway: SETTINGS[gateway]}), time.time)[gateway]

    assert check(Received("GET", URL, {name.lower(): value for name, value in given.items()}))


def test_every_gateway_has_one() -> None:
    assert set(GATEWAYS) == set(KINDS)


def test_without_a_secret_there_is_none() -> None:
    assert {} == headers("twilio", None, URL, "")


@pytest.mark.parametrize("gateway", ["asterisk", "audiohook"])
@pytest.mark.parametrize("secret", ["", "ann", "ann:", ":secret"])
def test_half_a_secret_is_told(gateway: str, secret: str) -> None:
    with pytest.raises(ValueError, match="two parts with a colon between them"):
        headers(gateway, secret, URL, "")
