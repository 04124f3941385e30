from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from app.auth import Scope, mint
from tests.caller import Caller, calling
from tests.server import RunningServer, running

KEY = "a-key-for-tests"
SECRET = "a secret of thirty-two bytes and more"
LONG = {"tts": {"options": {"duration_ms": 20000}}}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def conversing(**settings: Any) -> AsyncIterator[tuple[RunningServer, httpx2.AsyncClient, Caller, str]]:
    """A server, a client of its HTTP side, and a caller in a session."""
    async with (
        running(**settings) as server,
        httpx2.AsyncClient(base_url=server.base_url) as http,
        calling(server.ws_url) as caller,
    ):
        ready = await caller.start(metadata={"name": "Joe"})
        yield server, http, caller, f"/v1/sessions/{ready['session_id']}"


def check_problem(response: httpx2.Response, status: int, code: str) -> None:
    assert "application/problem+json" == response.headers["Content-Type"]
    assert (status, status, code) == (response.status_code, response.json()["status"], response.json()["code"])
    assert {"type", "title", "detail"} <= response.json().keys()


async def test_a_session_is_listed_shown_and_ended() -> None:
    async with conversing() as (_, http, caller, url):
        await caller.converse()
        shown = (await http.get(url)).json()
        listed = (await http.get("/v1/sessions")).json()
        deleted = await http.delete(url)
        code = await caller.until_closed()

        assert [shown] == listed["sessions"]
        assert ("websocket", 1, {"name": "Joe"}) == (shown["transport"], shown["turns"], shown["metadata"])
        assert {"endpoint_ms", "stt_ms", "agent_ms", "tts_ms", "response_ms"} == shown["latency"].keys()
        assert 204 == deleted.status_code
        assert {"type": "ended", "reason": "deleted"} == caller.messages[-1]
        assert 1000 == code
        check_problem(await http.get(url), 404, "session_not_found")


async def test_say_is_spoken_and_has_an_id() -> None:
    async with conversing() as (_, http, caller, url):
        said = await http.post(f"{url}/say", json={"text": "Good morning."})
        done = await caller.until("reply", event="done")

        assert 202 == said.status_code
        assert said.json()["utterance_id"]
        assert "Good morning." == done["heard_text"]


async def test_interrupt_cuts_what_is_said() -> None:
    async with conversing(**LONG) as (_, http, caller, url):
        await http.post(f"{url}/say", json={"text": "Once upon a time."})
        await caller.until_audio()
        interrupted = await http.post(f"{url}/interrupt")
        done = await caller.until("reply", event="done")

        assert 204 == interrupted.status_code
        assert done["interrupted"]


async def test_the_transcript_holds_what_both_sides_said() -> None:
    async with conversing() as (_, http, caller, url):
        await caller.converse("hello there")
        transcript = (await http.get(f"{url}/transcript")).json()

        assert [
            {"role": "user", "text": "hello there", "interrupted": False},
            {"role": "assistant", "text": "hello there", "interrupted": False},
        ] == transcript["messages"]


async def test_events_are_the_objects_of_the_socket() -> None:
    async with conversing() as (_, http, caller, url):

        async def follow() -> list[Any]:
            async with http.stream("GET", f"{url}/events") as response:
                assert response.headers["Content-Type"].startswith("text/event-stream")
                lines = response.aiter_lines()
                await anext(lines)  # the comment that tells that we are connected
                listening.set()
                return [json.loads(line.removeprefix("data: ")) async for line in lines if line.startswith("data")]

        listening = asyncio.Event()
        following = asyncio.create_task(follow())
        await caller.until("state", state="listening")
        await listening.wait()
        before = len(caller.messages)
        await caller.converse()
        await caller.send("stop")
        await caller.until_closed()

        assert caller.messages[before:] == await following


async def test_a_thousand_say_in_a_second_fill_a_bounded_queue() -> None:
    async with conversing(**LONG) as (server, http, caller, url):

        async def ask() -> list[httpx2.Response]:
            return [await http.post(f"{url}/say", json={"text": f"Number {n}."}) for n in range(100)]

        answers = [answer for some in await asyncio.gather(*(ask() for _ in range(10))) for answer in some]
        refused = next(answer for answer in answers if answer.status_code != 202)
        await http.delete(url)
        await caller.until_closed()
        async with calling(server.ws_url) as other:
            await other.start()

        assert {202, 429} == {answer.status_code for answer in answers}
        check_problem(refused, 429, "capacity")
        assert "1" == refused.headers["Retry-After"]


# --- mistakes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": "x" * 20_000}, "text"),
        ({"text": "hi", "speed": 3}, "speed"),
        ({"text": "hi", "volume": -1}, "volume"),
        ({"text": "hi", "loud": True}, "loud"),
        ({"text": "hi", "voice": ""}, "voice"),
        ({"text": "hi", "voice": 5}, "voice"),
        ({"text": ["hi"]}, "text"),
        ({"text": "hi", "speed": "fast"}, "speed"),
        ({"text": "hi", "volume": True}, "volume"),
        ({"text": "hi", "allow_interruptions": "perhaps"}, "allow_interruptions"),
        ([], ""),
    ],
)
async def test_a_bad_body_is_a_422_that_names_the_field(body: object, field: str) -> None:
    async with conversing() as (_, http, _, url):
        answer = await http.post(f"{url}/say", json=body)

        check_problem(answer, 422, "invalid_input")
        assert [field] == [mistake["field"] for mistake in answer.json()["errors"]]


