"""What echo cancellation is worth: a caller over the echo of the agent's voice, at a session's ear, faster than life.

The agent tells a story; a phone returns it 200 ms later, so many dB fainter, from a small room. The caller listens for
four seconds and then speaks. The agent falls silent when 200 ms of voice were heard, as a session does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import jiwer
import numpy as np
from numpy.typing import NDArray

from bench.lib import percentile, print_table
from bench.recordings import TWO_CITIES, Sentence
from providers.agent.demo import STORY
from providers.api import SpeechOptions, VoiceActivity
from providers.audio import decode, encode
from providers.echo.aec3 import Aec3
from providers.noise.webrtc import WebRtc
from providers.resample import Resampler
from providers.stt.moonshine import Moonshine
from providers.tts.piper import Piper
from providers.vad.silero import Silero
from session.aio.ear import Ear
from session.aio.echo_cancellation import EchoCancellation
from session.endpointing import Hearing
from session.events import Heard
from tests.recordings import TWO_CITIES as RECORDING
from tests.recordings import plain

RATE_HZ = 16_000
FRAME = 320
DELAY_MS = 200
LISTENS_MS = 4_000
PAUSE_AFTER_MS = 200
LOUDER = 3.0
"""The caller, 10 dB above the recording: as loud at the microphone as people speak into one."""

Samples = NDArray[np.float64]


@dataclass(slots=True)
class Result:
    """``stop_ms``: from the caller's first sound to 200 ms of voice; None when that was never heard."""

    false_ms: int
    stop_ms: int | None
    said: bytes


def as_pcm(samples: Samples) -> bytes:
    pcm: bytes = np.rint(samples).clip(-32_768, 32_767).astype("<i2").tobytes()
    return pcm


