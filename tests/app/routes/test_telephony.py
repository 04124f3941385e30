from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import httpx2
import jwt
import pytest
from plivo.utils.signature_v3 import construct_post_url, get_signature_v3
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import connect

from tests.app.gateways.keys import ED25519, ED25519_PUBLIC
from tests.server import running

PUBLIC = "https://voice.example.com"
SECRET = "the signature secret of an account at Vonage"
KEY = "a-key-for-tests"
WHO = {"From": "+15550100", "To": "+15550199", "CallSid": "CA1"}


@asynccontextmanager
async def server(**telephony: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """That wants a credential."""
    tables = {"auth": {"api_keys": [KEY]}, "telephony": {"public_url": PUBLIC, **telephony}}
    async with running(**tables) as here, httpx2.AsyncClient(base_url=here.base_url) as http:
        yield http


def element(response: httpx2.Response, path: str) -> ET.Element:
    assert 200 == response.status_code
    assert "application/xml" == response.headers["content-type"]
    found = ET.fromstring(response.content).find(path)
    assert found is not None
    return found


def parameters(stream: ET.Element) -> dict[str, str]:
    return {each.attrib["name"]: each.attrib["value"] for each in stream.findall("Parameter")}


def by_twilio(path: str, fields: Mapping[str, str]) -> dict[str, str]:
    return {"X-Twilio-Signature": RequestValidator("12345").compute_signature(PUBLIC + path, dict(fields))}


async def test_a_call_of_twilio_is_connected_with_our_stream() -> None:
    path = "/v1/telephony/twilio/voice"
    async with server(twilio={"auth_token": "12345"}) as http:
        response = await http.post(path, data=WHO, headers=by_twilio(path, WHO))
    stream = element(response, "Connect/Stream")

    assert "wss://voice.example.com/v1/telephony/twilio" == stream.attrib["url"]
    assert {"from": WHO["From"], "to": WHO["To"]} == parameters(stream)


@pytest.mark.parametrize("headers", [{}, {"X-Twilio-Signature": "wrong"}, {"Authorization": f"Bearer {KEY}"}])
async def test_who_is_not_twilio_gets_nothing(headers: dict[str, str]) -> None:
    async with server(twilio={"auth_token": "12345"}) as http:
        response = await http.post("/v1/telephony/twilio/voice", data=WHO, headers=headers)

    assert 401 == response.status_code
    assert "unauthorized" == response.json()["code"]


async def test_without_a_secret_an_open_server_answers_its_own_machine_with_a_token() -> None:
    async with running() as here, httpx2.AsyncClient(base_url=here.base_url) as http:
        stream = element(await http.post("/v1/telephony/twilio/voice", data=WHO), "Connect/Stream")
        elsewhere = await http.post("/v1/telephony/twilio/voice", data=WHO, headers={"Host": "a.tunnel.example.com"})

    assert here.base_url.replace("http", "ws") + "/v1/telephony/twilio" == stream.attrib["url"]
    assert ["from", "to", "token"] == list(parameters(stream))
    assert 403 == elsewhere.status_code


async def test_a_call_of_telnyx_is_connected_with_our_stream() -> None:
    body = urlencode(WHO).encode()
    timestamp = str(int(time.time()))
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "telnyx-timestamp": timestamp,
        "telnyx-signature-ed25519": b64encode(ED25519.sign(timestamp.encode() + b"|" + body)).decode(),
    }
    async with server(telnyx={"public_key": ED25519_PUBLIC, "codec": "L16", "rate": 16000}) as http:
        response = await http.post("/v1/telephony/telnyx/voice", content=body, headers=headers)
        refused = await http.post("/v1/telephony/telnyx/voice", content=body + b"&a=b", headers=headers)
    stream = element(response, "Connect/Stream")

    assert ("wss://voice.example.com/v1/telephony/telnyx", "rtp", "L16") == (
        stream.attrib["url"],
        stream.attrib["bidirectionalMode"],
        stream.attrib["bidirectionalCodec"],
    )
    assert ["from", "to", "token"] == list(parameters(stream))
    assert 401 == refused.status_code


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_call_of_vonage_is_connected_with_our_stream(method: str) -> None:
    body = b'{"from":"15550100","to":"15550199","uuid":"u-1","conversation_uuid":"c-1"}'
    query = {"from": "15550100", "to": "15550199", "uuid": "u-1", "conversation_uuid": "c-1"}
    claims = {"iat": int(time.time()), "iss": "Vonage", "payload_hash": sha256(body).hexdigest()}
    headers = {"Authorization": f"Bearer {jwt.encode(claims, SECRET, algorithm='HS256')}"}
    path = "/v1/telephony/vonage/voice"
    async with server(vonage={"signature_secret": SECRET}) as http:
        if method == "POST":
            headers["content-type"] = "application/json"
            response = await http.post(path, content=body, headers=headers)
        else:
            response = await http.get(path, params=query, headers=headers)

    assert [
        {
            "action": "connect",
            "endpoint": [
                {
                    "type": "websocket",
                    "uri": "wss://voice.example.com/v1/telephony/vonage",
                    "content-type": "audio/l16;rate=16000",
                    "headers": {"from": "15550100", "to": "15550199", "call_uuid": "u-1"},
                    "authorization": {"type": "vonage"},
                }
            ],
        }
    ] == response.json()


