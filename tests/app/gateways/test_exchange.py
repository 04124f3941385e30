from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from app.auth import Gate
from app.gateways.exchange import Exchange
from app.settings import Auth, Settings
from app.settings.telephony import Telephony
from tests.app.gateways.asked import upgrade

SECRET = "a secret of thirty-two bytes and more"


def made(**telephony: Any) -> Exchange:
    settings = Settings(auth=Auth(jwt_secret=SecretStr(SECRET)), telephony=Telephony.model_validate(telephony))
    return Exchange.of(settings, Gate(settings.auth, insecure=False, session_of=lambda _digest: None))


def test_a_stream_comes_to_the_public_url() -> None:
    exchange = made(public_url="https://voice.example.com/folder/", twilio={"auth_token": "a"})

    assert ("wss://voice.example.com/folder/v1/telephony/twilio", {"from": "1"}) == exchange.stream(
        "twilio", "http://10.0.0.7:8080/", {"from": "1"}
    )


def test_without_one_it_comes_to_where_we_were_asked() -> None:
    url, _ = made().stream("twilio", "http://localhost:8080/", {})

    assert "ws://localhost:8080/v1/telephony/twilio" == url


@pytest.mark.parametrize("gateway", ["twilio", "telnyx"])
async def test_a_token_comes_with_the_start(gateway: str) -> None:
    exchange = made()
    _, parameters = exchange.stream(gateway, "http://localhost/", {"from": "1"})

    assert ["from", "token"] == list(parameters)
    assert await exchange.trust.check_start(gateway, upgrade("/"), parameters, None) is not None


@pytest.mark.parametrize("gateway", ["vonage", "plivo", "exotel", "jambonz"])
async def test_a_token_stands_in_the_path(gateway: str) -> None:
    exchange = made()
    url, parameters = exchange.stream(gateway, "http://localhost/", {"from": "1"})
    prefix, _, token = url.rpartition("/")

    assert (f"ws://localhost/v1/telephony/{gateway}", {"from": "1"}) == (prefix, parameters)
    assert await exchange.trust.check_upgrade(gateway, upgrade("/", token=token)) is not None


async def test_it_closes_what_it_opened() -> None:
    exchange = made(twilio={"account_sid": "AC1", "auth_token": "secret"}, telnyx={"api_key": "KEY1"})

    assert {"twilio", "telnyx"} == exchange.controls.keys()
    await exchange.aclose()
