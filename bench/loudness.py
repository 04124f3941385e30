"""What a caller's loudness costs: a recording made fainter or louder, as it comes to whoever transcribes.

Through noise suppression and voice activity, as in a session, by an 8 kHz line with µ-law codes or as it is. A caller
who is too loud is clipped before anybody can do anything about it.
"""

from __future__ import annotations

import asyncio

import jiwer
import numpy as np

from bench.echo import LINES, as_pcm, as_samples, fail, transcript
from bench.lib import print_table
from providers.noise.webrtc import WebRtc
from providers.stt.moonshine import Moonshine
from providers.vad.silero import Silero
from session.aio.ear import Ear
from session.events import Heard
from tests.recordings import TWO_CITIES as RECORDING
from tests.recordings import plain

RATE_HZ = 16_000
LOUDER_DB = (0, -10, -20, -30, 20, 30)
NOISE_DBFS = (-60, -50, -40)


class Caller:
    def __init__(self, silero: Silero, *, automatic_gain: bool) -> None:
        self.voiced_ms = self._heard_ms = 0
        self._more = asyncio.Event()
        self._ear = Ear(
            input_rate_hz=RATE_HZ,
            stt_rate_hz=RATE_HZ,
            vad=silero,
            noise=WebRtc(),
            clock_ms=lambda: 0,
            post=self._hear,
            trouble=fail,
            automatic_gain=automatic_gain,
        )

    async def say(self, pcm: bytes) -> bytes:
        """What whoever transcribes is given."""
        running, heard = asyncio.create_task(self._ear.run()), bytearray()
        self._ear.feed_to(heard.extend, again=False)
        for at in range(0, len(pcm), 640):
            await self._ear.push(pcm[at : at + 640])
        while self._heard_ms < len(pcm) // 32 - 100:
            self._more.clear()
            await self._more.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        self._ear.close()
        return bytes(heard)

    def _hear(self, heard: Heard) -> None:
        self._heard_ms += heard.span_ms
        self.voiced_ms += heard.span_ms * (heard.probability >= 0.5)
        self._more.set()


def pink(duration_ms: int, dbfs: float) -> bytes:
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(duration_ms * 16))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))))
    return as_pcm(noise / np.sqrt(np.mean(noise**2)) * 32_768 * 10 ** (dbfs / 20))


async def main() -> None:
    silero, stt = Silero(), Moonshine()
    await silero.warm_up()
    await stt.warm_up()
    rows: list[tuple[object, ...]] = []
    for name, line in LINES.items():
        for by_db in LOUDER_DB:
            for automatic_gain in (False, True):
                caller = Caller(silero, automatic_gain=automatic_gain)
                pcm = line().carry(as_pcm(as_samples(RECORDING.pcm()) * 10 ** (by_db / 20)))
                heard, said = await caller.say(pcm), []
                for phrase in RECORDING.phrases:
                    part = heard[(phrase.start_ms - 200) * 32 : (phrase.end_ms + 300) * 32]
                    said.append(await transcript(stt, part))
                wer = jiwer.wer(plain(RECORDING.text), plain(" ".join(said)))
                speech = as_samples(heard[(phrase.start_ms) * 32 : phrase.end_ms * 32])
                dbfs = 10 * np.log10(np.mean(speech**2) / 2**30 + 1e-12)
                on = "on" if automatic_gain else "off"
                rows.append((name, f"{by_db:+} dB", on, f"{dbfs:.0f}", f"{caller.voiced_ms / 1000:.1f}", f"{wer:.2f}"))
    print_table(("line", "caller", "gain", "given, dBFS", "voiced, s", "WER"), rows)
    print()
    noises = []
    for dbfs in NOISE_DBFS:
        caller = Caller(silero, automatic_gain=True)
        given = as_samples(await caller.say(pink(60_000, dbfs)))
        noises.append((dbfs, caller.voiced_ms, f"{10 * np.log10(np.mean(given**2) / 2**30 + 1e-12):.0f}"))
    print_table(("a minute of pink noise, dBFS", "voiced, ms", "given, dBFS"), noises)
    await silero.aclose()
    await stt.aclose()


if __name__ == "__main__":
    asyncio.run(main())
