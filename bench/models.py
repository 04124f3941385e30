"""What the local speech providers cost on this machine: ``python -m bench.models``.

Each line is least / median / most of some runs, so that the noise of the machine can be seen.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from providers.api import SpeechOptions
from providers.noise.webrtc import WebRtc
from providers.resample import Resampler
from providers.stt.moonshine import Moonshine
from providers.tts.piper import Piper
from providers.vad.energy import Energy
from providers.vad.silero import Silero
from tests.recordings import TWO_CITIES

RATES = [(8_000, 16_000), (16_000, 8_000), (48_000, 16_000), (16_000, 48_000)]
RATES_OF_PIPER = [(22_050, 8_000), (22_050, 16_000), (22_050, 24_000), (22_050, 48_000)]


def report(what: str, took_s: list[float], unit: str, per: int = 1) -> None:
    scale = {"µs": 1e6, "ms": 1e3}[unit] / per
    least, median, most = (scale * f(took_s) for f in (min, statistics.median, max))
    print(f"{what:44} {least:8.1f} {median:8.1f} {most:8.1f}  {unit}")


async def timed(runs: int, what: Callable[[], Awaitable[object]]) -> list[float]:
    took_s = []
    for _ in range(runs):
        began_s = time.perf_counter()
        await what()
        took_s.append(time.perf_counter() - began_s)
    return took_s


async def voice_activity() -> None:
    silero, energy = Silero(), Energy()
    await silero.warm_up()
    window = TWO_CITIES.pcm(from_ms=2_000, to_ms=2_032)
    streams = [silero.open() for _ in range(32)]
    for count in (1, 32):
        took_s = await timed(100, lambda n=count: asyncio.gather(*(s.detect(window) for s in streams[:n])))  # type: ignore[misc]  # the default binds the loop's variable
        report(f"silero, a window, {count} at once", took_s, "µs", per=count)
    quiet = bytes(1_024)
    await timed(20, lambda: streams[0].detect(quiet))
    report("silero, a window of a muted line", await timed(100, lambda: streams[0].detect(quiet)), "µs")
    stream = energy.open()
    report("energy, a window", await timed(100, lambda: stream.detect(window[:640])), "µs")
    await silero.aclose()


async def frames() -> None:
    noise = WebRtc().open()
    frame = TWO_CITIES.pcm(from_ms=2_000, to_ms=2_010)

    async def clean() -> None:
        noise.process(frame)

    report("webrtc, a frame of 10 ms", await timed(500, clean), "µs")
    for from_hz, to_hz in RATES + RATES_OF_PIPER:
        resampler = Resampler(from_hz, to_hz)
        piece = TWO_CITIES.pcm(from_hz, from_ms=2_000, to_ms=2_020)

        async def convert(resampler: Resampler = resampler, piece: bytes = piece) -> None:
            resampler.process(piece)

        what = f"{from_hz} to {to_hz} Hz, 20 ms (delay {resampler.delay_ms:.1f} ms)"
        report(what, await timed(200, convert), "µs")


async def recognition() -> None:
    stt = Moonshine()
    await stt.warm_up()
    for seconds in (2, 4, 8):
        pcm = TWO_CITIES.pcm(from_ms=1_000, to_ms=1_000 * (seconds + 1))

        async def final(pcm: bytes = pcm) -> None:
            stream = stt.open()
            stream.feed(pcm)
            stream.finalise()
            await anext(aiter(stream))
            await stream.aclose()

        report(f"moonshine, final of {seconds} s", await timed(9, final), "ms")
    await stt.aclose()


async def synthesis() -> None:
    tts = Piper()
    await tts.warm_up()
    for text in ("Hello there.", "The time is half past ten."):

        async def first(text: str = text) -> None:
            speech = tts.synthesise(text, SpeechOptions())
            await anext(speech)
            await speech.aclose()

        report(f"piper, first sound of {text!r}", await timed(9, first), "ms")
    await tts.aclose()


async def main() -> None:
    print(f"{'':44} {'least':>8} {'median':>8} {'most':>8}")
    for part in (voice_activity, frames, recognition, synthesis):
        await part()


if __name__ == "__main__":
    asyncio.run(main())
