"""Callers on loopback, and the server's side of an echo."""

from __future__ import annotations  # av.Packet is generic only for type checkers

import asyncio
import functools
from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Any

import numpy as np
from aiortc import MediaStreamTrack, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioCodecContext, AudioFormat, AudioFrame, AudioLayout
from av.frame import Frame
from av.packet import Packet

from app.transports.ice.network import Network, open_network
from app.transports.ice.peer import Peer, make_peer_connection
from app.transports.ice.servers import IceServer
from app.transports.ice.settings import NetworkSettings

RATE_HZ = 48_000
FRAME_SAMPLES = 960
LOOPBACK = NetworkSettings(addresses=("127.0.0.1",))


@functools.cache
def tone_packets(frequency_hz: int) -> tuple[bytes, ...]:
    """One second of Opus, 20 ms each."""
    time_s = np.arange(RATE_HZ) / RATE_HZ
    samples = (8_000 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.int16)
    encoder = AudioCodecContext.create("libopus", "w")
    encoder.format, encoder.layout, encoder.sample_rate = AudioFormat("s16"), AudioLayout("mono"), RATE_HZ
    encoder.options = {"compression_level": "0"}
    packets: list[bytes] = []
    for start in range(0, RATE_HZ, FRAME_SAMPLES):
        frame = AudioFrame.from_ndarray(samples[None, start : start + FRAME_SAMPLES], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, start
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return tuple(packets)


class Tone(MediaStreamTrack):
    """A tone for ever, on the loop's clock, encoded beforehand so that many callers cost little."""

    kind = "audio"

    def __init__(self, frequency_hz: int) -> None:
        super().__init__()
        self._packets = tone_packets(frequency_hz)
        self._sent = 0
        self._began_at = 0.0

    async def recv(self) -> Packet[Any]:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        self._began_at = self._began_at or loop.time()
        await asyncio.sleep(max(0.0, self._began_at + self._sent * 0.02 - loop.time()))
        packet: Packet[Any] = Packet(self._packets[self._sent % len(self._packets)])
        packet.pts = self._sent * FRAME_SAMPLES
        packet.time_base = Fraction(1, RATE_HZ)
        self._sent += 1
        return packet


class Echo(MediaStreamTrack):
    """Sends back what a remote track brings."""

    kind = "audio"

    def __init__(self, source: MediaStreamTrack) -> None:
        super().__init__()
        self._source = source

    async def recv(self) -> Frame | Packet[Any]:
        return await self._source.recv()


class Listener:
    """Takes a track's frames as they come."""

    def __init__(self, peer: Peer) -> None:
        self._frames: asyncio.Queue[AudioFrame] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None
        peer.on("track", self._listen)

    async def heard_hz(self, frames: int = 25) -> int:
        """The loudest frequency of the next frames, those before them dropped."""
        while not self._frames.empty():
            self._frames.get_nowait()
        heard = [(await self._frames.get()).to_ndarray().reshape(-1)[::2] for _ in range(frames)]
        spectrum = np.abs(np.fft.rfft(np.concatenate(heard)))
        return round(int(spectrum.argmax()) * RATE_HZ / (frames * FRAME_SAMPLES))

    def _listen(self, track: MediaStreamTrack) -> None:
        self._reading = asyncio.create_task(self._read(track))

    async def _read(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame)
                self._frames.put_nowait(frame)
        except MediaStreamError:
            pass


class Caller:
    """A peer that sends a tone and listens."""

    def __init__(self, network: Network, frequency_hz: int, servers: tuple[IceServer, ...] = ()) -> None:
        self.peer = make_peer_connection(network, servers)
        self.peer.addTrack(Tone(frequency_hz))
        self.ear = Listener(self.peer)

    async def call(self, answer: Callable[[str], Awaitable[str]]) -> None:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        answered = await answer(self.peer.localDescription.sdp)
        await self.peer.setRemoteDescription(RTCSessionDescription(answered, "answer"))

    async def heard_hz(self, frames: int = 25) -> int:
        return await self.ear.heard_hz(frames)

    async def close(self) -> None:
        await self.peer.close()


class Server:
    """Answers each offer with an echo, or with a tone of the pitch given for it."""

    def __init__(self, network: Network, servers: tuple[IceServer, ...] = (), pitches_hz: tuple[int, ...] = ()) -> None:
        self.network = network
        self.peers: list[Peer] = []
        self.ears: list[Listener] = []
        self._servers = servers
        self._pitches_hz = pitches_hz

    async def answer(self, offer: str) -> str:
        peer = make_peer_connection(self.network, self._servers)
        if self._pitches_hz:
            self.ears.append(Listener(peer))
            peer.addTrack(Tone(self._pitches_hz[len(self.peers)]))
        else:
            peer.on("track", lambda track: peer.addTrack(Echo(track)) and None)
        self.peers.append(peer)
        return await peer.answer(offer)

    async def close(self) -> None:
        await asyncio.gather(*(peer.close() for peer in self.peers))
        self.network.close()


async def closed(peer: Peer) -> None:
    """Waits until the peer connection has ended by itself."""
    over = asyncio.Event()
    peer.on("connectionstatechange", lambda: over.set() if peer.connectionState in ("failed", "closed") else None)
    if peer.connectionState not in ("failed", "closed"):
        await over.wait()


async def connected(peer: Peer) -> None:
    ready = asyncio.Event()
    peer.on("connectionstatechange", lambda: ready.set() if peer.connectionState == "connected" else None)
    if peer.connectionState != "connected":
        await ready.wait()


async def loopback() -> Network:
    return await open_network(LOOPBACK)