def as_samples(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def telephone(pcm: bytes) -> bytes:
    """Through 8 kHz and µ-law, and back to 16 kHz."""
    narrow = Resampler(RATE_HZ, 8_000).process(pcm, last=True)
    return Resampler(8_000, RATE_HZ).process(decode(encode(narrow, "mulaw"), "mulaw"), last=True)[: len(pcm)]


def room() -> Samples:
    noise = np.random.default_rng(1).standard_normal(RATE_HZ // 8)
    response: Samples = noise * np.exp(-np.arange(len(noise)) / 400) * 0.15
    response[0] = 1.0
    return response


class Call:
    """One caller at one ear. The echo is made frame by frame, of what was played by then."""

    def __init__(self, vad: VoiceActivity, noise: WebRtc, canceller: Aec3 | None, below_db: float | None) -> None:
        self.now_ms = 100_000
        self.echo = None
        if canceller is not None:
            rates = {"input_rate_hz": RATE_HZ, "output_rate_hz": RATE_HZ}
            self.echo = EchoCancellation(canceller, **rates, trouble=self._fail)
        self.ear = Ear(
            input_rate_hz=RATE_HZ,
            stt_rate_hz=RATE_HZ,
            vad=vad,
            noise=noise,
            clock_ms=lambda: self.now_ms,
            post=self._hear,
            trouble=self._fail,
            echo=self.echo,
        )
        self._gain = 0.0 if below_db is None else 10 ** (-below_db / 20)
        self._hearing = Hearing()
        self._voiced_ms = 0
        self._heard_ms = 0
        self._has_heard = asyncio.Event()

    async def run(self, story: Samples, caller: Samples, line: Callable[[bytes], bytes]) -> Result:
        running, said = asyncio.create_task(self.ear.run()), bytearray()
        at_ms, false_ms, stop_ms, played = 0, 0, None, np.zeros(len(story) + len(caller))
        total = LISTENS_MS * 16 + len(caller)
        for at in range(0, total - FRAME, FRAME):
            at_ms = at // 16
            if at_ms == LISTENS_MS - 400:
                self.ear.feed_to(said.extend, again=False)
            if at_ms == LISTENS_MS:
                false_ms, self._voiced_ms = self._voiced_ms, 0
            if stop_ms is None:
                played[at : at + FRAME] = story[at : at + FRAME]
                if self.echo is not None:
                    self.echo.sent(as_pcm(story[at : at + FRAME]), self.now_ms)
            mixed = self._returned(played, at)
            if at_ms >= LISTENS_MS:
                mixed = mixed + caller[at - LISTENS_MS * 16 :][:FRAME]
            self.now_ms += 20
            await self.ear.push(line(as_pcm(mixed)))
            while self._heard_ms < at_ms - 80:
                self._has_heard.clear()
                await self._has_heard.wait()
            if at_ms >= LISTENS_MS and stop_ms is None and self._voiced_ms >= PAUSE_AFTER_MS:
                stop_ms = at_ms + 20 - LISTENS_MS
                if self.echo is not None:
                    self.echo.cut(self.now_ms)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        self.ear.close()
        return Result(false_ms, stop_ms, bytes(said))

    def _returned(self, played: Samples, at: int) -> Samples:
        end, reach = at + FRAME - DELAY_MS * 16, len(ROOM) + FRAME
        heard = np.zeros(reach)
        if end > 0:
            heard[max(0, reach - end) :] = played[max(0, end - reach) : end]
        echo: Samples = np.convolve(heard, ROOM)[len(ROOM) : len(ROOM) + FRAME] * self._gain
        return echo

    def _hear(self, heard: Heard) -> None:
        self._hearing.hear(heard)
        self._heard_ms += heard.span_ms
        self._has_heard.set()
        self._voiced_ms += heard.span_ms * self._hearing.voiced_now

    @staticmethod
    def _fail(part: str, error: Exception) -> None:
        raise RuntimeError(part) from error


ROOM = room()


async def transcript(stt: Moonshine, pcm: bytes) -> str:
    stream, text = stt.open(), ""
    stream.feed(pcm)
    stream.finalise()
    async for said in stream:
        if said.final:
            text = said.text
            break
    await stream.aclose()
    return text


async def story_of(piper: Piper) -> Samples:
    pcm, converted = b"", Resampler(piper.rate_hz, RATE_HZ)
    for sentence in STORY[:8]:
        async for chunk in piper.synthesise(sentence, SpeechOptions()):
            pcm += converted.process(chunk.pcm)
    return as_samples(pcm)


def spoken(sentence: Sentence) -> Samples:
    pcm = RECORDING.pcm(from_ms=sentence.start_ms, to_ms=sentence.end_ms)
    return np.concatenate([as_samples(pcm) * LOUDER, np.zeros(RATE_HZ * 6 // 10)])


async def measure(sentences: tuple[Sentence, ...]) -> list[tuple[object, ...]]:
    piper, silero, noise, aec3, stt = Piper(), Silero(), WebRtc(), Aec3(), Moonshine()
    for part in (piper, silero, noise, aec3, stt):
        await part.warm_up()
    story = await story_of(piper)
    rows: list[tuple[object, ...]] = []
    lines: dict[str, Callable[[bytes], bytes]] = {"wide": bytes, "telephone": telephone}
    for name, line in lines.items():
        for below_db in (None, 10.0, 18.0):
            for canceller in (None, aec3):
                results, said = [], []
                for sentence in sentences:
                    call = Call(silero, noise, canceller, below_db)
                    results.append(await call.run(story, spoken(sentence), line))
                    said.append(await transcript(stt, results[-1].said))
                expected = plain(" ".join(sentence.text for sentence in sentences))
                stops = [float(result.stop_ms) for result in results if result.stop_ms is not None]
                rows.append(
                    (
                        name,
                        "none" if below_db is None else f"-{below_db:g} dB",
                        "aec3" if canceller else "-",
                        f"{sum(result.false_ms for result in results) * 100 / (len(results) * LISTENS_MS):.0f} %",
                        f"{percentile(stops, 50):.0f}" if stops else "-",
                        f"{len(stops)} of {len(results)}",
                        f"{jiwer.wer(expected, plain(' '.join(said))):.2f}",
                    )
                )
    for part in (piper, silero, noise, aec3, stt):
        await part.aclose()
    return rows


def cost_us() -> float:
    """Of 10 ms of both sides: the median of a thousand."""
    stream, took = Aec3().open(), []
    speech = RECORDING.pcm(from_ms=1_200, to_ms=11_200)
    for at in range(0, len(speech) - 320, 320):
        frame = speech[at : at + 320]
        began_s = time.perf_counter()
        stream.played(frame)
        stream.process(frame)
        took.append((time.perf_counter() - began_s) * 1e6)
    return float(np.median(took))


def main() -> None:
    rows = asyncio.run(measure(TWO_CITIES[:5]))
    print_table(("line", "echo", "cancelled", "taken for voice", "stop p50 ms", "heard", "WER"), rows)
    print(f"\naec3, 10 ms of both sides: {cost_us():.0f} µs")


if __name__ == "__main__":
    main()
