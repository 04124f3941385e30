"""Every peer connection of a server: offers answered, candidates taken, ICE restarted, and the network they share."""

from __future__ import annotations

import asyncio
import time

from aioice.ice import get_host_addresses

from app.calls import Call
from app.edge import Edge
from app.settings import WebRtc, is_loopback
from app.transports.ice.network import Network, open_network
from app.transports.ice.peer import OfferError, Peer, StaleFragment, make_peer_connection
from app.transports.ice.servers import IceServer, ice_servers_json, link_headers, with_turn_credentials
from app.transports.ice.settings import NetworkSettings
from app.transports.ice.trickle import FragmentError, decode_fragment, encode_fragment
from app.transports.webrtc.connection import Connection, fingerprints
from app.transports.webrtc.offers import Answer, NoNetwork, Refusal, Restarted
from session.errors import ErrorCode

__all__ = ("Peers",)


class Peers:
    """``start`` opens the network, ``aclose`` ends every connection and gives it back."""

    def __init__(self, edge: Edge, settings: WebRtc) -> None:
        self._edge = edge
        self._settings = settings
        self._network: Network | None = None
        self._connections: dict[str, Connection] = {}
        self._all: set[Connection] = set()  # those that were taken over and are not closed yet, too

    def __len__(self) -> int:
        return len(self._all)

    async def start(self) -> None:
        """:raises OSError: the shared port is taken, or an address is not ours."""
        self._network = await open_network(self._network_settings())

    async def aclose(self) -> None:
        await asyncio.gather(*(connection.leave() for connection in tuple(self._all)))
        if self._network is not None:
            self._network.close()

    def ice_servers(self, user: str) -> list[dict[str, object]]:
        """For a client's ``RTCConfiguration``, with credentials of its own."""
        return ice_servers_json(self._servers(user))

    def links(self, user: str) -> tuple[str, ...]:
        """The same as values of ``Link`` headers."""
        return tuple(link_headers(self._servers(user)))

    def holds(self, call: Call, offer: str) -> bool:
        """Whether an offer comes from the peer that the call is connected to."""
        connection = self._connections.get(call.session_id)
        return connection is not None and connection.call is call and connection.fingerprints == fingerprints(offer)

    async def answer(self, call: Call, offer: str, *, resume: str | None = None, owns_call: bool = False) -> Answer:
        """A new peer connection for the call, which ends with it where that ``owns_call`` and never connects.

        :raises Refusal: the offer cannot be answered.
        :raises NoNetwork: no port or address could be had.
        """
        if self._network is None:
            raise NoNetwork("the network is not open")
        peer = make_peer_connection(self._network, self._servers(call.session_id))
        connection = Connection(
            self._edge,
            call,
            peer,
            self._settings,
            resume=resume,
            owns_call=owns_call,
            over=lambda: self._forget(connection),
        )
        self._all.add(connection)
        try:
            sdp = await connection.answer(offer)
        except (OfferError, OSError) as error:
            await connection.leave()
            raise _as_ours(error) from error
        except BaseException:  # cancelled: the client is gone
            await connection.leave()
            raise
        before = self._connections.get(call.session_id)
        self._connections[call.session_id] = connection
        if before is not None and resume is None:
            connection.owns_call, before.owns_call = before.owns_call, False
            await before.leave()  # it never came to talk
        return Answer(sdp, f'"{peer.etag}"', self.links(call.session_id))

    async def answer_again(self, session_id: str, offer: str) -> Answer:
        """A later offer of the same peer: ICE restarts, or a channel is added.

        :raises Refusal: NoNetwork: as ``answer``.
        """
        peer = self._peer(session_id)
        try:
            sdp = await peer.answer(offer)
        except (OfferError, OSError) as error:
            raise _as_ours(error) from error
        return Answer(sdp, f'"{peer.etag}"', self.links(session_id))

    async def trickle(self, session_id: str, body: bytes, if_match: str | None) -> Restarted | None:
        """Candidates, or a restart of ICE, which has an answer. ``if_match``: the header's value.

        :raises Refusal: with the status of RFC 9725.
        """
        peer = self._peer(session_id)
        if if_match is None:
            raise Refusal(428, "If-Match is missing; it holds the ETag of the session, or * for a restart of ICE")
        # The examples of RFC 9725 have the asterisk in quotes.
        if {"*", '"*"', f'"{peer.etag}"'}.isdisjoint(tag.strip() for tag in if_match.split(",")):
            raise Refusal(412, "the ETag is that of another ICE session")
        try:
            reply = await peer.trickle(decode_fragment(body))
        except FragmentError as error:
            raise Refusal(400, str(error)) from error
        except StaleFragment as error:
            raise Refusal(412, str(error)) from error
        except (OfferError, OSError) as error:
            raise _as_ours(error) from error
        if reply is None:
            return None
        mid = next((each.mid for each in peer.getTransceivers() if each.mid is not None), "0")
        return Restarted(encode_fragment(reply, mid), f'"{peer.etag}"')

    async def leave(self, session_id: str) -> None:
        """Ends the connection, if there is one."""
        connection = self._connections.get(session_id)
        if connection is not None:
            await connection.leave()

    def _peer(self, session_id: str) -> Peer:
        connection = self._connections.get(session_id)
        if connection is None:
            raise Refusal(404, "the session has no peer connection", ErrorCode.SESSION_NOT_FOUND)
        return connection.peer

    def _forget(self, connection: Connection) -> None:
        self._all.discard(connection)
        if self._connections.get(connection.call.session_id) is connection:
            del self._connections[connection.call.session_id]

    def _servers(self, user: str) -> tuple[IceServer, ...]:
        settings, servers = self._settings, []
        if settings.stun:
            servers.append(IceServer(tuple(settings.stun)))
        if settings.turn and settings.turn_secret is not None:
            expires_at_s = int(time.time() + settings.credential_ttl)
            secret = settings.turn_secret.get_secret_value()
            servers.append(with_turn_credentials(settings.turn, secret, user, expires_at_s))
        elif settings.turn and settings.turn_password is not None:
            password = settings.turn_password.get_secret_value()
            servers.append(IceServer(tuple(settings.turn), settings.turn_username, password))
        return tuple(servers)

    def _network_settings(self) -> NetworkSettings:
        settings = self._settings
        addresses = tuple(settings.addresses)
        if not addresses:
            found = get_host_addresses(use_ipv4=True, use_ipv6=True)
            # A server for this machine alone has its callers there; and a machine without a network has no other.
            local = ["127.0.0.1"] if is_loopback(self._edge.settings.server.host) or not found else []
            addresses = (*found, *local)
        ports = None
        if settings.port_min is not None and settings.port_max is not None:
            ports = (settings.port_min, settings.port_max)
        expiry_ms = int(settings.peer_timeout * 1000)
        return NetworkSettings(
            addresses=addresses,
            advertised=settings.advertised,
            ports=ports,
            shared_port=settings.shared_port,
            relay_only=settings.relay_only,
            connect_timeout_ms=int(settings.connect_timeout * 1000),
            consent_expiry_ms=expiry_ms,
            consent_interval_ms=min(1_000, expiry_ms // 4),
        )


def _as_ours(error: Exception) -> Exception:
    return NoNetwork(str(error)) if isinstance(error, OSError) else Refusal(422, str(error))
