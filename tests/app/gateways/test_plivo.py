from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.gateways.control import GatewayError, NewCall
from app.gateways.plivo import PlivoControl
from tests.app.gateways.vendor import Answer, Vendor, vendor

NEW = NewCall("+15550100", "+15550199", "https://voice.example.com/v1/telephony/plivo/voice?call=1", "")
BASIC = "Basic TUExOnNlY3JldA=="
"""Of MA1:secret."""


@asynccontextmanager
async def plivo(*answers: Answer) -> AsyncIterator[tuple[PlivoControl, Vendor]]:
    async with vendor(*answers) as there:
        control = PlivoControl("MA1", "secret", lambda to: f"https://voice.example.com/dial?to={to}", there.base_url)
        try:
            yield control, there
        finally:
            await control.aclose()


async def test_a_call_is_hung_up() -> None:
    async with plivo(Answer(204)) as (control, there):
        await control.hang_up("c-1")

    assert ("DELETE", "/v1/Account/MA1/Call/c-1/") == (there.last.method, there.last.path)
    assert BASIC == there.last.headers["authorization"]


async def test_a_call_that_has_ended_is_hung_up() -> None:
    async with plivo(Answer(404, {"error": "call not found"})) as (control, there):
        await control.hang_up("c-1")

    assert 1 == len(there.asked)


async def test_a_transfer_sends_the_call_to_our_webhook() -> None:
    async with plivo(Answer(202, {"message": "call transferred"})) as (control, there):
        await control.transfer("c-1", "+15550123")

    assert ("POST", "/v1/Account/MA1/Call/c-1/") == (there.last.method, there.last.path)
    assert {
        "legs": "aleg",
        "aleg_url": "https://voice.example.com/dial?to=+15550123",
        "aleg_method": "POST",
    } == there.last.json


async def test_digits_are_sent() -> None:
    async with plivo(Answer(202, {"message": "digits sent"})) as (control, there):
        await control.send_digits("c-1", "12#")

    assert ("POST", "/v1/Account/MA1/Call/c-1/DTMF/") == (there.last.method, there.last.path)
    assert {"digits": "12#"} == there.last.json


async def test_nothing_but_digits_is_sent() -> None:
    async with plivo() as (control, there):
        with pytest.raises(GatewayError, match="plivo: send_digits: digits are"):
            await control.send_digits("c-1", "hello")

    assert [] == there.asked


async def test_a_call_is_started() -> None:
    async with plivo(Answer(201, {"message": "call fired", "request_uuid": "r-1"})) as (control, there):
        call_id = await control.call(NEW)

    assert "r-1" == call_id
    assert ("POST", "/v1/Account/MA1/Call/") == (there.last.method, there.last.path)
    assert {"to": NEW.to, "from": NEW.from_, "answer_url": NEW.answer_url, "answer_method": "POST"} == there.last.json
