from __future__ import annotations

import pytest

from app.gateways.control import GatewayError, NewCall
from app.gateways.exotel import ExotelControl
from tests.app.gateways.vendor import Answer, vendor

NEW = NewCall("+919876543210", "08047491899", "", "wss://voice.example.com/v1/telephony/exotel/token?call=1")


async def test_a_call_is_started_with_its_stream() -> None:
    async with vendor(Answer(200, {"call": {"sid": "a1", "status": "in-progress"}})) as there:
        control = ExotelControl("acme", "key", "token", there.base_url)
        call_id = await control.call(NEW)
        await control.aclose()

    assert "a1" == call_id
    assert ("POST", "/v1/accounts/acme/calls/connect") == (there.last.method, there.last.path)
    assert "Basic a2V5OnRva2Vu" == there.last.headers["authorization"]  # key:token
    assert {
        "from": NEW.to,
        "callerid": NEW.from_,
        "streamurl": NEW.stream_url,
        "streamtype": "bidirectional",
    } == there.last.form


async def test_nothing_else_can_be_asked() -> None:
    control = ExotelControl("acme", "key", "token", "http://127.0.0.1:1")

    assert {"call"} == control.operations
    with pytest.raises(GatewayError, match="exotel: hang_up: "):
        await control.hang_up("a1")
    with pytest.raises(GatewayError, match="exotel: transfer: "):
        await control.transfer("a1", "+15550100")
    with pytest.raises(GatewayError, match="exotel: send_digits: "):
        await control.send_digits("a1", "1")
