"""An `RTCPeerConnection` whose ICE goes by our network: offers in, answers out, candidates and restarts in between."""

import asyncio
import hashlib
from collections.abc import Iterable
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceCandidate, RTCIceParameters, candidate_from_aioice, candidate_to_aioice
from aiortc.sdp import SessionDescription

from app.transports.ice.agent import IceAgent
from app.transports.ice.compatibility import CREATE_DTLS_TRANSPORT, require_known_names
from app.transports.ice.network import Network
from app.transports.ice.servers import IceServer
from app.transports.ice.trickle import Fragment

__all__ = ("OfferError", "Peer", "StaleFragment", "make_peer_connection")

require_known_names()


class OfferError(ValueError):
    """The offer cannot be answered; the message says why."""


class StaleFragment(ValueError):
    """The fragment is for another ICE session than the present one (WHIP: 412)."""


class Peer(RTCPeerConnection):
    """One session's peer connection. Made by `make_peer_connection`; `close` it when the session ends."""

    def __init__(self, network: Network, servers: Iterable[IceServer] = ()) -> None:
        super().__init__(RTCConfiguration(iceServers=[]))
        self._network = network
        self._servers = tuple(servers)
        self._agents: list[IceAgent] = []
        self._remote: tuple[str, str] | None = None
        self._restart: asyncio.Task[bool] | None = None

    @property
    def path(self) -> str | None:
        """The kinds of candidates in use, local and remote, as `host/prflx`."""
        return self._agent.path if self._live else None

    @property
    def etag(self) -> str:
        """The ICE session's entity tag (RFC 9725, section 4.3.1), without quotes; a restart changes it."""
        agent = self._agent
        return hashlib.sha256(f"{agent.local_username}:{agent.local_password}".encode()).hexdigest()[:16]

    async def answer(self, offer: str) -> str:
        """Answers an offer: the first, a later one, or one that restarts ICE. The answer holds all candidates.

        Raises `OfferError` if the offer is not understood, `OSError` when no port can be had.
        """
        try:
            description = SessionDescription.parse(offer)
            media = [m for m in description.media if m.port or m.kind == "application"] or description.media
            ice = media[0].ice or RTCIceParameters()
        except (ValueError, IndexError, KeyError, AttributeError, AssertionError, TypeError) as error:
            raise OfferError(f"the offer is not understood: {error}") from error
        username, password = ice.usernameFragment, ice.password
        if username is None or password is None:
            raise OfferError("the offer has no ICE user fragment and password")
        restarts = self._remote is not None and self._remote != (username, password)
        if restarts:
            await self._begin_restart(username, password)
        try:
            await self.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            await self.setLocalDescription(await self.createAnswer())
        except OSError:
            raise
        except Exception as error:  # aiortc has no root of its errors, and its parser raises what it meets
            if self._agents:
                self._agent.give_up_restart()
            raise OfferError(f"the offer cannot be answered: {error}") from error
        self._remote = (username, password)
        if restarts:
            await self._add([candidate for m in media for candidate in m.ice_candidates])
            self._finish_restart()
        if not self._agent.local_candidates:
            raise OSError("no candidate could be gathered: no address, no relay")
        return self.localDescription.sdp

    async def trickle(self, fragment: Fragment) -> Fragment | None:
        """Adds candidates, or restarts ICE if the fragment has new credentials: then our new ones are returned.

        Raises `StaleFragment` before the first answer, `OSError` when no port can be had.
        """
        if self._remote is None or not self._live:
            raise StaleFragment("there is no ICE session yet, or no more")
        new = fragment.ufrag is not None and (fragment.ufrag, fragment.password) != self._remote
        if new and fragment.ufrag is not None and fragment.password is not None:
            await self._begin_restart(fragment.ufrag, fragment.password)
            self._remote = (fragment.ufrag, fragment.password)
        await self._add(fragment.candidates)
        if not new:
            return None
        self._finish_restart()
        agent = self._agent
        candidates = tuple(candidate_from_aioice(candidate) for candidate in agent.local_candidates)
        return Fragment(agent.local_username, agent.local_password, candidates, ended=True)

    async def restarted(self) -> bool:
        """Waits for the restart under way; `False` if it found no path, or there was none."""
        return self._restart is not None and await asyncio.shield(self._restart)

    async def close(self) -> None:
        if self._restart is not None:
            self._restart.cancel()
        await super().close()

    @property
    def _live(self) -> list[IceAgent]:
        return [agent for agent in self._agents if not agent.closed]

    @property
    def _agent(self) -> IceAgent:
        # All media share the first transport (BUNDLE); the others were closed when the offer was applied.
        return (self._live or self._agents)[0]

    async def _begin_restart(self, username: str, password: str) -> None:
        if len(self._live) != 1:
            raise OfferError("ICE restarts only where all media share one transport (BUNDLE)")
        if self._restart is not None:
            self._restart.cancel()
        agent = self._agent
        await agent.begin_restart()
        agent.remote_username, agent.remote_password = username, password

    def _finish_restart(self) -> None:
        self._restart = asyncio.create_task(self._agent.finish_restart())

    async def _add(self, candidates: Iterable[RTCIceCandidate]) -> None:
        # Not by addIceCandidate: it keeps every candidate ever sent in the description.
        for candidate in candidates:
            await self._agent.add_remote_candidate(candidate_to_aioice(candidate))


def _create_dtls_transport(self: Peer) -> RTCDtlsTransport:
    # At this point nothing was gathered or started, so one connection is as good as another.
    transport: RTCDtlsTransport = getattr(super(Peer, self), CREATE_DTLS_TRANSPORT)()
    agent = IceAgent(self._network, self._servers)
    self._agents.append(agent)
    ice: Any = transport.transport
    ice.iceGatherer._connection = ice._connection = agent  # noqa: SLF001 (see compatibility.py)
    ice._recv, ice._send = agent.recv, agent.send  # noqa: SLF001
    return transport


setattr(Peer, CREATE_DTLS_TRANSPORT, _create_dtls_transport)


def make_peer_connection(network: Network, servers: Iterable[IceServer] = ()) -> Peer:
    """A peer connection that gathers on `network`, and with `servers`, whose credentials are the session's own."""
    return Peer(network, servers)
