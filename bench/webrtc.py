"""What a call over WebRTC costs, against as many peers of aiortc alone that send back what they hear; how soon it
stands, and how long the server holds the audio.

Each has a process of its own. The callers are the same: a tone in Opus, encoded beforehand, and an ear that looks at
nothing. The server has no model but an energy detector, and an agent that says a tone for half of the time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import psutil
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from av.packet import Packet

from app.transports.webrtc.voice import OpusEncoder, take_packets
from bench.lib import ROOT, free_port, percentile, print_table, running_server, write_json

ALONE = RTCConfiguration(iceServers=[])
SETTLE_S = 3.0
LIGHT = {
    "stt__provider": "fixed",
    "tts__provider": "tone",
    "tts__options": '{"duration_ms": 2000}',
    "vad__provider": "energy",
    "echo__provider": "none",
    "noise__provider": "none",
    "agent__provider": "echo",
    "webrtc__addresses": "127.0.0.1",
    "webrtc__shared_port": "0",
}


class _Hum(MediaStreamTrack):
    kind = "audio"

    def __init__(self, packets: list[bytes]) -> None:
        super().__init__()
        self._packets = packets
        self._sent = 0
        self._began_s = 0.0

    async def recv(self) -> Any:
        now_s = asyncio.get_running_loop().time()
        self._began_s = self._began_s or now_s
        await asyncio.sleep(max(0.0, self._began_s + self._sent * 0.02 - now_s))
        packet: Any = Packet(self._packets[self._sent % len(self._packets)])
        packet.pts, packet.time_base = self._sent * 960, Fraction(1, 48_000)
        self._sent += 1
        return packet


class _Back(MediaStreamTrack):
    kind = "audio"

    def __init__(self, source: MediaStreamTrack) -> None:
        super().__init__()
        self._source = source

    async def recv(self) -> Any:
        return await self._source.recv()


def hum() -> list[bytes]:
    """Four seconds: one that is loud, and three in which the agent answers for two."""
    encoder = OpusEncoder(48_000, complexity=0)
    wave = 8_000 * np.sin(2 * np.pi * 300 * np.arange(960) / 48_000)
    loud, silent = wave.astype("<i2").tobytes(), bytes(1_920)
    return [encoder.encode(loud if at < 50 else silent) for at in range(200)]


async def call(http: httpx2.AsyncClient, packets: list[bytes]) -> tuple[RTCPeerConnection, float]:
    """A caller that talks, and how many ms it took from its offer to the first packet it heard."""
    peer = RTCPeerConnection(ALONE)
    peer.addTrack(_Hum(packets))
    peer.createDataChannel("events")
    heard = asyncio.Event()
    take_packets(peer.getReceivers()[0], lambda _: heard.set())
    await peer.setLocalDescription(await peer.createOffer())
    began_s = time.monotonic()
    answer = await http.post("/v1/webrtc", json={"sdp": peer.localDescription.sdp, "type": "offer"})
    await peer.setRemoteDescription(RTCSessionDescription(answer.raise_for_status().json()["sdp"], "answer"))
    await asyncio.wait_for(heard.wait(), 20)
    return peer, (time.monotonic() - began_s) * 1000


async def load(base_url: str, callers: int, pid: int, seconds: float) -> dict[str, float]:
    packets = hum()
    process = psutil.Process(pid)
    async with httpx2.AsyncClient(base_url=base_url, timeout=30) as http:
        called = [await call(http, packets) for _ in range(callers)]
        await asyncio.sleep(SETTLE_S)
        before, began_s = process.cpu_times(), time.monotonic()
        await asyncio.sleep(seconds)
        after, wall_s = process.cpu_times(), time.monotonic() - began_s
    cpu = (after.user + after.system - before.user - before.system) / wall_s
    await asyncio.gather(*(peer.close() for peer, _ in called))
    joins = [join_ms for _, join_ms in called]
    return {
        "cpu_percent_per_call": 100 * cpu / callers,
        "join_p50_ms": percentile(joins, 50),
        "join_max_ms": percentile(joins, 100),
    }


def delays(callers: int, seconds: float) -> dict[str, dict[str, float]]:
    """By another server of the same settings, since clocks cost time too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "delays.json")
        code = f"from bench.webrtc_delay import main; main({str(path)!r})"
        with running_server(code, **LIGHT, limits__max_sessions=str(callers + 5)) as server:
            asyncio.run(load(f"http://127.0.0.1:{server.port}", callers, server.pid, seconds))
        held: dict[str, list[float]] = json.loads(path.read_text("utf-8"))
    return {
        name: {"n": len(all_ms), **{f"p{percent}": percentile(all_ms, percent) for percent in (50, 95, 100)}}
        for name, all_ms in held.items()
    }


async def echo_alone(port: int) -> None:
    """A server of aiortc and nothing else that sends back what it hears."""
    import uvicorn  # noqa: PLC0415 - only this process serves
    from fastapi import FastAPI  # noqa: PLC0415 - as above

    peers: list[RTCPeerConnection] = []
    app = FastAPI()

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {}

    @app.post("/v1/webrtc")
    async def answer(offer: dict[str, str]) -> dict[str, str]:
        peer = RTCPeerConnection(ALONE)
        peers.append(peer)
        peer.on("track", lambda track: peer.addTrack(_Back(track)) and None)
        await peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return {"sdp": peer.localDescription.sdp}

    await uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", loop="uvloop")).serve()


@contextmanager
def alone() -> Iterator[tuple[str, int]]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.webrtc", "--alone", str(port)], cwd=ROOT)
    base_url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                httpx2.get(f"{base_url}/readyz")
            except httpx2.TransportError:
                time.sleep(0.1)
            else:
                break
        yield base_url, process.pid
    finally:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    logging.getLogger("aioice").setLevel(logging.WARNING)
    if given.alone:
        asyncio.run(echo_alone(given.alone))
        return
    with alone() as (base_url, pid):
        bare = asyncio.run(load(base_url, given.callers, pid, given.seconds))
    with running_server(**LIGHT, limits__max_sessions=str(given.callers + 5)) as server:
        base_url = f"http://127.0.0.1:{server.port}"
        ours = asyncio.run(load(base_url, given.callers, server.pid, given.seconds))
    held = delays(given.callers, given.seconds)
    results = {"aiortc alone": bare, "beluga-voice": ours}
    print_table(("", *bare), [(name, *figures.values()) for name, figures in results.items()])
    print()
    print_table(("held, ms", *held["in"]), [(name, *figures.values()) for name, figures in held.items()])
    write_json(given.json, {**results, "held_ms": held})


if __name__ == "__main__":
    main()
