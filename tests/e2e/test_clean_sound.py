"""A tone through the whole way out, measured where it is heard: no click, no sample lost or repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from providers.api import SpeechChunk, SpeechOptions
from tests.caller import calling as on_a_socket
from tests.rtc_caller import calling as on_a_peer_connection
from tests.rtc_caller import loudness
from tests.server import RunningServer, running

FREQUENCY_HZ = 700
SPOKEN_S = 4
PEAK = 10_000
EDGE_MS = 40
"""Where the tone begins and ends a filter rings, and Opus finds its feet."""


class BurstyVoice:
    """Says a tone, whatever the text: a second of it at once and then nothing for a while, in pieces of any length."""

    name = "bursty"

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz

    async def warm_up(self) -> None:
        pass

    async def synthesise(self, text: str, options: SpeechOptions) -> AsyncGenerator[SpeechChunk, None]:
        at = np.arange(SPOKEN_S * self.rate_hz)
        pcm = (PEAK * np.sin(2 * np.pi * FREQUENCY_HZ * at / self.rate_hz)).astype("<i2").tobytes()
        sent, pieces, next_pause = 0, (1, 7, 331, 4_801, 2_048, 13), self.rate_hz
        while sent < len(pcm):
            for samples in pieces:
                yield SpeechChunk(pcm[sent : sent + 2 * samples])
                sent += 2 * samples
            if sent >= 2 * next_pause:
                next_pause += self.rate_hz
                await asyncio.sleep(0.25)

    async def aclose(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Measured:
    """``noise``: of the worst 20 ms, beside the tone's own level. ``slip_ms``: how far its phase ever is from where an
    unbroken tone has it."""

    heard_s: float
    noise: float
    slip_ms: float


def measured(samples: NDArray[np.int16], rate_hz: int) -> Measured:
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > PEAK // 2)
    tone = samples[loud[0] : loud[-1] + 1].astype(np.float64)
    edge, window = rate_hz * EDGE_MS // 1_000, rate_hz // 50
    steady = tone[edge:-edge]
    steady = steady[: len(steady) // window * window].reshape(-1, window)
    time_s = np.arange(steady.size).reshape(steady.shape) / rate_hz
    turn = 2 * np.pi * FREQUENCY_HZ * time_s[0]
    waves = np.stack([np.sin(turn), np.cos(turn)], axis=1)
    fitted = steady @ np.linalg.pinv(waves).T
    level = np.hypot(*fitted.T)
    noise = np.sqrt(((steady - fitted @ waves.T) ** 2).mean(axis=1)) / level
    phase = np.unwrap(np.arctan2(fitted[:, 1], fitted[:, 0]))  # a window holds a whole number of waves
    slip_s = np.abs(phase - np.median(phase)).max() / (2 * np.pi * FREQUENCY_HZ)
    return Measured(len(tone) / rate_hz, float(noise.max()), float(slip_s * 1_000))


def speak_with(server: RunningServer, voice: BurstyVoice) -> None:
    server.edge.calls._parts = replace(server.edge.parts, tts=voice)


@pytest.mark.parametrize(("voice_hz", "output_hz"), [(22_050, 24_000), (16_000, 48_000), (24_000, 8_000)])
async def test_by_websocket_a_tone_stays_a_tone(voice_hz: int, output_hz: int) -> None:
    output = {"encoding": "pcm_s16le", "sample_rate": output_hz}
    async with running() as server, on_a_socket(server.ws_url) as caller:
        speak_with(server, BurstyVoice(voice_hz))
        await caller.start(output=output)
        await caller.converse("hum")
        heard = measured(np.frombuffer(bytes(caller.audio), np.int16), output_hz)

    assert SPOKEN_S == pytest.approx(heard.heard_s, abs=0.002)
    assert heard.noise < 0.001
    assert heard.slip_ms < 0.005


@pytest.mark.parametrize("voice_hz", [22_050, 16_000])
async def test_by_webrtc_a_tone_stays_a_tone(voice_hz: int) -> None:
    async with running(webrtc={"addresses": ["127.0.0.1"]}) as server, on_a_peer_connection(server.base_url) as caller:
        speak_with(server, BurstyVoice(voice_hz))
        await caller.join()
        await caller.until_message("ready")
        await caller.send("text", text="hum")
        await caller.until_loud()
        await caller.until(lambda caller: loudness(caller.audio[-1][1]) < 1)
        heard = measured(np.frombuffer(caller.heard(), np.int16), 48_000)

    assert SPOKEN_S == pytest.approx(heard.heard_s, abs=0.008)
    assert heard.noise < 0.03
    assert heard.slip_ms < 0.02
