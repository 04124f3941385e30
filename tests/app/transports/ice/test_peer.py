import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from app.transports.ice.network import NoFreePort, open_network
from app.transports.ice.peer import OfferError, StaleFragment, make_peer_connection
from app.transports.ice.settings import NetworkSettings
from app.transports.ice.trickle import Fragment, decode_fragment
from tests.app.transports.ice.peers import LOOPBACK, Caller, Server, Tone, connected, loopback


@contextlib.asynccontextmanager
async def serving(settings: NetworkSettings = LOOPBACK) -> AsyncIterator[Server]:
    server = Server(await open_network(settings))
    try:
        yield server
    finally:
        await server.close()


@contextlib.asynccontextmanager
async def calling(server: Server, frequency_hz: int = 440) -> AsyncIterator[Caller]:
    caller = Caller(await loopback(), frequency_hz)
    try:
        await caller.call(server.answer)
        yield caller
    finally:
        await caller.close()


def candidates_of(sdp: str) -> list[tuple[str, int]]:
    """Address and port of each candidate of the first media section."""
    words = [line.split() for line in sdp.split("m=")[1].splitlines() if line.startswith("a=candidate:")]
    return [(word[4], int(word[5])) for word in words]


async def test_a_caller_on_loopback_hears_its_own_tone() -> None:
    async with serving() as server, calling(server) as caller:
        assert 440 == await caller.heard_hz()
        assert server.peers[0].path in ("host/host", "host/prflx")


async def test_a_plain_aiortc_caller_without_a_usable_candidate_is_found_by_its_checks() -> None:
    async with serving() as server:
        client = RTCPeerConnection()
        client.addTransceiver("audio")
        client.createDataChannel("events")
        await client.setLocalDescription(await client.createOffer())
        offer = "".join(
            line + "\r\n" for line in client.localDescription.sdp.splitlines() if not line.startswith("a=candidate")
        )
        await client.setRemoteDescription(RTCSessionDescription(await server.answer(offer), "answer"))
        await connected(server.peers[0])

        assert "host/prflx" == server.peers[0].path
        await client.close()


async def test_a_session_takes_its_port_from_the_range() -> None:
    settings = NetworkSettings(addresses=("127.0.0.1",), ports=(41_000, 41_009))
    async with serving(settings) as server, calling(server) as caller:
        answered = candidates_of(server.peers[0].localDescription.sdp)

        assert 440 == await caller.heard_hz(10)
        assert all(41_000 <= port <= 41_009 for _, port in answered)


async def test_the_advertised_address_stands_in_the_answer_instead_of_the_local_one() -> None:
    settings = NetworkSettings(addresses=("127.0.0.1",), advertised={"127.0.0.1": "127.0.0.2"}, shared_port=0)
    async with serving(settings) as server:
        client = make_peer_connection(await loopback())
        client.addTransceiver("audio")
        await client.setLocalDescription(await client.createOffer())
        answer = await server.answer(client.localDescription.sdp)

        assert [("127.0.0.2", server.network.shared["127.0.0.1"].address[1])] == candidates_of(answer)
        await client.close()


async def test_twenty_callers_on_one_port_hear_each_their_own_and_one_may_leave() -> None:
    settings = NetworkSettings(addresses=("127.0.0.1",), shared_port=0)
    pitches_hz = tuple(range(300, 2_300, 100))
    answered_hz = tuple(pitch + 3_000 for pitch in pitches_hz)
    server = Server(await open_network(settings), pitches_hz=answered_hz)
    port = server.network.shared["127.0.0.1"]
    callers = [Caller(await loopback(), pitch) for pitch in pitches_hz]
    for caller in callers:
        await caller.call(server.answer)

    assert answered_hz == tuple(await asyncio.gather(*(caller.heard_hz(5) for caller in callers)))
    assert pitches_hz == tuple(await asyncio.gather(*(ear.heard_hz(5) for ear in server.ears)))
    assert 20 == port.sizes[0]

    await callers.pop(7).close()
    await server.peers.pop(7).close()

    assert answered_hz[:7] + answered_hz[8:] == tuple(await asyncio.gather(*(caller.heard_hz(5) for caller in callers)))
    assert 19 == port.sizes[0]

    await asyncio.gather(*(caller.close() for caller in callers), server.close())

    assert (0, 0, 0) == port.sizes


async def test_candidates_that_come_later_by_patch_connect_the_call() -> None:
    async with serving() as server:
        client = make_peer_connection(await loopback())
        client.addTransceiver("audio")
        await client.setLocalDescription(await client.createOffer())
        lines = client.localDescription.sdp.splitlines()
        offer = "".join(f"{line}\r\n" for line in lines if not line.startswith(("a=candidate", "a=end-of")))
        await client.setRemoteDescription(RTCSessionDescription(await server.answer(offer), "answer"))
        wanted = ("a=ice-ufrag", "a=ice-pwd", "a=candidate", "a=end-of-candidates", "a=mid")
        fragment = "".join(f"{line}\r\n" for line in lines if line.startswith(wanted))

        assert await server.peers[0].trickle(decode_fragment(fragment.encode())) is None

        await connected(server.peers[0])
        await client.close()


async def test_a_fragment_before_any_offer_is_stale() -> None:
    async with serving() as server:
        peer = make_peer_connection(server.network)
        with pytest.raises(StaleFragment):
            await peer.trickle(Fragment(None, None, (), ended=True))
        await peer.close()


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "garbage",
        "v=0\r\nm=audio\r\n",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n",
    ],
)
async def test_an_offer_that_is_none_gets_one_kind_of_error(offer: str) -> None:
    async with serving() as server:
        with pytest.raises(OfferError, match="the offer"):
            await server.answer(offer)


async def test_an_offer_that_names_its_data_channel_first_is_answered() -> None:
    async with serving() as server:
        client = RTCPeerConnection(RTCConfiguration(iceServers=[], alwaysNegotiateDataChannels=True))
        client.addTrack(Tone(440))
        await client.setLocalDescription(await client.createOffer())
        offer = client.localDescription.sdp
        assert offer.index("m=application") < offer.index("m=audio")
        await client.setRemoteDescription(RTCSessionDescription(await server.answer(offer), "answer"))
        await connected(server.peers[0])

        assert server.peers[0].path is not None
        await client.close()


async def test_a_session_that_gets_no_port_says_so_and_leaves_nothing_open() -> None:
    settings = NetworkSettings(addresses=("127.0.0.1",), ports=(41_500, 41_500))
    async with serving(settings) as server, calling(server) as first:
        with pytest.raises(NoFreePort):
            async with calling(server):
                pass
        await server.peers[1].close()

        assert 440 == await first.heard_hz(10)
