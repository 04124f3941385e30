"""The ICE agent of a session: the link in use, and while ICE restarts, the one that will follow it."""

import asyncio
from collections import deque
from collections.abc import Iterable
from ipaddress import ip_address

from aioice import Candidate, ConnectionClosed

from app.transports.ice.link import Link
from app.transports.ice.network import Network
from app.transports.ice.servers import IceServer

__all__ = ("IceAgent",)

# About a second of audio: a loop that is that late drops the oldest.
_MAX_DATAGRAMS = 64
# Each remote candidate costs checks to an address of the peer's choice.
_MAX_REMOTE_CANDIDATES = 32
_CLOSE_S = 1.0


class IceAgent:
    """Stands where aiortc's ICE transport has an `aioice.Connection`, with the part of its interface used there.

    A restart gathers under new credentials while the old link carries the media, and takes over once it is connected
    (RFC 8445, section 9). DTLS and SRTP go on.
    """

    def __init__(self, network: Network, servers: Iterable[IceServer]) -> None:
        self._network = network
        self._servers = tuple(servers)
        self._inbox: deque[bytes] = deque(maxlen=_MAX_DATAGRAMS)
        self._reader: asyncio.Future[None] | None = None
        self._closed = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._retired: set[asyncio.Task[None]] = set()
        self._next: Link | None = None
        self._link_is_lost = False
        self._link = self._new_link()

    @property
    def closed(self) -> bool:
        return self._closed.is_set() or self._closing is not None

    @property
    def path(self) -> str | None:
        """The kinds of the two candidates in use, as `host/prflx`; `None` before there is a path."""
        pair = self._link.selected
        return None if pair is None else f"{pair.local_candidate.type}/{pair.remote_candidate.type}"

    @property
    def ice_controlling(self) -> bool:
        return self._newest.ice_controlling

    @ice_controlling.setter
    def ice_controlling(self, controlling: bool) -> None:
        self._newest.ice_controlling = controlling

    @property
    def remote_is_lite(self) -> bool:
        return self._newest.remote_is_lite

    @remote_is_lite.setter
    def remote_is_lite(self, lite: bool) -> None:
        self._newest.remote_is_lite = lite

    @property
    def remote_username(self) -> str | None:
        return self._newest.remote_username

    @remote_username.setter
    def remote_username(self, username: str | None) -> None:
        self._newest.remote_username = username

    @property
    def remote_password(self) -> str | None:
        return self._newest.remote_password

    @remote_password.setter
    def remote_password(self, password: str | None) -> None:
        self._newest.remote_password = password

    @property
    def local_username(self) -> str:
        return self._newest.local_username

    @property
    def local_password(self) -> str:
        return self._newest.local_password

    @property
    def local_candidates(self) -> list[Candidate]:
        return self._newest.local_candidates

    @property
    def remote_candidates(self) -> list[Candidate]:
        return self._newest.remote_candidates

    async def gather_candidates(self) -> None:
        """Raises `OSError` when a port cannot be had."""
        await self._newest.gather_candidates()

    async def add_remote_candidate(self, candidate: Candidate | None) -> None:
        """Adds one of the peer's candidates; what cannot be used, and what is too much, is ignored.

        A name is mostly one of mDNS, which is of the peer's own network: its checks tell the address. The end of
        candidates is not passed on, since the peer's checks may find a path when none of its candidates did (RFC 8863);
        a timeout ends the wait.
        """
        if (
            candidate is not None
            and candidate.component == 1
            and candidate.transport.lower() == "udp"
            and _is_address(candidate.host)
            and len(self._newest.remote_candidates) < _MAX_REMOTE_CANDIDATES
        ):
            await self._newest.add_remote_candidate(candidate)

    async def connect(self) -> None:
        """Raises `ConnectionError` when there is no path within the time that the settings give."""
        await self._connect(self._link)

    async def begin_restart(self) -> None:
        """New local credentials and candidates; from here on the remote ones set and added are the new ones.

        A restart under way is given up for this one. Raises `OSError`, and then nothing has changed.
        """
        link = self._new_link()
        link.ice_controlling = self._link.ice_controlling
        try:
            await link.gather_candidates()
        except OSError:
            await link.close()
            raise
        given_up, self._next = self._next, link
        if given_up is not None:
            self._retire(given_up)

    async def finish_restart(self) -> bool:
        """Connects the new link and lets it take over; `False` if it found no path, and the old one stays."""
        link = self._next
        if link is None:
            raise RuntimeError("no restart has begun")
        try:
            await self._connect(link)
        except ConnectionError:
            connected = False
        else:
            connected = self._next is link and not self.closed
        if self._next is link:
            self._next = None
        if connected:
            self._link, link = link, self._link
            self._link_is_lost = False
        self._retire(link)
        if self._link_is_lost and self._next is None:
            self._end()
        return connected

    def give_up_restart(self) -> None:
        """Back to the old link, if a restart has begun."""
        link, self._next = self._next, None
        if link is not None:
            self._retire(link)

    async def get_event(self) -> ConnectionClosed:
        await self._closed.wait()
        return ConnectionClosed()

    async def recv(self) -> bytes:
        """The peer's next datagram. Raises `ConnectionError` once the agent is closed."""
        while not self._inbox:
            if self.closed:
                raise ConnectionError("the ICE agent is closed")
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._inbox.popleft()

    async def send(self, data: bytes) -> None:
        """Raises `ConnectionError` while there is no path."""
        await self._link.send(data)

    async def close(self) -> None:
        """Frees ports and allocations. May be called again."""
        # A TURN server that is gone would hold its allocation's deletion up for half a minute.
        await asyncio.wait({self._end()}, timeout=_CLOSE_S)

    @property
    def _newest(self) -> Link:
        return self._next or self._link

    def _new_link(self) -> Link:
        link = Link(self._network, self._servers, self._deliver, lambda: self._lost(link))
        return link

    def _deliver(self, data: bytes) -> None:
        self._inbox.append(data)
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _lost(self, link: Link) -> None:
        # A peer that restarts may have left the old path; the restart decides.
        if link is self._link:
            self._link_is_lost = True
            if self._next is None:
                self._end()

    def _end(self) -> asyncio.Task[None]:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        return self._closing

    async def _connect(self, link: Link) -> None:
        within_ms = self._network.settings.connect_timeout_ms
        try:
            async with asyncio.timeout(within_ms / 1_000):
                await link.connect()
        except TimeoutError:
            raise ConnectionError(f"no path to the peer within {within_ms} ms") from None

    def _retire(self, link: Link) -> None:
        task = asyncio.create_task(link.close())
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)

    async def _close(self) -> None:
        self._closed.set()
        self._wake()
        links = [self._link] if self._next is None else [self._link, self._next]
        await asyncio.gather(*(link.close() for link in links), *self._retired)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
