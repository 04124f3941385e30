"""A recorded person talks over WebRTC to a server with the embedded models, also through a bad network."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from aiortc import RTCPeerConnection

from providers import create
from providers.api import SpeechToText
from providers.resample import Resampler
from tests.e2e.at_the_ear import recognised
from tests.recordings import BECKETT, word_error_rate
from tests.rtc_caller import RtcCaller, calling
from tests.server import ServerHandle

pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def understanding() -> AsyncIterator[SpeechToText]:
    stt: SpeechToText = await asyncio.to_thread(create, "stt", "moonshine")
    try:
        yield stt
    finally:
        await stt.aclose()


async def talk(caller: RtcCaller, phrases: int) -> str:
    """Say some phrases and wait for the reply to each; returns what the server understood."""
    await caller.until_message("ready")
    for number in range(phrases):
        caller.microphone.say(await asyncio.to_thread(BECKETT.phrase, number, 48_000))
        await caller.until_message("reply", number + 1, event="done")
    return " ".join(message["text"] for message in caller.of("transcript", final=True))


def spoken(phrases: int) -> str:
    return " ".join(phrase.text for phrase in BECKETT.phrases[:phrases])


def hold_up(peer: RTCPeerConnection, fate: Callable[[], float | None]) -> None:
    """Each packet of audio is sent after so many seconds, or lost."""
    transport: Any = peer.getTransceivers()[0].sender.transport
    send, loop = transport._send_rtp, asyncio.get_running_loop()
    sending: set[asyncio.Task[None]] = set()

    async def later(data: bytes) -> None:
        delay_s = fate()
        is_rtcp = 192 <= data[1] <= 223
        if is_rtcp or delay_s == 0:
            await send(data)
        elif delay_s is not None:
            loop.call_later(delay_s, lambda: sending.add(asyncio.ensure_future(send(data))))

    transport._send_rtp = later


async def test_what_is_said_is_understood_and_what_is_answered_is_heard(echo_server: ServerHandle) -> None:
    async with understanding() as stt, calling(echo_server.base_url) as caller:
        await caller.join()
        understood = await talk(caller, 3)
        heard = Resampler(48_000, 16_000).process(caller.heard())
        answered = await recognised(stt, heard)

    assert word_error_rate(spoken(3), understood) <= 0.3
    assert word_error_rate(spoken(3), answered) <= 0.35


async def test_a_network_that_loses_delays_and_reorders_is_ridden_out(echo_server: ServerHandle) -> None:
    chance = random.Random(7)

    def fate() -> float | None:
        if chance.random() < 0.03:
            return None
        return 0.05 if chance.random() < 0.05 else 0.0

    async with calling(echo_server.base_url) as caller, httpx2.AsyncClient(base_url=echo_server.base_url) as http:
        await caller.join()
        await caller.connected()
        hold_up(caller.peer, fate)
        understood = await talk(caller, 6)
        metrics = (await http.get("/metrics")).text

    dropped = [line for line in metrics.splitlines() if line.startswith('audio_dropped_frames_total{direction="in"}')]
    assert word_error_rate(spoken(6), understood) <= 0.4
    assert float(dropped[0].split()[1]) > 0