async def test_a_webhook_without_a_secret_may_have_a_credential_in_its_url() -> None:
    async with server() as http:
        let_in = await http.get("/v1/telephony/vonage/voice", params={"token": KEY, "from": "1"})
        refused = await http.get("/v1/telephony/vonage/voice", params={"from": "1"})
    url: str = let_in.json()[0]["endpoint"][0]["uri"]

    assert url.startswith("wss://voice.example.com/v1/telephony/vonage/ey")
    assert KEY not in let_in.text
    assert 401 == refused.status_code


def by_plivo(target: str, fields: Mapping[str, str]) -> dict[str, str]:
    base = construct_post_url(PUBLIC + target, dict(fields)).decode()
    signature = get_signature_v3(b"12345", base, b"nonce").decode()
    return {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": "nonce"}


async def test_a_call_of_plivo_is_connected_with_our_stream() -> None:
    path = "/v1/telephony/plivo/voice"
    async with server(plivo={"auth_token": "12345"}) as http:
        response = await http.post(path, data=WHO, headers=by_plivo(path, WHO))
        refused = await http.post(path, data=WHO)
    stream = element(response, "Stream")

    assert "wss://voice.example.com/v1/telephony/plivo" == stream.text
    assert ("audio/x-mulaw;rate=8000", "from=15550100,to=15550199") == (
        stream.attrib["contentType"],
        stream.attrib["extraHeaders"],
    )
    assert 401 == refused.status_code


async def test_a_transfer_by_plivo_dials() -> None:
    target = "/v1/telephony/plivo/dial?to=%2B15550123&call=1"
    async with server(plivo={"auth_token": "12345"}) as http:
        response = await http.post(target, data=WHO, headers=by_plivo(target, WHO))
        refused = await http.post(target, data=WHO)
        nonsense = "/v1/telephony/plivo/dial?to=nobody"
        wrong = await http.post(nonsense, data=WHO, headers=by_plivo(nonsense, WHO))

    assert "+15550123" == element(response, "Dial/Number").text
    assert 401 == refused.status_code
    assert (422, "invalid_input") == (wrong.status_code, wrong.json()["code"])


async def test_exotel_is_told_where_our_stream_is() -> None:
    async with server(exotel={"username": "joe", "password": "pass"}) as http:
        response = await http.get("/v1/telephony/exotel/voice", params={"token": KEY, "CallSid": "1"})

    assert {"url": "wss://joe:pass@voice.example.com/v1/telephony/exotel"} == response.json()


async def test_a_call_of_jambonz_is_connected_with_our_stream() -> None:
    account = {"username": "joe", "password": "pass"}
    async with server(jambonz=account) as http:
        response = await http.post("/v1/telephony/jambonz/voice", json={"call_sid": "1"}, auth=("joe", "pass"))
        refused = await http.post("/v1/telephony/jambonz/voice", json={"call_sid": "1"}, auth=("joe", "wrong"))
        dialled = await http.post("/v1/telephony/jambonz/dial?to=sip:a@b", json={}, auth=("joe", "pass"))
        nobody = await http.post("/v1/telephony/jambonz/dial?to=a", json={}, auth=("joe", "pass"))
    (listen,) = response.json()

    assert ("listen", "wss://voice.example.com/v1/telephony/jambonz", account) == (
        listen["verb"],
        listen["url"],
        listen["wsAuth"],
    )
    assert 401 == refused.status_code
    assert [{"verb": "dial", "target": [{"type": "sip", "sipUri": "sip:a@b"}]}] == dialled.json()
    assert 422 == nobody.status_code


async def call(url: str, parameters: Mapping[str, str]) -> int:
    """As Twilio: a stream that starts, and stops. The close code."""
    media = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    start = {"streamSid": "MZ1", "callSid": "CA1", "mediaFormat": media, "customParameters": dict(parameters)}
    async with connect(url) as socket:
        await socket.send(json.dumps({"event": "start", "streamSid": "MZ1", "start": start}))
        await socket.send(json.dumps({"event": "stop", "streamSid": "MZ1", "stop": {}}))
        await socket.wait_closed()
        assert socket.close_code is not None
        return socket.close_code


async def test_the_token_of_an_answer_opens_the_stream_once() -> None:
    async with running(auth={"api_keys": [KEY]}) as here, httpx2.AsyncClient(base_url=here.base_url) as http:
        answer = await http.post(f"/v1/telephony/twilio/voice?token={KEY}", data=WHO)
        stream = element(answer, "Connect/Stream")
        codes = [await call(stream.attrib["url"], parameters(stream)) for _ in range(2)]

    assert [1000, 1008] == codes


async def test_all_webhooks_are_described() -> None:
    async with server() as http:
        paths = (await http.get("/openapi.json")).json()["paths"]
    described = {(path.removeprefix("/v1/"), method) for path in paths for method in paths[path]}

    assert {
        ("telephony/twilio/voice", "post"),
        ("telephony/telnyx/voice", "post"),
        ("telephony/vonage/voice", "get"),
        ("telephony/vonage/voice", "post"),
        ("telephony/plivo/voice", "post"),
        ("telephony/plivo/dial", "post"),
        ("telephony/exotel/voice", "get"),
        ("telephony/jambonz/voice", "post"),
        ("telephony/jambonz/dial", "post"),
        ("calls", "post"),
    } <= described
    assert ["application/xml"] == list(paths["/v1/telephony/twilio/voice"]["post"]["responses"]["200"]["content"])
