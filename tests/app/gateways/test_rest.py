from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from app.gateways import rest
from app.gateways.control import GatewayError
from app.gateways.rest import Reply, Request, Rest, in_path
from tests.app.gateways.vendor import Answer, vendor

ONCE = Request("POST", "/calls", json={"to": "+15550100"}, repeatable=False)
AGAIN = Request("PUT", "/calls/1", json={"action": "hangup"})


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "PAUSES_S", (0.0, 0.0, 0.0))


def made(base_url: str) -> Rest:
    return Rest("twilio", base_url, lambda: {"Authorization": "Bearer key"})


async def failure(client: Rest, request: Request) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await client.ask("hang_up", request)
    return raised.value


async def test_the_credential_and_the_body_are_sent_and_the_answer_is_read() -> None:
    async with vendor(Answer(201, {"sid": "CA1"})) as there:
        client = made(there.base_url + "/")
        reply = await client.ask("call", ONCE)
        await client.aclose()

    assert Reply(201, {"sid": "CA1"}) == reply
    assert ("POST", "/calls", "Bearer key") == (
        there.last.method,
        there.last.path,
        there.last.headers["authorization"],
    )
    assert {"to": "+15550100"} == there.last.json


@pytest.mark.parametrize("request_", [ONCE, AGAIN])
async def test_what_was_refused_for_its_rate_is_tried_again(request_: Request) -> None:
    async with vendor(Answer(429, headers={"Retry-After": "0"}), Answer(200)) as there:
        client = made(there.base_url)
        reply = await client.ask("call", request_)
        await client.aclose()

    assert 200 == reply.status
    assert 2 == len(there.asked)


async def test_a_broken_server_is_asked_again_where_twice_is_the_same_as_once() -> None:
    async with vendor(Answer(503), Answer(500), Answer(502), Answer(204)) as there:
        client = made(there.base_url)
        reply = await client.ask("hang_up", AGAIN)
        await client.aclose()

    assert 204 == reply.status
    assert 1 == len({asked.body for asked in there.asked})


async def test_a_broken_server_is_not_asked_again_for_what_it_may_have_done() -> None:
    async with vendor(Answer(503), Answer(200)) as there:
        client = made(there.base_url)
        error = await failure(client, ONCE)
        await client.aclose()

    assert 503 == error.status
    assert 1 == len(there.asked)


async def test_it_gives_up_after_four_tries() -> None:
    async with vendor(*[Answer(500, {"message": "down"})] * 9) as there:
        client = made(there.base_url)
        error = await failure(client, AGAIN)
        await client.aclose()

    assert "twilio: hang_up: HTTP 500: down" == str(error)
    assert 4 == len(there.asked)


@pytest.mark.parametrize(
    "wait", ["60", format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)], ids=["seconds", "date"]
)
async def test_a_wait_beyond_the_limit_is_not_waited_for(wait: str) -> None:
    async with vendor(Answer(429, {"message": "slow down"}, {"Retry-After": wait})) as there:
        client = made(there.base_url)
        error = await failure(client, AGAIN)
        await client.aclose()

    assert "twilio: hang_up: HTTP 429: slow down" == str(error)
    assert 1 == len(there.asked)


async def test_a_wait_that_the_vendor_names_is_kept() -> None:
    async with vendor(Answer(429, headers={"Retry-After": "1"}), Answer(200)) as there:
        client = made(there.base_url)
        began_s = asyncio.get_running_loop().time()
        await client.ask("hang_up", AGAIN)
        waited_s = asyncio.get_running_loop().time() - began_s
        await client.aclose()

    assert waited_s >= 0.99  # timers have whole milliseconds
    assert 2 == len(there.asked)


@pytest.mark.parametrize("request_", [ONCE, AGAIN])
async def test_nobody_there_is_said_so(request_: Request) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = made(f"http://127.0.0.1:{port}")
    error = await failure(client, request_)
    await client.aclose()

    assert error.status is None
    assert str(error).startswith("twilio: hang_up: ")
    assert "connect" in error.reason.lower()


async def test_one_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "READ_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = made(f"http://127.0.0.1:{silent.getsockname()[1]}")
        error = await failure(client, ONCE)
        await client.aclose()

    assert "twilio: hang_up: no answer within 0.05 s" == str(error)


async def test_all_tries_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "OPERATION_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = made(f"http://127.0.0.1:{silent.getsockname()[1]}")
        error = await failure(client, AGAIN)
        await client.aclose()

    assert "twilio: hang_up: no success within 0.2 s" == str(error)


async def test_an_error_that_was_expected_is_an_answer() -> None:
    request = Request("DELETE", "/calls/1", expected=lambda reply: reply.status == 404)
    async with vendor(Answer(404, {"error": "gone"})) as there:
        client = made(there.base_url)
        reply = await client.ask("hang_up", request)
        await client.aclose()

    assert 404 == reply.status


@pytest.mark.parametrize("body", [None, [], {"call": "x"}, {"call": {"sid": ""}}, {"call": {"sid": 1}}])
async def test_an_answer_without_what_is_needed_is_an_error(body: object) -> None:
    async with vendor(Answer(200, body)) as there:
        client = made(there.base_url)
        with pytest.raises(GatewayError) as raised:
            await client.ask_for("call.sid", "call", ONCE)
        await client.aclose()

    assert "twilio: call: its answer has no call.sid" == str(raised.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"code": 21211, "message": "Invalid 'To' Phone Number"}, "21211: Invalid 'To' Phone Number"),
        ({"errors": [{"code": "10005", "title": "Gone", "detail": "no such call"}]}, "10005: Gone: no such call"),
        ({"title": "Bad Request", "detail": "wrong"}, "Bad Request: wrong"),
        ({"api_id": "x", "error": "no such call"}, "no such call"),
        ({"msg": "no"}, "no"),
        ({"RestException": {"Status": 400, "Message": "bad"}}, "bad"),
        ({"message": "x" * 500}, "x" * 200),
        ({"errors": []}, ""),
        (["words"], ""),
        (None, ""),
    ],
)
def test_the_vendors_words_are_found(body: object, said: str) -> None:
    assert said == Reply(400, body).said


def test_what_comes_from_outside_stays_one_part_of_a_path() -> None:
    assert "v3:a-b" == in_path("v3:a-b")
    assert "..%2F..%2FAccounts%3Fx%23" == in_path("../../Accounts?x#")