async def test_wrong_json_a_huge_body_and_an_unknown_route_are_problems_too() -> None:
    async with running() as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        check_problem(await http.post("/v1/sessions", content=b"{nonsense"), 422, "invalid_input")
        check_problem(await http.post("/v1/sessions", content=b"x" * (2 << 20)), 413, "invalid_input")
        check_problem(await http.get("/v1/nothing"), 404, "invalid_input")
        check_problem(await http.put("/v1/sessions"), 405, "invalid_input")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/say"),
        ("POST", "/interrupt"),
        ("GET", "/transcript"),
        ("GET", "/events"),
    ],
)
async def test_a_session_that_is_not_there_is_a_404(method: str, path: str) -> None:
    async with running() as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        body = {"text": "hi"} if path == "/say" else None
        check_problem(await http.request(method, f"/v1/sessions/x{path}", json=body), 404, "session_not_found")


async def test_a_session_that_nobody_has_connected_to_is_initial_and_says_nothing() -> None:
    async with running() as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        made = (await http.post("/v1/sessions", json={"metadata": {"a": 1}})).json()
        url = f"/v1/sessions/{made['id']}"

        assert made.keys() == {"id", "token", "expires_at", "resume_token", "ws_url", "webrtc_url", "ice_servers"}
        assert server.ws_url == made["ws_url"]
        assert "initial" == (await http.get(url)).json()["state"]
        assert [] == (await http.get(f"{url}/transcript")).json()["messages"]
        check_problem(await http.post(f"{url}/say", json={"text": "hi"}), 409, "session_not_active")
        assert 204 == (await http.delete(url)).status_code
        assert [] == (await http.get("/v1/sessions")).json()["sessions"]


# --- credentials --------------------------------------------------------------------------------------------------


async def test_who_may_do_what() -> None:
    auth = {"api_keys": [KEY], "jwt_secret": SECRET}
    async with running(auth=auth) as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        reader = bearer(mint(SECRET, frozenset({Scope.READ}), 60))
        made = (await http.post("/v1/sessions", json={}, headers=bearer(KEY))).json()
        own, other = f"/v1/sessions/{made['id']}", "/v1/sessions/other"

        check_problem(await http.get("/v1/sessions"), 401, "unauthorized")
        check_problem(await http.get("/v1/sessions", headers=bearer("wrong")), 401, "unauthorized")
        check_problem(await http.post("/v1/sessions", json={}, headers=reader), 403, "unauthorized")
        assert 200 == (await http.get("/v1/sessions", headers=reader)).status_code
        assert 200 == (await http.get(own, headers=bearer(made["token"]))).status_code
        check_problem(await http.get(other, headers=bearer(made["token"])), 403, "unauthorized")
        check_problem(await http.get("/v1/sessions", headers=bearer(made["token"])), 403, "unauthorized")


async def test_only_an_operator_may_choose_the_agent_of_a_session() -> None:
    body = {"agent": {"url": "http://127.0.0.1:1/"}}
    auth = {"api_keys": [KEY], "jwt_secret": SECRET}
    async with running(auth=auth) as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        manager = bearer(mint(SECRET, frozenset(Scope), 60))

        check_problem(await http.post("/v1/sessions", json=body, headers=manager), 403, "unauthorized")
        assert 201 == (await http.post("/v1/sessions", json=body, headers=bearer(KEY))).status_code
        bad = {"agent": {"url": "file:///etc/passwd"}}
        check_problem(await http.post("/v1/sessions", json=bad, headers=bearer(KEY)), 422, "invalid_input")


async def test_an_open_server_lets_nobody_choose_an_agent() -> None:
    async with running() as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        answer = await http.post("/v1/sessions", json={"agent": {"url": "http://127.0.0.1:1/"}})

        check_problem(answer, 403, "unauthorized")


async def test_a_foreign_site_cannot_read_an_open_server() -> None:
    async with running() as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        foreign = await http.get("/v1/sessions", headers={"Origin": "https://evil.example"})
        rebound = await http.get("/v1/sessions", headers={"Host": "evil.example"})

        check_problem(foreign, 403, "unauthorized")
        check_problem(rebound, 403, "unauthorized")


async def test_an_allowed_site_may_read() -> None:
    origin = "https://app.example"
    auth = {"api_keys": [KEY], "allowed_origins": [origin]}
    async with running(auth=auth) as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        answer = await http.get("/v1/sessions", headers=bearer(KEY) | {"Origin": origin})

        assert (200, origin) == (answer.status_code, answer.headers["Access-Control-Allow-Origin"])


async def test_past_its_rate_a_caller_waits() -> None:
    async with (
        running(limits={"starts_per_minute": 1}) as server,
        httpx2.AsyncClient(base_url=server.base_url) as http,
    ):
        first, second = [await http.post("/v1/sessions", json={}) for _ in range(2)]

        assert 201 == first.status_code
        check_problem(second, 429, "capacity")
        assert "60" == second.headers["Retry-After"]
