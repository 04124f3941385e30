"""How long the operations of a session take while a hundred of them talk in one process.

The sessions are those of a program that embeds them: Silero on every caller, recogniser `fixed`, voice `tone`, agent
`echo`. Each is started, given a recording in frames of 20 ms in real time, told to say something every five seconds and
stopped. Callers share the event loop with the sessions, so the wait for it is in every figure but that of the frames'
own pace. Target: at most 100 ms at the 99th percentile.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Awaitable
from pathlib import Path

import providers
from bench.lib import percentile, print_table, write_json
from bench.recordings import BECKETT, caller
from providers.api import Agent, SpeechToText, TextToSpeech, VoiceActivity
from providers.resample import Resampler
from session import VoiceSession

SESSIONS = (1, 100)
RATE_HZ = 16_000
FRAME_BYTES = RATE_HZ // 50 * 2
SAY_EVERY_FRAMES = 5 * 50

TARGET_MS = 100


class Durations:
    def __init__(self) -> None:
        self.ms: defaultdict[str, list[float]] = defaultdict(list)

    async def of(self, operation: str, done: Awaitable[object]) -> None:
        began_s = time.perf_counter()
        await done
        self.ms[operation].append((time.perf_counter() - began_s) * 1000)


async def call(number: int, speech: bytes, seconds: float, durations: Durations) -> None:
    stt: SpeechToText = providers.create("stt", "fixed")
    tts: TextToSpeech = providers.create("tts", "tone")
    vad: VoiceActivity = providers.create("vad", "silero")
    agent: Agent = providers.create("agent", "echo")
    loop = asyncio.get_running_loop()
    await vad.warm_up()
    session = VoiceSession(stt=stt, tts=tts, vad=vad, agent=agent, input_rate_hz=RATE_HZ)
    await asyncio.sleep(number * 0.02 / SESSIONS[-1])  # callers do not come in step
    await durations.of("start", session.start())
    listening = asyncio.create_task(_listen(session))
    began_s = loop.time()
    for frame in range(int(seconds * 50)):
        at = frame * FRAME_BYTES % len(speech)
        await durations.of("process_audio", session.process_audio(speech[at : at + FRAME_BYTES]))
        if (frame + number) % SAY_EVERY_FRAMES == 0:
            await durations.of("say", session.say("One moment, please."))
        await asyncio.sleep(began_s + (frame + 1) * 0.02 - loop.time())
    await durations.of("stop", session.stop())
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    for part in (stt, tts, vad, agent):
        await part.aclose()


async def _listen(session: VoiceSession) -> None:
    async for _ in session.output():
        pass


async def measure(sessions: int, speech: bytes, seconds: float) -> Durations:
    durations = Durations()
    await asyncio.gather(*(call(number, speech, seconds, durations) for number in range(sessions)))
    return durations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    who = caller(BECKETT)
    speech = b"".join(each.pcm + bytes(2 * who.rate_hz) for each in who.utterances)
    speech = Resampler(who.rate_hz, RATE_HZ).process(speech, last=True)
    rows: list[list[object]] = []
    for sessions in SESSIONS:
        durations = asyncio.run(measure(sessions, speech, arguments.seconds))
        for operation, ms in durations.ms.items():
            rows.append([sessions, operation, len(ms), *(round(percentile(ms, each), 2) for each in (50, 99, 100))])
    print_table(["sessions", "operation", "n", "p50 ms", "p99 ms", "max ms"], rows)
    write_json(arguments.json, {"rows": rows, "target_ms": TARGET_MS})


if __name__ == "__main__":
    main()
