"""Talking over a peer connection: real aiortc clients on loopback, a real server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from aiortc.rtcicetransport import candidate_from_aioice

from app.transports.ice.network import open_network
from app.transports.ice.peer import Peer, make_peer_connection
from app.transports.ice.settings import NetworkSettings
from app.transports.ice.trickle import Fragment, decode_fragment, encode_fragment
from providers.fakes import FakeEcho
from tests.app.transports.ice.coturn import SECRET, coturn, free_udp_port
from tests.caller import calling as on_a_socket
from tests.recordings import BECKETT
from tests.rtc_caller import RtcCaller, calling, loudness
from tests.server import RunningServer, running

LOOPBACK: dict[str, Any] = {"addresses": ["127.0.0.1"]}


@contextlib.asynccontextmanager
async def serving(
    reply_ms: int = 400, webrtc: dict[str, Any] | None = None, **tables: Any
) -> AsyncIterator[RunningServer]:
    options = {"options": {"duration_ms": reply_ms}}
    async with running(tts=options, webrtc=LOOPBACK | (webrtc or {}), **tables) as server, asyncio.timeout(40):
        yield server


async def until_held(server: RunningServer) -> None:
    (call,) = server.edge.calls.all()
    while call.jack is None or call.jack._plug is not None:  # noqa: ASYNC110 - nobody is told
        await asyncio.sleep(0.01)


async def test_a_spoken_turn_is_answered_and_the_answer_is_heard() -> None:
    async with serving() as server, calling(server.base_url) as caller:
        await caller.join()
        ready = await caller.until_message("ready")
        caller.microphone.say(await asyncio.to_thread(BECKETT.phrase, 0, 48_000))
        await caller.until_message("transcript", final=True)
        await caller.until_loud()
        done = await caller.until_message("reply", event="done")

        assert caller.messages[0] == ready
        assert {"encoding": "pcm_s16le", "sample_rate": 24_000, "frame_ms": 20} == ready["audio"]
        assert done["heard_text"]


async def test_the_echo_is_left_to_the_browser_unless_the_settings_say_otherwise() -> None:
    opened, phrase = [], await asyncio.to_thread(BECKETT.phrase, 0, 48_000)
    for wanted in (False, True):
        echo = FakeEcho()
        async with serving(webrtc={"echo_cancellation": wanted}) as server, calling(server.base_url) as caller:
            server.edge.calls._parts = replace(server.edge.parts, echo=echo)
            await caller.join()
            await caller.until_message("ready")
            await caller.send("text", text="hello")
            caller.microphone.say(phrase)
            await caller.until_message("speech")
            opened.append(len(echo.streams))

    assert [0, 1] == opened


async def test_a_stereo_caller_is_understood() -> None:
    async with serving() as server, calling(server.base_url, stereo=True) as caller:
        await caller.join()
        caller.microphone.say(await asyncio.to_thread(BECKETT.phrase, 0, 48_000))

        assert await caller.until_message("transcript", final=True)


async def test_a_whip_client_without_a_data_channel_talks_and_listens() -> None:
    async with serving() as server, calling(server.base_url, channel=False) as caller:
        await caller.whip()
        await caller.connected()
        caller.microphone.say(await asyncio.to_thread(BECKETT.phrase, 0, 48_000))
        await caller.until_loud()

        assert "webrtc" == server.edge.calls.find(caller.session_id).transport


async def test_a_channel_that_comes_later_hears_ready_first_and_what_it_missed() -> None:
    async with serving() as server, calling(server.base_url, channel=False) as caller:
        await caller.join()
        await caller.connected()
        caller.open_channel()
        await caller.join(200, session_id=caller.session_id)
        await caller.until_message("state")

        assert "ready" == caller.messages[0]["type"]


async def test_a_typed_turn_is_answered_and_a_mistake_is_told() -> None:
    async with serving() as server, calling(server.base_url) as caller:
        await caller.join()
        await caller.until_message("ready")
        await caller.send("text", text="hello")
        done = await caller.until_message("reply", event="done")
        await caller.send("nonsense")
        error = await caller.until_message("error")
        await caller.send("ping")

        assert "hello" == done["text"]
        assert "unknown type" in error["message"]
        assert await caller.until_message("pong")


async def test_an_interruption_silences_the_reply_within_a_frame_or_two() -> None:
    async with serving(reply_ms=5_000) as server, calling(server.base_url) as caller:
        await caller.join()
        await caller.until_message("ready")
        await caller.send("text", text="a long story")
        await caller.until_loud()
        await caller.send("interrupt")
        await caller.until_message("clear")
        at = len(caller.audio)
        await caller.until(lambda caller: len(caller.audio) > at + 5)

        # aiortc's own buffer holds four packets back.
        loud = [loudness(pcm) > 500 for _, pcm in caller.audio[at:]]
        assert sum(loud) <= 7


async def test_a_message_that_is_too_long_ends_the_connection_with_a_reason() -> None:
    async with serving() as server, calling(server.base_url) as caller:
        await caller.join()
        await caller.until_message("ready")
        assert caller.channel is not None
        caller.channel.transport._remote_max_message_size = 0
        caller.channel.send("x" * (1 << 20) + "x")
        error = await caller.until_message("error", fatal=True)

        assert "a message has at most 1 MiB" == error["message"]


async def test_stop_ends_the_session_and_the_last_message_arrives() -> None:
    async with serving() as server, calling(server.base_url) as caller:
        await caller.join()
        await caller.until_message("ready")
        await caller.send("stop")
        ended = await caller.until_message("ended")

        assert "client" == ended["reason"]
        assert () == server.edge.calls.all()


async def test_a_peer_that_closes_is_held_and_resumed_by_a_new_offer() -> None:
    async with serving() as server:
        async with calling(server.base_url) as first:
            await first.join()
            ready = await first.until_message("ready")
        await until_held(server)
        async with calling(server.base_url) as second:
            body = await second.join(resume=ready["resume_token"])
            again = await second.until_message("ready")
            await second.send("text", text="hello again")
            await second.until_loud()

        assert body["session_id"] == ready["session_id"] == again["session_id"]
        assert again["resume_token"] != ready["resume_token"]


async def test_a_peer_that_vanishes_is_noticed_and_its_session_held() -> None:
    """How soon: ``ice/test_link.py``, where the time is virtual."""
    async with serving() as server, calling(server.base_url) as caller:
        await caller.join()
        await caller.until_message("ready")
        (call,) = server.edge.calls.all()
        await caller.vanish()
        await until_held(server)

        assert (call,) == server.edge.calls.all()


async def test_a_call_goes_on_over_a_new_path_once_ice_was_restarted() -> None:
    network = await open_network(NetworkSettings(addresses=("127.0.0.1",)))
    peer = make_peer_connection(network)
    async with serving() as server, calling(server.base_url, peer=peer) as caller:
        await caller.whip()
        await caller.until_message("ready")
        agent, server_peer = peer._agent, server_peer_of(server, caller.session_id)
        before = selected_ports(server_peer)
        await agent.begin_restart()
        mine = tuple(map(candidate_from_aioice, agent.local_candidates))
        fragment = encode_fragment(Fragment(agent.local_username, agent.local_password, mine, ended=True), "0")
        headers = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}
        response = await caller.http.patch(caller.location, headers=headers, content=fragment)
        reply = decode_fragment(response.content)
        agent.remote_username, agent.remote_password = reply.ufrag, reply.password
        await peer._add(reply.candidates)
        done = await asyncio.gather(agent.finish_restart(), server_peer.restarted())
        caller.microphone.say(await asyncio.to_thread(BECKETT.phrase, 0, 48_000))
        heard = await caller.until_message("transcript", final=True)
        await caller.until_loud()

        assert (True, True) == tuple(done)
        assert set() == before & selected_ports(server_peer)
        assert heard["text"]


def server_peer_of(server: RunningServer, session_id: str) -> Peer:
    call = server.edge.calls.find(session_id)
    assert call.jack is not None
    connection: Any = call.jack._plug
    assert isinstance(connection.peer, Peer)
    return connection.peer


def selected_ports(peer: Peer) -> set[int]:
    """Of both ends."""
    pair = peer._agent._link.selected
    assert pair is not None
    return {pair.local_candidate.port, pair.remote_candidate.port}


async def test_a_caller_with_nothing_but_ipv6_talks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda **_: ["::1"])
    async with serving(webrtc={"addresses": ["::1"]}) as server, calling(server.base_url) as caller:
        body = await caller.join()
        await caller.until_message("ready")
        await caller.send("text", text="hello")
        await caller.until_loud()
        addresses = {line.split()[4] for line in body["sdp"].splitlines() if line.startswith("a=candidate")}

        assert {"::1"} == addresses


async def test_a_session_is_taken_over_while_its_first_peer_still_lives() -> None:
    async with serving() as server, calling(server.base_url) as first, calling(server.base_url) as second:
        await first.join()
        ready = await first.until_message("ready")
        await second.join(resume=ready["resume_token"])
        await second.until_message("ready")
        error = await first.until_message("error", fatal=True)

        assert "session_already_active" == error["code"]


async def test_deleting_a_session_over_http_tells_the_client() -> None:
    async with serving() as server, calling(server.base_url) as caller:
        await caller.join()
        await caller.until_message("ready")
        response = await caller.http.delete(f"/v1/sessions/{caller.session_id}")
        ended = await caller.until_message("ended")

        assert 204 == response.status_code
        assert "deleted" == ended["reason"]


async def test_draining_ends_the_call_and_says_so() -> None:
    async with serving(server={"shutdown_grace": "0s"}) as server, calling(server.base_url) as caller:
        await caller.join()
        await caller.until_message("ready")
        await server.edge.drain()
        ended = await caller.until_message("ended")

        assert "server_shutdown" == ended["reason"]


async def test_the_metrics_and_the_list_say_webrtc() -> None:
    async with serving() as server, calling(server.base_url) as caller:
        await caller.join()
        await caller.until_message("ready")
        shown = (await caller.http.get(f"/v1/sessions/{caller.session_id}")).json()
        metrics = (await caller.http.get("/metrics")).text

        assert "webrtc" == shown["transport"]
        assert 'session_active{transport="webrtc"} 1.0' in metrics
        assert 'session_started_total{transport="webrtc"} 1.0' in metrics


async def test_a_peer_that_never_connects_gives_its_place_back() -> None:
    async with serving(webrtc={"connect_timeout": "1s"}) as server:
        caller = RtcCaller(server.base_url)
        offer = await caller.offer()
        response = await caller.http.post("/v1/webrtc", json={"sdp": offer, "type": "offer"})
        assert 201 == response.status_code
        await caller.close()
        async with asyncio.timeout(10):
            while server.edge.calls.all():  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0.02)

        assert 0 == len(server.edge.calls)


async def test_many_sessions_share_one_port() -> None:
    async with serving(webrtc={"shared_port": 0}) as server, contextlib.AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(calling(server.base_url)) for _ in range(5)]
        bodies = [await caller.join() for caller in callers]
        for caller in callers:
            await caller.until_message("ready")
        ports = {line.split()[5] for body in bodies for line in body["sdp"].splitlines() if "a=candidate" in line}

        assert 1 == len(ports)


async def test_a_session_goes_from_a_peer_connection_to_a_socket_and_back() -> None:
    formats = {
        "audio": {"encoding": "pcm_s16le", "sample_rate": 16_000},
        "output": {"encoding": "pcm_s16le", "sample_rate": 24_000},
    }
    async with serving() as server:
        async with calling(server.base_url) as caller:
            await caller.join()
            first = await caller.until_message("ready")
        await until_held(server)
        async with on_a_socket(server.ws_url) as phone:
            second = await phone.start(**formats, resume=first["resume_token"])
            (call,) = server.edge.calls.all()
            on_the_socket = call.transport
        await until_held(server)
        async with calling(server.base_url) as caller:
            await caller.join(resume=second["resume_token"])
            third = await caller.until_message("ready")

    assert first["session_id"] == second["session_id"] == third["session_id"]
    assert ("websocket", "webrtc") == (on_the_socket, call.transport)


async def test_a_caller_who_sends_nothing_in_pauses_is_answered_all_the_same() -> None:
    async with serving() as server, calling(server.base_url) as caller:
        await caller.join()
        await caller.until_message("ready")
        caller.microphone.say(await asyncio.to_thread(BECKETT.phrase, 0, 48_000))
        await caller.microphone.said.wait()
        caller.peer.getSenders()[0]._enabled = False  # from here on not one packet

        assert await caller.until_message("reply", event="done")


async def test_a_server_that_is_reached_by_its_relay_alone() -> None:
    port = free_udp_port()
    relay = {"turn": [f"turn:127.0.0.1:{port}"], "turn_secret": SECRET, "relay_only": True}
    async with coturn(("127.0.0.1",), port), serving(webrtc=relay) as server, calling(server.base_url) as caller:
        body = await caller.join()
        await caller.until_message("ready")
        await caller.send("text", text="hello")
        await caller.until_loud()
        kinds = {line.split()[7] for line in body["sdp"].splitlines() if line.startswith("a=candidate")}

        assert {"relay"} == kinds


async def test_a_hundred_offers_that_come_to_nothing_leave_nothing() -> None:
    async with serving(webrtc={"shared_port": 0}) as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        caller = RtcCaller(server.base_url)
        broken = (await caller.offer()).replace("opus", "sopu")
        await caller.close()
        for _ in range(100):
            response = await http.post("/v1/webrtc", json={"sdp": broken, "type": "offer"})
            assert 422 == response.status_code, response.text

        assert 0 == len(server.edge.calls)
