from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import jwt
import pytest

from app.gateways.control import GatewayError, NewCall
from app.gateways.vonage import VonageControl
from tests.app.gateways.keys import RSA_PEM, RSA_PUBLIC_PEM
from tests.app.gateways.vendor import Answer, Vendor, vendor

NEW = NewCall("+15550100", "+15550199", "https://voice.example.com/v1/telephony/vonage/voice?call=1", "")
UUID = "63f61863-4a51-4f6b-86e1-46edebcf9356"


@asynccontextmanager
async def vonage(*answers: Answer) -> AsyncIterator[tuple[VonageControl, Vendor]]:
    async with vendor(*answers) as there:
        control = VonageControl("app-1", RSA_PEM, there.base_url)
        try:
            yield control, there
        finally:
            await control.aclose()


async def test_every_request_is_signed_for_the_application() -> None:
    async with vonage(Answer(204), Answer(204)) as (control, there):
        await control.hang_up(UUID)
        await control.hang_up(UUID)
    tokens = [asked.headers["authorization"].removeprefix("Bearer ") for asked in there.asked]
    claims = [jwt.decode(token, RSA_PUBLIC_PEM, algorithms=["RS256"]) for token in tokens]

    assert ["app-1", "app-1"] == [each["application_id"] for each in claims]
    assert claims[0]["jti"] != claims[1]["jti"]
    assert all(each["iat"] <= time.time() < each["exp"] for each in claims)


async def test_a_call_is_hung_up() -> None:
    async with vonage(Answer(204)) as (control, there):
        await control.hang_up(UUID)

    assert ("PUT", f"/v1/calls/{UUID}") == (there.last.method, there.last.path)
    assert {"action": "hangup"} == there.last.json


async def test_a_call_that_is_not_known_any_more_is_hung_up() -> None:
    async with vonage(Answer(404, {"title": "Not Found"})) as (control, there):
        await control.hang_up(UUID)

    assert 1 == len(there.asked)


@pytest.mark.parametrize("answer", [Answer(200, {"uuid": UUID, "status": "completed"}), Answer(404)])
async def test_what_a_bad_request_to_hang_up_means_is_looked_up(answer: Answer) -> None:
    async with vonage(Answer(400, {"type": 400, "title": "Bad Request"}), answer) as (control, there):
        await control.hang_up(UUID)

    assert [("PUT", f"/v1/calls/{UUID}"), ("GET", f"/v1/calls/{UUID}")] == [
        (each.method, each.path) for each in there.asked
    ]


async def test_a_call_that_goes_on_is_not_hung_up() -> None:
    answers = (Answer(400, {"title": "Bad Request"}), Answer(200, {"status": "answered"}))
    async with vonage(*answers) as (control, _):
        with pytest.raises(GatewayError, match="vonage: hang_up: HTTP 400: Bad Request"):
            await control.hang_up(UUID)


async def test_a_transfer_gives_the_call_another_ncco() -> None:
    async with vonage(Answer(204), Answer(204)) as (control, there):
        await control.transfer(UUID, "+15550123", caller_id="+15550199")
        await control.transfer(UUID, "sip:joe@example.com")
    nccos = [asked.json["destination"]["ncco"] for asked in there.asked]

    assert {"transfer"} == {asked.json["action"] for asked in there.asked}
    assert {"ncco"} == {asked.json["destination"]["type"] for asked in there.asked}
    assert [{"action": "connect", "from": "15550199", "endpoint": [{"type": "phone", "number": "15550123"}]}] == nccos[
        0
    ]
    assert [{"action": "connect", "endpoint": [{"type": "sip", "uri": "sip:joe@example.com"}]}] == nccos[1]


async def test_digits_are_sent_with_vonages_own_pause() -> None:
    async with vonage(Answer(200, {"message": "DTMF sent", "uuid": UUID})) as (control, there):
        await control.send_digits(UUID, "1w#")

    assert ("PUT", f"/v1/calls/{UUID}/dtmf") == (there.last.method, there.last.path)
    assert {"digits": "1p#"} == there.last.json


async def test_a_call_is_started() -> None:
    async with vonage(Answer(201, {"uuid": UUID, "status": "started", "direction": "outbound"})) as (control, there):
        call_id = await control.call(NEW)

    assert call_id == UUID
    assert ("POST", "/v1/calls") == (there.last.method, there.last.path)
    assert {
        "to": [{"type": "phone", "number": "15550100"}],
        "from": {"type": "phone", "number": "15550199"},
        "answer_url": [NEW.answer_url],
        "answer_method": "POST",
    } == there.last.json


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r".+"):
        VonageControl("app-1", "not a key", "http://127.0.0.1:1")
