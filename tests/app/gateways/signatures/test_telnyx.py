from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable

import pytest
from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature

from app.gateways.received import Received
from app.gateways.signatures.telnyx import has_stream_token, is_signed_by_telnyx, public_key
from tests.app.gateways.keys import ED25519, ED25519_PUBLIC

BODY = b"CallSid=v3%3A1&From=%2B15550100"


def signed(body: bytes = BODY, *, age_s: int = 0) -> dict[str, str]:
    timestamp = str(int(time.time()) - age_s)
    signature = ED25519.sign(f"{timestamp}|".encode() + body)
    return {"telnyx-timestamp": timestamp, "telnyx-signature-ed25519": b64encode(signature).decode()}


def theirs(headers: dict[str, str], body: bytes = BODY) -> bool:
    """What Telnyx' own library says."""
    try:
        verify_webhook_signature(body, headers, ED25519_PUBLIC)
    except (WebhookVerificationError, ValueError):  # of a number of thousands of digits
        return False
    return True


def ours(headers: dict[str, str], body: bytes = BODY) -> bool:
    request = Received("POST", "https://voice.example.com/v1/telephony/telnyx/voice", headers, body)
    return is_signed_by_telnyx(request, ED25519_PUBLIC, time.time())


@pytest.mark.parametrize("age_s", [0, 290, -290])
def test_a_webhook_is_theirs(age_s: int) -> None:
    headers = signed(age_s=age_s)

    assert (True, True) == (theirs(headers), ours(headers))


@pytest.mark.parametrize(
    "forge",
    [
        dict,
        lambda: signed(age_s=320),
        lambda: signed(age_s=-320),
        lambda: signed(b"another body"),
        lambda: {**signed(), "telnyx-timestamp": "soon"},
        lambda: {**signed(), "telnyx-timestamp": str(int(time.time()) - 1)},
        lambda: {**signed(), "telnyx-timestamp": "1" * 5_000},
        lambda: {**signed(), "telnyx-signature-ed25519": ""},
        lambda: {**signed(), "telnyx-signature-ed25519": "not base64!"},
        lambda: {**signed(), "telnyx-signature-ed25519": b64encode(b"short").decode()},
    ],
    ids=[
        "unsigned",
        "old",
        "of the future",
        "of another",
        "no time",
        "another time",
        "the end of time",
        "empty",
        "no base64",
        "short",
    ],
)
def test_a_webhook_of_somebody_else_is_not_theirs(forge: Callable[[], dict[str, str]]) -> None:
    headers = forge()

    assert (False, False) == (theirs(headers), ours(headers))


def test_a_stream_has_the_token_that_was_agreed_on() -> None:
    def stream(headers: dict[str, str]) -> bool | None:
        return has_stream_token(Received("GET", "wss://voice.example.com/", headers), "agreed")

    assert stream({"x-telnyx-streaming-auth-token": "agreed"}) is True
    assert stream({"x-telnyx-streaming-auth-token": "agreed?"}) is False
    assert stream({"x-telnyx-streaming-auth-token": ""}) is False
    assert stream({}) is None


@pytest.mark.parametrize("text", ["", "!", b64encode(b"too short").decode()])
def test_a_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        public_key(text)
