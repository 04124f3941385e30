from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

import pytest
from twilio.rest import Client

from app.gateways.control import GatewayError, NewCall
from app.gateways.twilio import TwilioControl, api_url
from tests.app.gateways.vendor import Answer, Vendor, vendor

NEW = NewCall("+15550100", "+15550199", "https://voice.example.com/v1/telephony/twilio/voice?call=1", "")
BASIC = "Basic QUMxOnNlY3JldA=="
"""Of AC1:secret."""


@asynccontextmanager
async def twilio(*answers: Answer) -> AsyncIterator[tuple[TwilioControl, Vendor]]:
    async with vendor(*answers) as there:
        control = TwilioControl("AC1", "secret", there.base_url)
        try:
            yield control, there
        finally:
            await control.aclose()


async def test_a_call_is_hung_up() -> None:
    async with twilio(Answer(200, {"sid": "CA1", "status": "completed"})) as (control, there):
        await control.hang_up("CA1")

    assert ("POST", "/2010-04-01/Accounts/AC1/Calls/CA1.json") == (there.last.method, there.last.path)
    assert BASIC == there.last.headers["authorization"]
    assert {"Status": "completed"} == there.last.form


@pytest.mark.parametrize(
    ("status", "code"), [(404, 20404), (400, 21220)], ids=["there is no such call", "it is not in progress"]
)
async def test_a_call_that_has_ended_is_hung_up(status: int, code: int) -> None:
    async with twilio(Answer(status, {"code": code, "message": "not found", "status": status})) as (control, there):
        await control.hang_up("CA1")

    assert 1 == len(there.asked)


async def test_a_wrong_account_is_an_error_that_tells_no_secret() -> None:
    async with twilio(Answer(401, {"code": 20003, "message": "Authenticate"})) as (control, _):
        with pytest.raises(GatewayError) as raised:
            await control.hang_up("CA1")

    assert "twilio: hang_up: HTTP 401: 20003: Authenticate" == str(raised.value)
    assert "secret" not in str(raised.value)


async def test_a_transfer_gives_the_call_other_instructions() -> None:
    async with twilio(Answer(200, {"sid": "CA1"})) as (control, there):
        await control.transfer("CA1", "+15550123")

    assert "/2010-04-01/Accounts/AC1/Calls/CA1.json" == there.last.path
    assert "+15550123" == ET.fromstring(there.last.form["Twiml"]).findtext("Dial/Number")


async def test_nobody_is_called_at_nonsense() -> None:
    async with twilio() as (control, there):
        with pytest.raises(GatewayError, match="neither a number"):
            await control.transfer("CA1", "<Reject/>")

    assert [] == there.asked


async def test_a_call_is_started() -> None:
    async with twilio(Answer(201, {"sid": "CA2", "status": "queued"})) as (control, there):
        call_id = await control.call(NEW)

    assert "CA2" == call_id
    assert ("POST", "/2010-04-01/Accounts/AC1/Calls.json") == (there.last.method, there.last.path)
    assert {"To": NEW.to, "From": NEW.from_, "Url": NEW.answer_url, "Method": "POST"} == there.last.form


async def test_nobody_is_rung_twice() -> None:
    async with twilio(Answer(500), Answer(201, {"sid": "CA2"})) as (control, there):
        with pytest.raises(GatewayError, match="HTTP 500"):
            await control.call(NEW)

    assert 1 == len(there.asked)


async def test_digits_cannot_be_sent() -> None:
    control = TwilioControl("AC1", "secret", "http://127.0.0.1:1")

    assert "send_digits" not in control.operations
    with pytest.raises(GatewayError, match="twilio: send_digits: "):
        await control.send_digits("CA1", "1")


@pytest.mark.parametrize(
    ("edge", "region"), [(None, None), ("dublin", None), (None, "ie1"), ("dublin", "ie1")], ids=str
)
def test_edges_and_regions_are_reached_as_by_twilios_own_client(edge: str | None, region: str | None) -> None:
    theirs = Client("AC1", "secret", edge=edge, region=region).get_hostname("https://api.twilio.com")

    assert theirs.rstrip("/") == api_url(edge, region)
