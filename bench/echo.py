"""What echo cancellation is worth: a caller over the echo of the agent's voice, at a session's ear, faster than life.

The agent tells a story; a phone returns it 200 ms later, so many dB fainter, from a small room. The caller listens for
two or eight seconds and then speaks. The agent falls silent when 200 ms of voice were heard, as a session does.

Then callers who say nothing for ten minutes; and one without an echo, over whose words the agent begins again and
again.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

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
LISTENS_MS = (2_000, 8_000)
SILENT_MS = 600_000
PAUSE_AFTER_MS = 200
SOON_MS = 500
LOUDER = 3.0
"""The caller, 10 dB above the recording: as loud at the microphone as people speak into one."""

Samples = NDArray[np.float64]


@dataclass(slots=True)
class Result:
    """``stop_ms``: from the caller's first sound to 200 ms of voice; None when that was never heard. Before it,
    ``false_ms`` of echo were taken for voice, and so often 200 ms of it in a row."""

    false_ms: int
    false_pauses: int
    stop_ms: int | None
    said: bytes


def as_pcm(samples: Samples) -> bytes:
    pcm: bytes = np.rint(samples).clip(-32_768, 32_767).astype("<i2").tobytes()
    return pcm


def as_samples(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


class Wide:
    def carry(self, pcm: bytes) -> bytes:
        return pcm


class Telephone:
    """Through 8 kHz and µ-law, and back to 16 kHz: 6 ms later."""

    def __init__(self) -> None:
        self._down, self._up = Resampler(RATE_HZ, 8_000), Resampler(8_000, RATE_HZ)

    def carry(self, pcm: bytes) -> bytes:
        narrow = self._down.process(pcm)
        return self._up.process(decode(encode(narrow, "mulaw"), "mulaw"))


def room() -> Samples:
    noise = np.random.default_rng(1).standard_normal(RATE_HZ // 8)
    response: Samples = noise * np.exp(-np.arange(len(noise)) / 400) * 0.15
    response[0] = 1.0
    return response


def fail(part: str, error: Exception) -> None:
    raise RuntimeError(part) from error


class Call:
    """One caller at one ear. The echo is made frame by frame, of what was played by then."""

    def __init__(
        self,
        vad: VoiceActivity,
        noise: WebRtc,
        canceller: Aec3 | None,
        below_db: float | None,
        delay_ms: int = DELAY_MS,
    ) -> None:
        self.now_ms = 100_000
        self.echo = None
        if canceller is not None:
            rates = {"input_rate_hz": RATE_HZ, "output_rate_hz": RATE_HZ}
            self.echo = EchoCancellation(canceller, **rates, trouble=fail)
        self.ear = Ear(
            input_rate_hz=RATE_HZ,
            stt_rate_hz=RATE_HZ,
            vad=vad,
            noise=noise,
            clock_ms=lambda: self.now_ms,
            post=self._hear,
            trouble=fail,
            echo=self.echo,
        )
        self._gain = 0.0 if below_db is None else 10 ** (-below_db / 20)
        self._hearing = Hearing()
        self._delay = delay_ms * 16
        self.known_ms: int | None = None
        self.voiced_ms = 0
        self._voiced_in_a_row_ms = 0
        self._pauses = 0
        self._heard_ms = 0
        self._has_heard = asyncio.Event()

    async def run(
        self, story: Samples, caller: Samples, line: Wide | Telephone, listens_ms: int, *, stops: bool = True
    ) -> Result:
        running, said = asyncio.create_task(self.ear.run()), bytearray()
        at_ms, false_ms, pauses, stop_ms, played = 0, 0, 0, None, np.zeros(len(story) + len(caller))
        total = listens_ms * 16 + len(caller)
        for at in range(0, total - FRAME, FRAME):
            at_ms = at // 16
            if at_ms == listens_ms - 400:
                self.ear.feed_to(said.extend, again=False)
            if at_ms == listens_ms:
                false_ms, pauses, self.voiced_ms = self.voiced_ms, self._pauses, 0
            if stop_ms is None:
                played[at : at + FRAME] = story[at : at + FRAME]
                if self.echo is not None:
                    self.echo.sent(as_pcm(story[at : at + FRAME]), self.now_ms)
            mixed = self._returned(played, at)
            if at_ms >= listens_ms:
                mixed = mixed + caller[at - listens_ms * 16 :][:FRAME]
            self.now_ms += 20
            await self.ear.push(line.carry(as_pcm(mixed)))
            while self._heard_ms < at_ms - 100:
                self._has_heard.clear()
                await self._has_heard.wait()
            if self.known_ms is None and self.echo is not None and self.echo.found is not None:
                self.known_ms = at_ms + 20
            if stops and at_ms >= listens_ms and stop_ms is None and self.voiced_ms >= PAUSE_AFTER_MS:
                stop_ms = at_ms + 20 - listens_ms
                if self.echo is not None:
                    self.echo.cut(self.now_ms)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        self.ear.close()
        return Result(false_ms, pauses, stop_ms, bytes(said))

    def _returned(self, played: Samples, at: int) -> Samples:
        end, reach = at + FRAME - self._delay, len(ROOM) + FRAME
        heard = np.zeros(reach)
        if end > 0:
            heard[max(0, reach - end) :] = played[max(0, end - reach) : end]
        echo: Samples = np.convolve(heard, ROOM)[len(ROOM) : len(ROOM) + FRAME] * self._gain
        return echo

    def _hear(self, heard: Heard) -> None:
        self._hearing.hear(heard)
        self._heard_ms += heard.span_ms
        self._has_heard.set()
        self.voiced_ms += heard.span_ms * self._hearing.voiced_now
        before_ms = self._voiced_in_a_row_ms
        self._voiced_in_a_row_ms = (before_ms + heard.span_ms) * self._hearing.voiced_now
        self._pauses += before_ms < PAUSE_AFTER_MS <= self._voiced_in_a_row_ms


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
    for sentence in STORY:
        async for chunk in piper.synthesise(sentence, SpeechOptions()):
            pcm += converted.process(chunk.pcm)
    return as_samples(pcm)


def spoken(sentence: Sentence) -> Samples:
    pcm = RECORDING.pcm(from_ms=sentence.start_ms, to_ms=sentence.end_ms)
    return np.concatenate([as_samples(pcm) * LOUDER, np.zeros(RATE_HZ * 6 // 10)])


LINES: dict[str, type[Wide | Telephone]] = {"wide": Wide, "telephone": Telephone}


class Bench:
    """The parts, loaded once."""

    def __init__(self) -> None:
        self.silero, self.noise, self.aec3, self.stt, self.piper = Silero(), WebRtc(), Aec3(), Moonshine(), Piper()

    async def __aenter__(self) -> Self:
        for part in (self.silero, self.noise, self.aec3, self.stt, self.piper):
            await part.warm_up()
        self.story = await story_of(self.piper)
        return self

    async def __aexit__(self, *_: object) -> None:
        for part in (self.silero, self.noise, self.aec3, self.stt, self.piper):
            await part.aclose()

    async def break_in(
        self, line: str, below_db: float | None, *, cancelled: bool, listens_ms: int, sentences: tuple[Sentence, ...]
    ) -> tuple[object, ...]:
        results, said = [], []
        for number, sentence in enumerate(sentences):
            call = Call(self.silero, self.noise, self.aec3 if cancelled else None, below_db)
            story = self.story[number * 5 * RATE_HZ :]
            results.append(await call.run(story, spoken(sentence), LINES[line](), listens_ms))
            said.append(await transcript(self.stt, results[-1].said))
        expected = plain(" ".join(sentence.text for sentence in sentences))
        stops = [float(result.stop_ms) for result in results if result.stop_ms is not None]
        return (
            line,
            "none" if below_db is None else f"-{below_db:g} dB",
            "aec3" if cancelled else "-",
            f"{listens_ms // 1000} s",
            f"{sum(result.false_ms for result in results) * 100 / (len(results) * listens_ms):.0f} %",
            f"{percentile(stops, 50):.0f}" if stops else "-",
            f"{sum(stop <= SOON_MS for stop in stops)} of {len(results)}",
            f"{jiwer.wer(expected, plain(' '.join(said))):.2f}",
        )

    async def silent(self, line: str, below_db: float | None, delay_ms: int, for_ms: int) -> tuple[object, ...]:
        call = Call(self.silero, self.noise, self.aec3, below_db, delay_ms)
        told = np.tile(self.story, for_ms * 16 // len(self.story) + 1)
        result = await call.run(told, np.zeros(RATE_HZ), LINES[line](), for_ms)
        echo = "none" if below_db is None else f"-{below_db:g} dB"
        return line, echo, delay_ms, for_ms // 1000, call.known_ms, result.false_ms, result.false_pauses

    async def interrupted_all_the_time(self, line: str, *, cancelled: bool) -> tuple[object, ...]:
        """The whole recording, and no echo. The agent begins after each phrase, and speaks until 500 ms into the
        next."""
        call, lead_ms = Call(self.silero, self.noise, self.aec3 if cancelled else None, None), 400
        caller = as_samples(RECORDING.pcm())
        story, own_ms = np.zeros(len(caller) + lead_ms * 16), 0
        for phrase, following in pairwise(RECORDING.phrases):
            begins_ms, ends_ms = phrase.end_ms + lead_ms + 300, following.start_ms + lead_ms + 500
            story[begins_ms * 16 : ends_ms * 16] = self.story[own_ms * 16 : (own_ms + ends_ms - begins_ms) * 16]
            own_ms += ends_ms - begins_ms
        result = await call.run(story, caller, LINES[line](), lead_ms, stops=False)
        said = []
        for phrase in RECORDING.phrases:
            from_ms, to_ms = phrase.start_ms + lead_ms - 200, phrase.end_ms + lead_ms + 300
            said.append(await transcript(self.stt, result.said[from_ms * 32 : to_ms * 32]))
        wer = jiwer.wer(plain(RECORDING.text), plain(" ".join(said)))
        spoken_ms = 0
        if call.known_ms is not None:
            frames = story[: call.known_ms * 16 // FRAME * FRAME].reshape(-1, FRAME)
            spoken_ms = 20 * int((np.abs(frames).max(axis=1) > 0).sum())
        return line, "aec3" if cancelled else "-", call.known_ms or "-", spoken_ms or "-", call.voiced_ms, f"{wer:.2f}"


def cost_us() -> float:
    """Of 10 ms of both sides, over a line that echoes: the median of a thousand."""
    echo = EchoCancellation(Aec3(), input_rate_hz=RATE_HZ, output_rate_hz=RATE_HZ, trouble=fail)
    speech, took = RECORDING.pcm(from_ms=1_200, to_ms=21_200), []
    for number, at in enumerate(range(0, len(speech) - 640, 640)):
        frame = speech[at : at + 640]
        echo.sent(frame, 20 * number)
        began_s = time.perf_counter()
        echo.clean(frame, 20 * number + 20)
        took.append((time.perf_counter() - began_s) * 5e5)
    echo.close()
    return float(np.median(took))


async def main() -> None:
    ways = ((10.0, 200), (10.0, 400), (18.0, 60))
    async with Bench() as bench:
        break_ins = [
            await bench.break_in(line, below_db, cancelled=cancelled, listens_ms=listens_ms, sentences=TWO_CITIES[:10])
            for line in LINES
            for below_db in (None, 10.0, 18.0, 25.0)
            for listens_ms in LISTENS_MS
            for cancelled in (False, True)
            if cancelled or listens_ms == LISTENS_MS[-1]
        ]
        head = ("line", "echo", "cancelled", "listens", "taken for voice", "stop p50 ms", "within 500 ms", "WER")
        print_table(head, break_ins)
        print()
        over = [await bench.interrupted_all_the_time(line, cancelled=each) for line in LINES for each in (False, True)]
        print_table(("no echo", "cancelled", "known, ms", "of our voice, ms", "voiced, ms", "WER"), over)
        print()
        silent = [await bench.silent(line, None, 0, 10_000) for line in LINES]
        silent += [await bench.silent(line, *way, SILENT_MS) for line in LINES for way in ways]
        columns = ("silent", "echo", "delay ms", "for s", "known, ms", "taken for voice, ms", "200 ms in a row")
        print_table(columns, silent)
    print(f"\naec3 and the way of the echo, 10 ms of both sides: {cost_us():.0f} µs")


if __name__ == "__main__":
    asyncio.run(main())
