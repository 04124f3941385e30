from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.gateways.control import GatewayError
from app.gateways.controls import make_controls
from app.gateways.outbound import OutboundCalls
from app.settings.telephony import Telephony
from tests.app.gateways.keys import RSA_PEM
from tests.app.gateways.vendor import Answer, vendor


def names(**tables: Any) -> set[str]:
    return set(make_controls(Telephony.model_validate(tables), OutboundCalls()))


@pytest.mark.parametrize(
    ("gateway", "account"),
    [
        ("twilio", {"account_sid": "AC1", "auth_token": "secret"}),
        ("telnyx", {"api_key": "KEY1"}),
        ("vonage", {"application_id": "app-1", "private_key": RSA_PEM}),
        ("vonage", {"application_id": "app-1", "private_key": RSA_PEM.replace("\n", "\\n")}),
        ("plivo", {"auth_id": "MA1", "auth_token": "secret"}),
        ("exotel", {"account_sid": "acme", "api_key": "key", "api_token": "token"}),
        ("jambonz", {"account_sid": "A1", "api_key": "key"}),
    ],
)
def test_who_has_an_account_can_be_steered(gateway: str, account: dict[str, str]) -> None:
    assert {gateway} == names(**{gateway: account})


@pytest.mark.parametrize(
    ("gateway", "account"),
    [
        ("twilio", {"auth_token": "secret"}),
        ("vonage", {"application_id": "app-1"}),
        ("plivo", {"auth_token": "secret"}),
    ],
)
def test_a_secret_for_signatures_alone_is_no_account(gateway: str, account: dict[str, str]) -> None:
    assert set() == names(**{gateway: account})


@pytest.mark.parametrize(
    ("gateway", "account"),
    [("plivo", {"auth_id": "MA1", "auth_token": "secret"}), ("jambonz", {"account_sid": "A1", "api_key": "key"})],
)
async def test_a_transfer_that_asks_us_back_needs_to_know_where_we_are(gateway: str, account: dict[str, str]) -> None:
    control = make_controls(Telephony.model_validate({gateway: account}), OutboundCalls())[gateway]

    with pytest.raises(GatewayError, match=r"telephony\.public_url is not set"):
        await control.transfer("c-1", "+15550100")


async def test_who_asks_us_back_brings_whom_to_dial_and_a_key_and_the_password() -> None:
    outbound = OutboundCalls()
    account = {"account_sid": "A1", "api_key": "key", "username": "joe", "password": "pass"}
    async with vendor(Answer(202)) as there:
        tables = {"public_url": "https://voice.example.com/", "jambonz": {**account, "api_url": there.base_url}}
        control = make_controls(Telephony.model_validate(tables), outbound)["jambonz"]
        await control.transfer("c-1", "+15550123")
        await control.aclose()
    hook = there.last.json["call_hook"]
    asked = urlsplit(hook.pop("url"))
    query = parse_qs(asked.query)

    assert {"method": "POST", "username": "joe", "password": "pass"} == hook
    assert ("voice.example.com", "/v1/telephony/jambonz/dial") == (asked.netloc, asked.path)
    assert ["+15550123"] == query["to"]
    assert outbound.knows(query["call"][0])
