from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from app.auth import Scope, mint
from tests.app.gateways.keys import RSA_PEM
from tests.app.gateways.vendor import Answer, Vendor, vendor
from tests.server import running

KEY = "a-key-for-tests"
SECRET = "a secret of thirty-two bytes and more"
PUBLIC = "https://voice.example.com"
BODY = {"gateway": "vonage", "to": "+15550100", "from": "+15550199", "metadata": {"name": "Joe"}}
STARTED = Answer(201, {"uuid": "u-1", "status": "started"})


@asynccontextmanager
async def server(*answers: Answer, **more: Any) -> AsyncIterator[tuple[httpx2.AsyncClient, Vendor]]:
    """One whose Vonage and Exotel are on loopback."""
    async with vendor(*answers) as there:
        telephony = {
            "public_url": PUBLIC,
            "vonage": {"application_id": "app-1", "private_key": RSA_PEM, "api_url": there.base_url},
            "exotel": {"account_sid": "acme", "api_key": "k", "api_token": "t", "api_url": there.base_url},
            "jambonz": {"account_sid": "A1", "api_key": "k", "api_url": there.base_url},
        }
        tables: dict[str, Any] = {"auth": {"api_keys": [KEY], "jwt_secret": SECRET}, "telephony": telephony}
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            running(**tables | more) as here,
            httpx2.AsyncClient(base_url=here.base_url, headers=headers) as http,
        ):
            yield http, there


async def test_a_call_is_started_and_its_webhook_is_known_when_it_comes() -> None:
    async with server(STARTED) as (http, there):
        response = await http.post("/v1/calls", json=BODY)
        (answer_url,) = there.last.json["answer_url"]
        stranger = {"Authorization": ""}
        answered = await http.post(answer_url.removeprefix(PUBLIC), json={"uuid": "u-1"}, headers=stranger)
        guessed = await http.post("/v1/telephony/vonage/voice?call=guess", json={}, headers=stranger)
    (endpoint,) = answered.json()[0]["endpoint"]

    assert (201, {"call_id": "u-1", "gateway": "vonage", "to": BODY["to"], "from": BODY["from"]}) == (
        response.status_code,
        response.json(),
    )
    assert answer_url == f"{PUBLIC}/v1/telephony/vonage/voice?call={endpoint['headers']['call']}"
    assert 401 == guessed.status_code


async def test_exotel_is_told_the_stream_itself() -> None:
    async with server(Answer(200, {"call": {"sid": "a1"}})) as (http, there):
        response = await http.post("/v1/calls", json={**BODY, "gateway": "exotel"})

    assert "a1" == response.json()["call_id"]
    assert there.last.form["streamurl"].startswith(f"{PUBLIC.replace('http', 'ws')}/v1/telephony/exotel/ey")
    assert "?call=" in there.last.form["streamurl"]


async def test_what_the_gateway_said_is_told() -> None:
    async with server(Answer(401, {"title": "Unauthorized", "detail": "Invalid Token"})) as (http, _):
        response = await http.post("/v1/calls", json=BODY)

    assert (502, "transport_error") == (response.status_code, response.json()["code"])
    assert "vonage: call: HTTP 401: Unauthorized: Invalid Token" == response.json()["detail"]


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "nobody"},
        {"to": "+1 555 0100"},
        {"from": ""},
        {"colour": "red"},
        {"metadata": "none"},
        {"gateway": "twilio"},
        {"gateway": "jambonz"},
    ],
    ids=str,
)
async def test_a_wrong_body_rings_nobody(changes: dict[str, object]) -> None:
    async with server() as (http, there):
        response = await http.post("/v1/calls", json=BODY | changes)

    assert (422, "invalid_input") == (response.status_code, response.json()["code"])
    assert [] == there.asked


async def test_a_gateway_without_an_account_is_named_with_those_that_have_one() -> None:
    async with server() as (http, _):
        response = await http.post("/v1/calls", json=BODY | {"gateway": "twilio"})

    assert (
        "gateway: 'twilio' given, one that can start calls and has an account allowed: vonage, exotel"
        == (response.json()["detail"])
    )


async def test_only_who_may_manage_rings_somebody() -> None:
    talker = mint(SECRET, frozenset({Scope.TALK}), 60)
    async with server() as (http, there):
        unknown = await http.post("/v1/calls", json=BODY, headers={"Authorization": ""})
        forbidden = await http.post("/v1/calls", json=BODY, headers={"Authorization": f"Bearer {talker}"})

    assert (401, 403) == (unknown.status_code, forbidden.status_code)
    assert [] == there.asked


async def test_without_a_public_url_nobody_is_rung() -> None:
    account = {"application_id": "app-1", "private_key": RSA_PEM}
    async with server(telephony={"vonage": account}) as (http, _):
        response = await http.post("/v1/calls", json=BODY)

    assert (422, "invalid_config") == (response.status_code, response.json()["code"])
    assert "telephony.public_url is not set" in response.json()["detail"]


async def test_a_full_server_rings_nobody() -> None:
    async with server(limits={"max_sessions": 1}) as (http, there):
        await http.post("/v1/sessions", json={})
        response = await http.post("/v1/calls", json=BODY)

    assert 503 == response.status_code
    assert [] == there.asked
