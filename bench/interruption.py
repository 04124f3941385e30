"""How soon the server falls silent when the caller breaks in: embedded models, the demo agent's long story.

The caller asks for the story, lets it run for two seconds, and talks into it with recorded speech. Taken outside: from
the first voiced sample sent (known from the recording) to the last frame of audio that came before the silence.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from websockets.asyncio.client import connect

from bench.lib import percentile, print_table, running_server
from bench.recordings import TWO_CITIES, Caller, Utterance, caller
from bench.response import FRAME_MS, Line

ROUNDS = 20
STORY_S = 2.0


def first_voiced_ms(utterance: Utterance) -> float:
    """``Utterance`` begins a tenth of a second before its sentence's label, at most; the label is the first sound."""
    return float(min(100, utterance.sentence.start_ms))


class Breaker(Line):
    """A caller who lets the agent talk, and then does not."""

    async def hear_the_story(self) -> None:
        await self._socket.send(json.dumps({"type": "text", "text": "tell me a long story"}))
        began_s = None
        while began_s is None or self._loop.time() < began_s + STORY_S:
            await self.be_silent()
            if began_s is None and self.heard.first_audio_s is not None:
                began_s = self._loop.time()

    async def break_in(self, utterance: Utterance) -> float:
        """How long the audio went on, in ms, while the first second of the utterance was sent."""
        second = self._who.rate_hz * 2
        first_s = await self.send(utterance.pcm[:second])
        return (self.heard.last_audio_s - first_s) * 1000 - first_voiced_ms(utterance)


async def measure(url: str, who: Caller) -> list[float]:
    stops_ms: list[float] = []
    for number in range(ROUNDS):
        async with connect(url, compression=None) as socket:
            audio = {"encoding": "pcm_s16le", "sample_rate": who.rate_hz}
            await socket.send(json.dumps({"type": "start", "audio": audio, "output": audio}))
            line = Breaker(socket, who)
            listening = asyncio.create_task(line.listen())
            await line.hear_the_story()
            stops_ms.append(await line.break_in(who.utterances[number % len(who.utterances)]))
            listening.cancel()
    return stops_ms


def main() -> None:
    who = caller(tuple(replace(sentence, pauses=()) for sentence in TWO_CITIES))
    with running_server() as server:
        stops_ms = asyncio.run(measure(server.ws_url, who))
    rows = [["first voiced sample to last frame", len(stops_ms), *(percentile(stops_ms, at) for at in (50, 90, 100))]]
    print_table(["ms", "n", "p50", "p90", "max"], rows)
    print(f"frames of {FRAME_MS} ms; up to 100 ms more are on their way to the speaker")


if __name__ == "__main__":
    main()
