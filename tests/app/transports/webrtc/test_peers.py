"""A server's peer connections together: the network they share, restarts, and the end of all."""

from __future__ import annotations

import asyncio

import pytest

from app.settings import WebRtc
from app.transports.webrtc.offers import NoNetwork, Refusal
from app.transports.webrtc.peers import Peers
from session.notices import EndReason
from tests.rtc_caller import calling
from tests.server import running

LOOPBACK = WebRtc(addresses=["127.0.0.1"])


async def test_an_offer_before_the_network_is_open_is_told_so() -> None:
    async with running() as server:
        call = server.edge.calls.prepare(metadata={})
        with pytest.raises(NoNetwork):
            await Peers(server.edge, LOOPBACK).answer(call, "v=0")


async def test_a_session_without_a_peer_is_not_found() -> None:
    async with running() as server:
        with pytest.raises(Refusal) as refused:
            await Peers(server.edge, LOOPBACK).trickle("nobody", b"", "*")

        assert 404 == refused.value.status


async def test_a_later_offer_with_new_credentials_restarts_ice_and_the_call_goes_on() -> None:
    async with running(webrtc={"addresses": ["127.0.0.1"]}) as server, calling(server.base_url) as caller:
        await caller.join()
        await caller.until_message("ready")
        again = await caller.offer()
        ufrag = next(line for line in again.splitlines() if line.startswith("a=ice-ufrag:"))
        restarting = again.replace(ufrag, "a=ice-ufrag:newone")
        body = {"sdp": restarting, "type": "offer", "session_id": caller.session_id}
        response = await caller.http.post("/v1/webrtc", json=body)
        await caller.send("ping")

        assert 200 == response.status_code
        assert await caller.until_message("pong")


async def test_closing_ends_every_connection() -> None:
    async with running(webrtc={"addresses": ["127.0.0.1"]}) as server, calling(server.base_url) as caller:
        await caller.join()
        await caller.until_message("ready")
        await server.edge.calls.end_all(EndReason.SERVER_SHUTDOWN)
        async with asyncio.timeout(10):
            await caller.until_message("ended")

        assert () == server.edge.calls.all()
