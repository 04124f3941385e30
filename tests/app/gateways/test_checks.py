from __future__ import annotations

import time

import pytest
from twilio.request_validator import RequestValidator

from app.gateways.checks import stream_checks, webhook_checks
from app.gateways.received import received
from app.settings.telephony import Telephony
from app.wire.phone.catalogue import CODECS
from tests.app.gateways.asked import upgrade
from tests.app.gateways.keys import ED25519_PUBLIC

ACCOUNT = {"username": "joe", "password": "pass"}
ALL = Telephony.model_validate(
    {
        "twilio": {"auth_token": "a"},
        "telnyx": {"stream_auth_token": "b", "public_key": ED25519_PUBLIC},
        "vonage": {"signature_secret": "the signature secret of an account at Vonage"},
        "plivo": {"auth_token": "d"},
        "exotel": ACCOUNT,
        "asterisk": ACCOUNT,
        "freeswitch": ACCOUNT,
        "jambonz": ACCOUNT,
        "audiohook": {"api_key": "e", "client_secret": "Zg=="},
    }
)


def test_who_has_no_secret_set_has_no_check() -> None:
    assert {} == stream_checks(Telephony(), time.time)
    assert {} == webhook_checks(Telephony(), time.time)


@pytest.mark.parametrize("gateway", stream_checks(ALL, time.time))
def test_a_stranger_is_nobodys_stream(gateway: str) -> None:
    nobody = received(upgrade(f"/v1/telephony/{gateway}"), b"", "https://voice.example.com")

    assert not stream_checks(ALL, time.time)[gateway](nobody)


def test_every_gateway_can_be_checked() -> None:
    assert CODECS.keys() == stream_checks(ALL, time.time).keys()
    assert {"twilio", "telnyx", "vonage", "plivo", "jambonz"} == webhook_checks(ALL, time.time).keys()


@pytest.mark.parametrize("gateway", webhook_checks(ALL, time.time))
def test_a_stranger_is_nobodys_webhook(gateway: str) -> None:
    nobody = received(upgrade(f"/v1/telephony/{gateway}/voice"), b"", None)

    assert not webhook_checks(ALL, time.time)[gateway](nobody)


def test_the_gateway_itself_is_let_in() -> None:
    signature = RequestValidator("a").compute_signature("wss://voice.example.com/v1/telephony/twilio", {})
    headers = {
        "x-twilio-signature": signature,
        "x-telnyx-streaming-auth-token": "b",
        "authorization": "Basic am9lOnBhc3M=",  # joe:pass
        "x-api-key": "e",
    }
    request = received(upgrade("/v1/telephony/twilio", headers), b"", "https://voice.example.com")
    unsigned = stream_checks(Telephony.model_validate({"audiohook": {"api_key": "e"}}), time.time)
    checks = stream_checks(ALL, time.time) | unsigned

    assert {"twilio", "telnyx", "exotel", "asterisk", "freeswitch", "freeswitch-fork", "jambonz", "audiohook"} == {
        name for name, check in checks.items() if check(request)
    }


def test_the_webhooks_of_jambonz_are_signed_where_a_secret_is_set() -> None:
    request = received(upgrade("/", {"authorization": "Basic am9lOnBhc3M="}), b"", None)
    signed = Telephony.model_validate({"jambonz": {**ACCOUNT, "webhook_secret": "s"}})

    assert webhook_checks(ALL, time.time)["jambonz"](request)
    assert not webhook_checks(signed, time.time)["jambonz"](request)
