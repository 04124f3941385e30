from __future__ import annotations

from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from app.gateways.received import received
from app.gateways.signatures.twilio import is_signed_by_twilio
from tests.app.gateways.asked import upgrade, webhook

TOKEN = "12345"
PUBLIC = "https://voice.example.com"
STREAM = "/v1/telephony/twilio"
FIELDS = {"CallSid": "CA1", "From": "+15550100", "To": "+15550199", "CallerName": "Jörg & Söhne", "Digits": ""}


def signed(url: str, fields: dict[str, str] | None = None) -> dict[str, str]:
    """By Twilio's own library."""
    return {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(url, fields or {})}


def stream_is_theirs(headers: dict[str, str], public_url: str | None = PUBLIC, path: str = STREAM) -> bool:
    return is_signed_by_twilio(received(upgrade(path, headers), b"", public_url), TOKEN)


@pytest.mark.parametrize(
    "url",
    [
        f"wss://voice.example.com{STREAM}",
        f"wss://voice.example.com{STREAM}/",
        f"wss://voice.example.com:443{STREAM}",
        f"https://voice.example.com{STREAM}",
    ],
)
def test_a_stream_is_theirs_however_they_write_its_url(url: str) -> None:
    assert stream_is_theirs(signed(url))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Twilio-Signature": ""},
        {"X-Twilio-Signature": "ÄÖ"},
        signed(f"wss://other.example.com{STREAM}"),
        signed(f"wss://voice.example.com{STREAM}?token=1"),
        signed(f"wss://voice.example.com{STREAM}", {"a": "b"}),
        {"X-Twilio-Signature": RequestValidator("54321").compute_signature(f"wss://voice.example.com{STREAM}", {})},
    ],
    ids=["none", "empty", "not ascii", "another host", "another query", "with a form", "another token"],
)
def test_a_stream_of_somebody_else_is_not_theirs(headers: dict[str, str]) -> None:
    assert not stream_is_theirs(headers)


def test_without_a_public_url_the_host_counts() -> None:
    assert stream_is_theirs(signed(f"ws://voice.example.com{STREAM}"), public_url=None)


def webhook_is_theirs(fields: dict[str, str], signature: dict[str, str], method: str = "POST") -> bool:
    headers = {"content-type": "application/x-www-form-urlencoded", **signature}
    scope = webhook("/v1/telephony/twilio/voice?call=1", headers, method=method)
    return is_signed_by_twilio(received(scope, urlencode(fields).encode(), PUBLIC), TOKEN)


def test_a_webhook_is_theirs() -> None:
    signature = signed(f"{PUBLIC}/v1/telephony/twilio/voice?call=1", FIELDS)
    with_port = signed("https://voice.example.com:443/v1/telephony/twilio/voice?call=1", FIELDS)

    assert webhook_is_theirs(FIELDS, signature)
    assert webhook_is_theirs(FIELDS, with_port)


def test_a_webhook_that_was_changed_is_not_theirs() -> None:
    signature = signed(f"{PUBLIC}/v1/telephony/twilio/voice?call=1", FIELDS)

    assert not webhook_is_theirs({**FIELDS, "From": "+15550101"}, signature)
    assert not webhook_is_theirs({**FIELDS, "More": ""}, signature)
