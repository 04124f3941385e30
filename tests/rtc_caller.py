"""A WebRTC client for tests, on aiortc alone: it offers, talks, listens, and notes every message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any

import httpx2
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

__all__ = ("Microphone", "RtcCaller", "calling", "loudness")

RATE_HZ = 48_000
FRAME_SAMPLES = 960


def loudness(pcm: bytes) -> float:
    samples = np.frombuffer(pcm, np.int16).astype(np.float64)
    return float(np.sqrt((samples**2).mean())) if len(samples) else 0.0


class Microphone(MediaStreamTrack):
    """Frames of 20 ms in real time: what is to be said, else silence. Mono at 48 kHz, or stereo."""

    kind = "audio"

    def __init__(self, *, stereo: bool = False) -> None:
        super().__init__()
        self._to_say = bytearray()
        self._stereo = stereo
        self._sent = 0
        self._began_s = 0.0
        self.said = asyncio.Event()

    def say(self, pcm: bytes) -> None:
        """48 kHz mono."""
        self._to_say += pcm
        self.said.clear()

    async def recv(self) -> AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        self._began_s = self._began_s or loop.time()
        await asyncio.sleep(max(0.0, self._began_s + self._sent * 0.02 - loop.time()))
        pcm = bytes(self._to_say[: 2 * FRAME_SAMPLES]).ljust(2 * FRAME_SAMPLES, b"\0")
        del self._to_say[: 2 * FRAME_SAMPLES]
        if not self._to_say:
            self.said.set()
        samples = np.frombuffer(pcm, np.int16)
        layout = "stereo" if self._stereo else "mono"
        frame = AudioFrame.from_ndarray(
            np.repeat(samples, 2)[None, :] if self._stereo else samples[None, :], format="s16", layout=layout
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._sent * FRAME_SAMPLES, Fraction(1, RATE_HZ)
        self._sent += 1
        return frame


class RtcCaller:
    """``audio``: what came, 48 kHz mono, with the loop's time of each frame. ``peer``: other than aiortc's own."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        stereo: bool = False,
        channel: bool = True,
        peer: RTCPeerConnection | None = None,
    ) -> None:
        self.http = httpx2.AsyncClient(
            base_url=base_url, headers={} if token is None else {"Authorization": f"Bearer {token}"}
        )
        self.peer = peer or RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.microphone = Microphone(stereo=stereo)
        self.messages: list[dict[str, Any]] = []
        self.audio: list[tuple[float, bytes]] = []
        self.location = self.etag = self.session_id = ""
        self.channel: RTCDataChannel | None = None
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self.peer.addTrack(self.microphone)
        self.peer.on("track", self._listen)
        if channel:
            self.open_channel()

    def open_channel(self) -> None:
        self.channel = self.peer.createDataChannel("events")
        self.channel.on("message", self._take)

    async def offer(self) -> str:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return str(self.peer.localDescription.sdp)

    async def answered(self, sdp: str) -> None:
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def whip(self, **query: str) -> httpx2.Response:
        body, headers = await self.offer(), {"Content-Type": "application/sdp"}
        response = await self.http.post("/v1/webrtc", content=body, headers=headers, params=query)
        assert 201 == response.status_code, response.text
        self.location, self.etag = response.headers["location"], response.headers["etag"]
        self.session_id = self.location.rpartition("/")[2]
        await self.answered(response.text)
        return response

    async def join(self, status: int = 201, **fields: object) -> dict[str, Any]:
        """By JSON; the body of the answer."""
        offer = {"sdp": await self.offer(), "type": "offer", **fields}
        response = await self.http.post("/v1/webrtc", json=offer)
        assert status == response.status_code, response.text
        body: dict[str, Any] = response.json()
        self.session_id = body["session_id"]
        await self.answered(body["sdp"])
        return body

    async def send(self, type_: str, **fields: object) -> None:
        assert self.channel is not None
        self.channel.send(json.dumps({"type": type_, **fields}))

    async def until(self, found: Callable[[RtcCaller], bool]) -> None:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: found(self))

    async def until_message(self, type_: str, count: int = 1, **fields: object) -> dict[str, Any]:
        await self.until(lambda caller: len(caller.of(type_, **fields)) >= count)
        return self.of(type_, **fields)[count - 1]

    def of(self, type_: str, **fields: object) -> list[dict[str, Any]]:
        return [each for each in self.messages if each["type"] == type_ and fields.items() <= each.items()]

    async def until_loud(self) -> None:
        """Until the next frame that is no silence, of those that come from now on."""
        before = len(self.audio)
        await self.until(lambda caller: any(loudness(pcm) > 500 for _, pcm in caller.audio[before:]))

    def heard(self) -> bytes:
        return b"".join(pcm for _, pcm in self.audio)

    async def connected(self) -> None:
        async with asyncio.timeout(10):
            while self.peer.connectionState != "connected":  # noqa: ASYNC110 - the event may have gone by
                await asyncio.sleep(0.01)

    async def vanish(self) -> None:
        """As a client that lost its network: nothing more is sent or answered."""
        transport = self.peer.getTransceivers()[0].sender.transport.transport
        for protocol in transport._connection._protocols:
            protocol.transport.abort()

    async def close(self) -> None:
        await self.peer.close()
        await self.http.aclose()
        for task in self._tasks:
            task.cancel()

    def _listen(self, track: MediaStreamTrack) -> None:
        self._tasks.add(asyncio.create_task(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame)
                self.audio.append((loop.time(), frame.to_ndarray().reshape(-1)[::2].tobytes()))
                await self._notify()
        except MediaStreamError:
            pass

    def _take(self, text: str) -> None:
        self.messages.append(json.loads(text))
        self._tasks.add(asyncio.create_task(self._notify()))

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def calling(base_url: str, **options: Any) -> AsyncIterator[RtcCaller]:
    caller = RtcCaller(base_url, **options)
    try:
        yield caller
    finally:
        await caller.close()
