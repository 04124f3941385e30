import asyncio

from aioice import Candidate
from aiortc import RTCSessionDescription
from aiortc.sdp import SessionDescription

from app.transports.ice.network import open_network
from app.transports.ice.settings import NetworkSettings
from app.transports.ice.trickle import Fragment
from tests.app.transports.ice.peers import LOOPBACK, Caller, Server, closed, connected, loopback
from tests.app.transports.ice.processes import far_peer


async def test_a_peer_whose_process_dies_is_noticed() -> None:
    """How soon: `test_link.py`, where the time is virtual."""
    server = Server(await loopback(), pitches_hz=(900,))
    async with far_peer("caller", "127.0.0.1") as caller:
        caller.write(await server.answer(await caller.read()))
        await caller.read()
        await caller.kill()
        await closed(server.peers[0])

        assert server.peers[0].connectionState in ("failed", "closed")
    await server.close()


async def test_a_new_offer_with_new_credentials_moves_the_call_to_new_ports_and_the_sound_goes_on() -> None:
    server = Server(await open_network(NetworkSettings(addresses=("127.0.0.1",), shared_port=0)))
    caller = Caller(await loopback(), 700)
    await caller.call(server.answer)
    assert 700 == await caller.heard_hz(10)
    peer, port = server.peers[0], server.network.shared["127.0.0.1"]
    before, tag = peer.localDescription.sdp, peer.etag

    agent = caller.peer._agent
    await agent.begin_restart()
    await caller.peer.setLocalDescription(await caller.peer.createOffer())
    answer = await peer.answer(caller.peer.localDescription.sdp)
    ice = SessionDescription.parse(answer).media[0].ice
    assert ice is not None
    agent.remote_username, agent.remote_password = ice.usernameFragment, ice.password
    await caller.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    done = await asyncio.gather(agent.finish_restart(), peer.restarted())

    assert all(done)
    assert tag != peer.etag
    assert SessionDescription.parse(before).media[0].ice != ice
    assert 700 == await caller.heard_hz(10)
    assert "connected" == peer.connectionState
    assert 1 == port.sizes[0]

    await asyncio.gather(caller.close(), server.close())


async def test_a_later_offer_with_the_same_credentials_changes_no_path() -> None:
    server = Server(await loopback())
    caller = Caller(await loopback(), 700)
    await caller.call(server.answer)
    await connected(server.peers[0])
    tag = server.peers[0].etag
    await caller.call(server.peers[0].answer)

    assert tag == server.peers[0].etag
    assert 700 == await caller.heard_hz(10)

    await asyncio.gather(caller.close(), server.close())


async def test_a_restart_by_patch_answers_with_new_credentials() -> None:
    server = Server(await loopback())
    caller = Caller(await loopback(), 700)
    await caller.call(server.answer)
    await connected(server.peers[0])
    peer, agent = server.peers[0], caller.peer._agent

    await agent.begin_restart()
    answer = await peer.trickle(Fragment(agent.local_username, agent.local_password, (), ended=True))
    assert answer is not None
    agent.remote_username, agent.remote_password = answer.ufrag, answer.password
    for candidate in answer.candidates:
        await caller.peer._add([candidate])

    assert all(await asyncio.gather(agent.finish_restart(), peer.restarted()))
    assert 700 == await caller.heard_hz(10)

    await asyncio.gather(caller.close(), server.close())


async def test_a_restart_that_finds_no_path_leaves_the_old_one() -> None:
    settings = NetworkSettings(addresses=("127.0.0.1",), connect_timeout_ms=300)
    server = Server(await open_network(settings))
    caller = Caller(await loopback(), 700)
    await caller.call(server.answer)
    await connected(server.peers[0])

    await server.peers[0].trickle(Fragment("gone", "x" * 24, (), ended=True))

    assert not await server.peers[0].restarted()
    assert 700 == await caller.heard_hz(10)

    await asyncio.gather(caller.close(), server.close())


async def test_candidates_past_the_bound_are_ignored() -> None:
    server = Server(await open_network(LOOPBACK))
    caller = Caller(await loopback(), 700)
    await caller.call(server.answer)
    agent = server.peers[0]._agent
    for port in range(1_000, 1_200):
        await agent.add_remote_candidate(Candidate("f", 1, "udp", 1, "127.0.0.1", port, "host"))

    assert 32 == len(agent.remote_candidates)

    await asyncio.gather(caller.close(), server.close())
