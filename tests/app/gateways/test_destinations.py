from __future__ import annotations

import pytest

from app.gateways.control import GatewayError
from app.gateways.destinations import checked, digits_of


@pytest.mark.parametrize("to", ["+15550100", "15550100", "112"])
def test_a_number_is_a_number(to: str) -> None:
    assert "number" == checked("twilio", "transfer", to)


@pytest.mark.parametrize("to", ["sip:joe@example.com", "sips:joe@example.com:5061;transport=tls"])
def test_a_sip_uri_is_one(to: str) -> None:
    assert "sip" == checked("twilio", "transfer", to)


@pytest.mark.parametrize(
    "to", ["", "joe", "+1 555 0100", "tel:+15550100", "https://example.com", 'sip:a"b', "sip:a b", "1" * 16, "+1\n"]
)
def test_nothing_else_is_dialled(to: str) -> None:
    with pytest.raises(GatewayError, match="neither a number such as"):
        checked("twilio", "transfer", to)


@pytest.mark.parametrize("digits", ["", "12 3", "e", "1" * 101])
def test_no_phone_has_other_keys(digits: str) -> None:
    with pytest.raises(GatewayError, match="digits are"):
        digits_of("telnyx", digits)


def test_digits_are_left_as_they_are() -> None:
    assert "0123456789*#ABCDw" == digits_of("telnyx", "0123456789*#ABCDw")
