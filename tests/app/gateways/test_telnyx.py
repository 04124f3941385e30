from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.gateways import rest
from app.gateways.control import GatewayError, NewCall
from app.gateways.telnyx import TelnyxControl
from tests.app.gateways.vendor import Answer, Vendor, vendor

NEW = NewCall("+15550100", "+15550199", "https://voice.example.com/v1/telephony/telnyx/voice?call=1", "")
OK = Answer(200, {"data": {"result": "ok"}})
ENDED = {"errors": [{"code": "90018", "title": "Call has already ended", "detail": "This call is no longer active."}]}


@asynccontextmanager
async def telnyx(*answers: Answer, connection_id: str | None = "17") -> AsyncIterator[tuple[TelnyxControl, Vendor]]:
    async with vendor(*answers) as there:
        control = TelnyxControl("KEY1", connection_id, there.base_url)
        try:
            yield control, there
        finally:
            await control.aclose()


async def test_a_call_is_hung_up() -> None:
    async with telnyx(OK) as (control, there):
        await control.hang_up("v3:abc_-1")

    assert ("POST", "/v2/calls/v3:abc_-1/actions/hangup") == (there.last.method, there.last.path)
    assert "Bearer KEY1" == there.last.headers["authorization"]
    assert ["command_id"] == list(there.last.json)


async def test_a_call_that_has_ended_is_hung_up() -> None:
    async with telnyx(Answer(422, ENDED)) as (control, there):
        await control.hang_up("v3:1")

    assert 1 == len(there.asked)


async def test_a_command_that_is_tried_again_is_the_same_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "PAUSES_S", (0.0,))
    async with telnyx(Answer(500), OK) as (control, there):
        await control.send_digits("v3:1", "12w#")

    assert 2 == len(there.asked)
    assert 1 == len({asked.json["command_id"] for asked in there.asked})
    assert ("/v2/calls/v3:1/actions/send_dtmf", "12w#") == (there.last.path, there.last.json["digits"])


async def test_a_call_is_transferred() -> None:
    async with telnyx(OK, OK) as (control, there):
        await control.transfer("v3:1", "sip:joe@example.com")
        await control.transfer("v3:1", "+15550123", caller_id="+15550199")
    bodies = [{name: value for name, value in each.json.items() if name != "command_id"} for each in there.asked]

    assert {"/v2/calls/v3:1/actions/transfer"} == {each.path for each in there.asked}
    assert [{"to": "sip:joe@example.com"}, {"to": "+15550123", "from": "+15550199"}] == bodies


async def test_a_transfer_of_a_call_that_has_ended_is_an_error() -> None:
    async with telnyx(Answer(422, ENDED)) as (control, _):
        with pytest.raises(GatewayError) as raised:
            await control.transfer("v3:1", "+15550123")

    assert "telnyx: transfer: HTTP 422: 90018: Call has already ended: This call is no longer active." == str(
        raised.value
    )


async def test_a_call_is_started_by_the_texml_application() -> None:
    answer = {"from": NEW.from_, "to": NEW.to, "status": "queued", "call_sid": "v3:new"}
    async with telnyx(Answer(200, answer)) as (control, there):
        call_id = await control.call(NEW)

    assert "v3:new" == call_id
    assert ("POST", "/v2/texml/calls/17") == (there.last.method, there.last.path)
    assert {"To": NEW.to, "From": NEW.from_, "Url": NEW.answer_url, "Method": "POST"} == there.last.json


async def test_without_an_application_no_call_is_started() -> None:
    async with telnyx(connection_id=None) as (control, there):
        with pytest.raises(GatewayError, match=r"telephony\.telnyx\.connection_id is not set"):
            await control.call(NEW)

    assert [] == there.asked
