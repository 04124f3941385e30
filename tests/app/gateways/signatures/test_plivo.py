from __future__ import annotations

from urllib.parse import urlencode

import pytest
from plivo.utils.signature_v3 import construct_get_url, construct_post_url, get_signature_v3, validate_v3_signature

from app.gateways.received import received
from app.gateways.signatures.plivo import is_signed_by_plivo
from tests.app.gateways.asked import upgrade, webhook

TOKEN = "MTIzNDU2"
PUBLIC = "https://voice.example.com"
NONCE = "05429567804466091622"
FIELDS = {"CallUUID": "c-1", "From": "+15550100", "To": "15550199", "CallerName": "Jörg & Söhne", "Digits": ""}


def signed(method: str, url: str, fields: dict[str, str] | None = None) -> dict[str, str]:
    """By Plivo's own library."""
    base = construct_get_url(url, {}) if method == "GET" else construct_post_url(url, dict(fields or {}))
    signature = get_signature_v3(TOKEN.encode(), base.decode(), NONCE.encode()).decode()
    if not url.startswith("wss"):  # which its check takes for no URL
        assert validate_v3_signature(method, url, NONCE, TOKEN, signature, dict(fields or {}))
    return {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": NONCE}


def webhook_is_theirs(target: str, headers: dict[str, str], fields: dict[str, str]) -> bool:
    headers = {"content-type": "application/x-www-form-urlencoded", **headers}
    return is_signed_by_plivo(received(webhook(target, headers), urlencode(fields).encode(), PUBLIC), TOKEN)


@pytest.mark.parametrize("target", ["/v1/telephony/plivo/voice", "/v1/telephony/plivo/dial?to=%2B15550123&call=b&a=1"])
@pytest.mark.parametrize("fields", [FIELDS, {}], ids=["with a form", "without"])
def test_a_webhook_is_theirs(target: str, fields: dict[str, str]) -> None:
    assert webhook_is_theirs(target, signed("POST", PUBLIC + target, fields), fields)


def test_a_webhook_that_was_changed_is_not_theirs() -> None:
    headers = signed("POST", f"{PUBLIC}/v1/telephony/plivo/dial?to=1", FIELDS)

    assert not webhook_is_theirs("/v1/telephony/plivo/dial?to=2", headers, FIELDS)
    assert not webhook_is_theirs("/v1/telephony/plivo/dial?to=1", headers, {**FIELDS, "From": "1"})
    assert not webhook_is_theirs(
        "/v1/telephony/plivo/dial?to=1", {**headers, "X-Plivo-Signature-V3-Nonce": "1"}, FIELDS
    )


@pytest.mark.parametrize("scheme", ["wss", "https"])
@pytest.mark.parametrize("target", ["/v1/telephony/plivo", "/v1/telephony/plivo?b=2&a=1"])
def test_a_stream_is_theirs(scheme: str, target: str) -> None:
    headers = signed("GET", f"{scheme}://voice.example.com{target}")

    assert is_signed_by_plivo(received(upgrade(target, headers), b"", PUBLIC), TOKEN)


def test_one_of_several_signatures_is_enough() -> None:
    headers = signed("GET", "wss://voice.example.com/v1/telephony/plivo")
    headers["X-Plivo-Signature-V3"] = f"c29tZXRoaW5n,{headers['X-Plivo-Signature-V3']}"

    assert is_signed_by_plivo(received(upgrade("/v1/telephony/plivo", headers), b"", PUBLIC), TOKEN)


@pytest.mark.parametrize("missing", ["X-Plivo-Signature-V3", "X-Plivo-Signature-V3-Nonce"])
def test_a_stream_without_a_signature_or_a_nonce_is_not_theirs(missing: str) -> None:
    headers = signed("GET", "wss://voice.example.com/v1/telephony/plivo")
    del headers[missing]

    assert not is_signed_by_plivo(received(upgrade("/v1/telephony/plivo", headers), b"", PUBLIC), TOKEN)


def test_another_token_is_not_theirs() -> None:
    headers = signed("GET", "wss://voice.example.com/v1/telephony/plivo")

    assert not is_signed_by_plivo(received(upgrade("/v1/telephony/plivo", headers), b"", PUBLIC), "other")
