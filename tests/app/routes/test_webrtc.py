"""WHIP as RFC 9725 has it, and the same in JSON."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from app.routes.webrtc import make
from app.transports.ice.trickle import decode_fragment
from tests.rtc_caller import RtcCaller, calling
from tests.server import RunningServer, running

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
VIDEO = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n"


@asynccontextmanager
async def serving(
    webrtc: dict[str, Any] | None = None, **tables: Any
) -> AsyncIterator[tuple[RunningServer, httpx2.AsyncClient]]:
    given = {"addresses": ["127.0.0.1"]} | (webrtc or {})
    async with running(webrtc=given, **tables) as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        async with asyncio.timeout(30):
            yield server, http


async def test_an_offer_is_answered_as_whip_says() -> None:
    turn = {"stun": ["stun:127.0.0.1:9"], "turn": ["turn:127.0.0.1:9"], "turn_secret": "not told"}
    async with serving(turn) as (server, _), calling(server.base_url) as caller:
        response = await caller.whip()
        links = response.headers.get_list("link")

        assert f"/v1/webrtc/{caller.session_id}" == caller.location
        assert "application/sdp" == response.headers["content-type"]
        assert caller.etag.startswith('"')
        assert '<stun:127.0.0.1:9>; rel="ice-server"' == links[0].split(", ")[0]
        assert "credential=" in links[-1]
        assert "not told" not in str(links)


async def test_the_json_form_tells_the_session_and_its_resume_token() -> None:
    async with serving() as (server, _), calling(server.base_url) as caller:
        body = await caller.join(metadata={"who": "me"})
        (call,) = server.edge.calls.all()

        assert ("answer", call.session_id, call.resume_token) == (
            body["type"],
            body["session_id"],
            body["resume_token"],
        )
        assert {"who": "me"} == call.metadata


async def test_the_answer_sends_and_receives_opus_and_nothing_else() -> None:
    async with serving() as (server, _), calling(server.base_url) as caller:
        sdp = (await caller.join())["sdp"]

        assert ["opus/48000/2"] == [line.split()[1] for line in sdp.splitlines() if line.startswith("a=rtpmap:")]
        assert "a=sendrecv" in sdp


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, "v=0", 415),
        ({}, "v=0", 415),
        (SDP, "garbage", 400),
        (SDP, b"\xff\xfe", 400),
        (SDP, VIDEO, 422),
        (SDP, VIDEO.replace("video", "audio"), 422),
        ({"Content-Type": "application/json"}, "{", 422),
        ({"Content-Type": "application/json"}, '{"sdp": "v=0", "type": "answer"}', 422),
        ({"Content-Type": "application/json"}, '{"sdp": "garbage", "type": "offer"}', 400),
    ],
)
async def test_a_bad_offer_is_a_problem_and_leaves_no_call(
    headers: dict[str, str], body: str | bytes, status: int
) -> None:
    async with serving() as (server, http):
        response = await http.post("/v1/webrtc", headers=headers, content=body)

        assert status == response.status_code
        assert "application/problem+json" == response.headers["content-type"]
        assert () == server.edge.calls.all()
        assert 0 == len(server.edge.calls)


async def test_an_unknown_session_is_404_and_a_connected_one_409() -> None:
    async with serving() as (server, http), calling(server.base_url) as caller, calling(server.base_url) as other:
        await caller.join()
        await caller.until_message("ready")
        offer = {"sdp": await other.offer(), "type": "offer"}
        unknown = await http.post("/v1/webrtc", json=offer | {"session_id": "nobody"})
        taken = await http.post("/v1/webrtc", json=offer | {"session_id": caller.session_id})
        stale = await http.post("/v1/webrtc", json=offer | {"resume": "long used"})
        no_peer = await http.patch("/v1/webrtc/nobody", headers=FRAGMENT, content="")
        gone = await http.delete("/v1/webrtc/nobody")

        assert (404, 409, 404, 404, 404) == tuple(each.status_code for each in (unknown, taken, stale, no_peer, gone))
        assert "session_not_found" == unknown.json()["code"]


async def test_a_full_server_says_when_to_come_back() -> None:
    async with serving(limits={"max_sessions": 1}) as (server, http), calling(server.base_url) as caller:
        await caller.join()
        async with calling(server.base_url) as other:
            offer = {"sdp": await other.offer(), "type": "offer"}
            response = await http.post("/v1/webrtc", json=offer)

        assert 503 == response.status_code
        assert int(response.headers["retry-after"]) > 0


async def test_a_server_without_a_free_port_says_so() -> None:
    ports = {"port_min": 41_700, "port_max": 41_700}
    async with serving(ports) as (server, http), calling(server.base_url) as caller, calling(server.base_url) as other:
        await caller.join()
        response = await http.post("/v1/webrtc", json={"sdp": await other.offer(), "type": "offer"})

        assert (503, "network") == (response.status_code, response.json()["reason"])
        assert 1 == len(server.edge.calls)


async def test_a_session_made_over_http_is_joined_with_its_token() -> None:
    keys = {"api_keys": ["a key that is long"]}
    async with serving(auth=keys) as (server, http):
        made = await http.post(
            "/v1/sessions", json={"metadata": {"a": 1}}, headers={"Authorization": "Bearer a key that is long"}
        )
        session = made.json()
        refused = await http.post("/v1/webrtc", headers=SDP, content="v=0")
        async with calling(server.base_url, token=session["token"]) as caller:
            await caller.whip()

        assert 401 == refused.status_code
        assert session["id"] == caller.session_id
        assert session["webrtc_url"].endswith("/v1/webrtc")
        assert [] == session["ice_servers"]


def fragment_of(offer: str, *, credentials: bool = True) -> str:
    wanted = ("a=candidate", "a=end-of-candidates", "a=mid", *(("a=ice-ufrag", "a=ice-pwd") if credentials else ()))
    return "".join(f"{line}\r\n" for line in offer.splitlines() if line.startswith(wanted))


async def test_candidates_that_come_later_connect_the_call() -> None:
    async with serving() as (server, http), calling(server.base_url) as caller:
        offer = await caller.offer()
        bare = "".join(f"{line}\r\n" for line in offer.splitlines() if not line.startswith(("a=candidate", "a=end-of")))
        answer = await http.post("/v1/webrtc", headers=SDP, content=bare)
        location, etag = answer.headers["location"], answer.headers["etag"]
        missing = await http.patch(location, headers=FRAGMENT, content=fragment_of(offer))
        other = await http.patch(location, headers=FRAGMENT | {"If-Match": '"x"'}, content=fragment_of(offer))
        wrong_type = await http.patch(location, headers=SDP | {"If-Match": etag}, content="")
        broken = await http.patch(location, headers=FRAGMENT | {"If-Match": etag}, content="a=candidate:1")
        taken = await http.patch(location, headers=FRAGMENT | {"If-Match": etag}, content=fragment_of(offer))
        await caller.answered(answer.text)
        await caller.until_message("ready")

        assert (428, 412, 415, 400, 204) == tuple(
            each.status_code for each in (missing, other, wrong_type, broken, taken)
        )


async def test_a_patch_with_new_credentials_restarts_ice_and_has_an_answer() -> None:
    async with serving() as (server, http), calling(server.base_url) as caller:
        await caller.whip()
        await caller.until_message("ready")
        new = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
        response = await http.patch(caller.location, headers=FRAGMENT | {"If-Match": "*"}, content=new)
        reply = decode_fragment(response.content)
        await caller.send("ping")

        assert 200 == response.status_code
        assert caller.etag != response.headers["etag"]
        assert reply.ufrag is not None
        assert reply.candidates
        assert await caller.until_message("pong")  # the old path carries on until there is a new one


@pytest.mark.parametrize("if_match", ["*", '"*"'])  # the second as in the examples of RFC 9725
async def test_what_cannot_be_used_of_a_fragment_is_passed_over_and_nothing_is_restarted(if_match: str) -> None:
    kinds = ("1 udp 1 example.org 5 typ host", "1 tcp 1 127.0.0.1 9 typ host tcptype active")
    unusable = "".join(f"a=candidate:1 {kind}\r\n" for kind in kinds)
    async with serving() as (server, http), calling(server.base_url) as caller:
        await caller.whip()
        await caller.until_message("ready")
        response = await http.patch(caller.location, headers=FRAGMENT | {"If-Match": if_match}, content=unusable)

        assert 204 == response.status_code
        assert "etag" not in response.headers


async def test_an_entity_tag_that_is_weak_or_of_before_a_restart_does_not_match() -> None:
    new = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n"
    async with serving() as (server, http), calling(server.base_url) as caller:
        await caller.whip()
        await caller.until_message("ready")
        weak = await http.patch(caller.location, headers=FRAGMENT | {"If-Match": f"W/{caller.etag}"}, content="")
        await http.patch(caller.location, headers=FRAGMENT | {"If-Match": "*"}, content=new)
        late = await http.patch(caller.location, headers=FRAGMENT | {"If-Match": caller.etag}, content="")

        assert (412, 412) == (weak.status_code, late.status_code)


async def test_deleting_ends_the_session_and_tells_the_client() -> None:
    async with serving() as (server, http), calling(server.base_url) as caller:
        await caller.whip()
        await caller.until_message("ready")
        response = await http.delete(caller.location, headers={"If-Match": '"whatever"'})
        again = await http.delete(caller.location)

        assert (200, 404) == (response.status_code, again.status_code)
        assert "client" == (await caller.until_message("ended"))["reason"]


async def test_other_methods_are_405_and_options_tells_what_is_taken() -> None:
    async with serving() as (_, http):
        endpoint = [await http.request(method, "/v1/webrtc") for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE")]
        session = [await http.request(method, "/v1/webrtc/x") for method in ("GET", "HEAD", "PUT", "POST")]
        offers, patches = await http.options("/v1/webrtc"), await http.options("/v1/webrtc/x")

        assert {405} == {each.status_code for each in endpoint + session}
        assert (200, 200) == (offers.status_code, patches.status_code)
        assert "application/sdp" in offers.headers["accept-post"]
        assert FRAGMENT["Content-Type"] == patches.headers["accept-patch"]


async def test_the_servers_for_a_way_through_networks_are_told_before_the_offer_and_to_callers_only() -> None:
    turn = {"stun": ["stun:127.0.0.1:9"], "turn": ["turns:turn.example.com?transport=tcp"], "turn_secret": "not told"}
    key = "a key that is long"
    async with serving(turn, auth={"api_keys": [key]}) as (_, http):
        stranger = await http.options("/v1/webrtc")
        caller = await http.options("/v1/webrtc", headers={"Authorization": f"Bearer {key}"})
        stun, relay = caller.headers.get_list("link", split_commas=True)

        assert (200, "link" in stranger.headers) == (stranger.status_code, False)
        assert '<stun:127.0.0.1:9>; rel="ice-server"' == stun
        assert relay.startswith('<turns:turn.example.com?transport=tcp>; rel="ice-server"; username="')
        assert "not told" not in relay


async def test_a_foreign_page_that_is_allowed_sees_the_headers_it_needs() -> None:
    async with serving(auth={"allowed_origins": ["https://example.com"]}) as (_, http):
        asked = {"Origin": "https://example.com", "Access-Control-Request-Method": "PATCH"}
        preflight = await http.options("/v1/webrtc/x", headers=asked)
        answer = await http.post("/v1/webrtc", headers=SDP | {"Origin": "https://example.com"}, content="garbage")

        assert 200 == preflight.status_code
        assert {"OPTIONS", "PATCH", "DELETE"} <= set(preflight.headers["access-control-allow-methods"].split(", "))
        assert {"location", "etag", "link"} == set(answer.headers["access-control-expose-headers"].lower().split(", "))


async def test_a_server_that_has_webrtc_switched_off_says_so() -> None:
    async with running(webrtc={"enabled": False}) as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        response = await http.post("/v1/webrtc", headers=SDP, content="v=0")
        session = (await http.post("/v1/sessions", json={})).json()

        assert 501 == response.status_code
        assert "webrtc.enabled is false" in response.json()["detail"]
        assert session["webrtc_url"] is None


async def test_without_aiortc_the_answer_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as (server, _):
        for name in [name for name in sys.modules if name.startswith("app.transports.webrtc.peers")]:
            monkeypatch.delitem(sys.modules, name)
        for name in [name for name in sys.modules if name.split(".")[0] == "aioice"]:
            monkeypatch.setitem(sys.modules, name, None)

        why = make(server.edge)

        assert isinstance(why, str)
        assert "beluga-voice[rtc]" in why


async def test_the_credentials_for_a_client_are_its_own_and_run_out() -> None:
    turn = {"turn": ["turn:127.0.0.1:9"], "turn_secret": "not told", "credential_ttl": "10m"}
    async with serving(turn) as (_, http):
        sessions = [(await http.post("/v1/sessions", json={})).json() for _ in range(2)]
        (first,), (second,) = [session["ice_servers"] for session in sessions]

        assert first["username"].endswith(sessions[0]["id"])
        assert first["credential"] != second["credential"]


def test_the_caller_of_these_tests_is_plain_aiortc() -> None:
    assert "app" not in {each.__module__.split(".")[0] for each in (RtcCaller, *RtcCaller.__mro__)}
