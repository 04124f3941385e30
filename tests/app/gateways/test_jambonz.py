from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.gateways import jambonz as module
from app.gateways.control import GatewayError, NewCall
from app.gateways.jambonz import JambonzControl
from tests.app.gateways.vendor import Answer, Vendor, vendor

NEW = NewCall("+15550100", "+15550199", "", "")


@asynccontextmanager
async def jambonz(*answers: Answer) -> AsyncIterator[tuple[JambonzControl, Vendor]]:
    async with vendor(*answers) as there:
        account = {"username": "joe", "password": "pass"}
        control = JambonzControl(
            "A1", "key", lambda to: f"https://voice.example.com/dial?to={to}", there.base_url, webhook=account
        )
        try:
            yield control, there
        finally:
            await control.aclose()


@pytest.mark.parametrize("answer", [Answer(202), Answer(404, {"msg": "call not found"})], ids=["it goes on", "ended"])
async def test_a_call_is_hung_up(answer: Answer) -> None:
    async with jambonz(answer) as (control, there):
        await control.hang_up("c-1")

    assert ("PUT", "/v1/Accounts/A1/Calls/c-1", "Bearer key") == (
        there.last.method,
        there.last.path,
        there.last.headers["authorization"],
    )
    assert {"call_status": "completed"} == there.last.json


async def test_a_transfer_sends_the_call_to_our_webhook_with_what_it_wants() -> None:
    async with jambonz(Answer(202)) as (control, there):
        await control.transfer("c-1", "sip:joe@example.com")

    assert {
        "call_hook": {
            "url": "https://voice.example.com/dial?to=sip:joe@example.com",
            "method": "POST",
            "username": "joe",
            "password": "pass",
        }
    } == there.last.json


async def test_digits_are_sent_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    async with jambonz(Answer(202), Answer(202)) as (control, there):
        await control.send_digits("c-1", "1w#")

    assert [{"dtmf": {"digit": "1"}}, {"dtmf": {"digit": "#"}}] == [asked.json for asked in there.asked]


async def test_no_call_is_started() -> None:
    async with jambonz() as (control, _):
        assert "call" not in control.operations
        with pytest.raises(GatewayError, match="jambonz: call: "):
            await control.call(NEW)
