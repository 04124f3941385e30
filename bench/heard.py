"""How well ``heard_text`` tells what was heard, with Piper: by its own times of words, and by the share of characters.

Three comparisons, each with a truth that does not come from the times themselves.

- Pauses: after a comma the level falls for 150 ms or more, and where it falls the word is over. Sentences in which
  there are not as many such pauses as commas are left out, and counted.
- Recogniser: beginnings of a sentence, 60 ms longer each, are transcribed; a word was heard at the first of three
  beginnings in a row that have it. A recogniser needs some of what follows, or guesses a word from its half, so this
  says no more than that nothing is far off. What is off by more than half a second is printed, with what was heard
  there and at the end.
- Sessions: a reply is interrupted 20 times. The listener plays the frames from the first one on without a gap, by a
  clock of its own; at what the voice says of its words, checked by the two above, stood the end of the last word that
  the session claims?
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from bench.lib import percentile, print_table
from providers.api import SpeechChunk, SpeechOptions
from providers.audio import sample_count
from providers.fakes import FakeStt
from providers.resample import Resampler
from providers.stt.moonshine import Moonshine
from providers.tts.piper import Piper
from session import VoiceSession
from session.segments import Segmenter

STT_HZ = 16_000

PAUSE_MS = 150
LEVEL_MS = 10
QUIET = 250
"""Of the level of 10 ms, in 16 bits: 42 dB below full scale."""

STEP_MS = 60
CUTS_IN_A_ROW = 3
FAR_OFF_MS = 500

INTERRUPTIONS = 20
AT_ONCE = 10

PAUSED = (
    "In the morning, the train to London leaves at half past ten, unless it snows.",
    "I have found two tables, one by the window, and one near the kitchen.",
    "Unfortunately, the administration, as you know, is closed on Sunday.",
    "No, I am so sorry, it is up to us, and we will do it.",
    "Well, let me see, the weather tomorrow will be sunny, with a light wind from the west.",
    "Your order, which came to $1,234.56, was sent on 2026-11-23, and it will arrive on Friday.",
    "Please call (555) 123-4567, or write to john.doe@example.com, before the weekend begins.",
    "The internationalization of the catalogue, a responsibility of ours, takes 10-15 days, perhaps more.",
    "First, turn left, then go straight ahead for 5 km, and stop at the bridge.",
    "On Monday, on Tuesday, and again on Thursday, the museum is open until 8:30 pm, free of charge.",
    "She sang, he played, they danced, and nobody noticed the time.",
    "If you like, I can book it now, for 3 people, at a quarter past seven.",
)  # fmt: skip
FLUENT = (
    "The train to London leaves at half past ten.",
    "Your appointment is confirmed and we look forward to seeing you.",
    "The weather tomorrow will be sunny with a light wind from the west.",
    "He brought his violin and they played together until the sun went down.",
)
REPLY = (
    "Once upon a time, a young whale lived alone in the northern sea. Every evening she sang a song, and nobody "
    "answered. One day a sailor heard her voice across the water."
)


@dataclass(frozen=True, slots=True)
class Said:
    text: str
    chunks: tuple[SpeechChunk, ...]
    rate_hz: int

    @property
    def pcm(self) -> bytes:
        return b"".join(chunk.pcm for chunk in self.chunks)

    @property
    def ms(self) -> int:
        return sample_count(self.pcm) * 1000 // self.rate_hz

    @property
    def words(self) -> list[str]:
        return self.text.split()

    def ends_by_voice(self) -> list[int]:
        return [word.end_sample * 1000 // self.rate_hz for chunk in self.chunks for word in chunk.words]

    def ends_by_characters(self) -> list[int]:
        """As a session shares them out where a voice tells no times."""
        so_far = list(accumulate(map(len, self.words)))
        return [self.ms * each // so_far[-1] for each in so_far]


async def said(piper: Piper, text: str) -> Said:
    return Said(text, tuple([chunk async for chunk in piper.synthesise(text, SpeechOptions())]), piper.rate_hz)


def print_errors(head: str, errors: dict[str, list[int]]) -> None:
    rows = [
        (name, len(each), percentile(each, 50), percentile(each, 90), max(each), sum(ms > FAR_OFF_MS for ms in each))
        for name, each in errors.items()
    ]
    print_table((f"{head}, ms", "n", "median", "p90", "worst", f"over {FAR_OFF_MS}"), rows)


# --- pauses --------------------------------------------------------------------------------------------------------


def pauses_ms(pcm: bytes, rate_hz: int) -> list[int]:
    """Where those begin that are long enough, the silence at the end included."""
    window = rate_hz * LEVEL_MS // 1000
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    levels = np.sqrt((samples[: len(samples) // window * window].reshape(-1, window) ** 2).mean(axis=1))
    begin, found = 0, []
    for at, loud in enumerate([*(levels >= QUIET), True]):
        if loud:
            if (at - begin) * LEVEL_MS >= PAUSE_MS:
                found.append(begin * window * 1000 // rate_hz)
            begin = at + 1
    return found


async def by_pauses(piper: Piper) -> None:
    errors: dict[str, list[int]] = {"by characters": [], "by the voice's times": []}
    worst: list[tuple[int, str]] = []
    left_out = 0
    for text in PAUSED:
        spoken = await said(piper, text)
        paused = [at for at, word in enumerate(spoken.words) if word.endswith((",", "."))]
        truth = pauses_ms(spoken.pcm, spoken.rate_hz)
        if len(truth) != len(paused):
            left_out += 1
            continue
        for name, ends in zip(errors, (spoken.ends_by_characters(), spoken.ends_by_voice()), strict=True):
            errors[name] += [abs(ends[word] - ms) for word, ms in zip(paused, truth, strict=True)]
        worst += [
            (abs(spoken.ends_by_voice()[word] - ms), spoken.words[word]) for word, ms in zip(paused, truth, strict=True)
        ]
    print_errors("end of a word before a pause", errors)
    print(f"{left_out} of {len(PAUSED)} sentences left out; worst by the voice's times:", *sorted(worst)[-3:], "\n")


# --- recogniser ----------------------------------------------------------------------------------------------------


def plain(text: str) -> list[str]:
    return re.sub(r"[^a-z ]", "", text.lower().replace("-", " ")).split()


async def transcribed(stt: Moonshine, pcm: bytes, rate_hz: int) -> list[str]:
    stream = stt.open()
    stream.feed(Resampler(rate_hz, STT_HZ).process(pcm, last=True))
    stream.finalise()
    heard = await anext(aiter(stream))
    await stream.aclose()
    return plain(heard.text)


def in_order(words: Sequence[str], heard: Sequence[str]) -> set[int]:
    """Which of ``words`` are in ``heard``, each behind the one before."""
    found, start = set(), 0
    for at, word in enumerate(words):
        if word in heard[start:]:
            start = heard.index(word, start) + 1
            found.add(at)
    return found


async def by_recogniser(piper: Piper, stt: Moonshine) -> None:
    errors: dict[str, list[int]] = {"by characters": [], "by the voice's times": []}
    outliers: list[str] = []
    for text in FLUENT:
        spoken = await said(piper, text)
        words = plain(text)
        cuts = range(240, spoken.ms + STEP_MS, STEP_MS)
        texts = [await transcribed(stt, spoken.pcm[: ms * spoken.rate_hz // 1000 * 2], spoken.rate_hz) for ms in cuts]
        found = [in_order(words, heard) for heard in texts]
        voice, characters = spoken.ends_by_voice(), spoken.ends_by_characters()
        for word in range(len(words)):
            rows = [
                at
                for at in range(len(cuts) - CUTS_IN_A_ROW + 1)
                if all(word in each for each in found[at:][:CUTS_IN_A_ROW])
            ]
            if not rows:
                outliers.append(
                    f"  {words[word]!r} is not heard three times in a row; at the end: {' '.join(texts[-1])}"
                )
                continue
            ms = cuts[rows[0]]
            errors["by characters"].append(abs(characters[word] - ms))
            errors["by the voice's times"].append(abs(voice[word] - ms))
            if abs(voice[word] - ms) > FAR_OFF_MS:
                outliers.append(
                    f"  {words[word]!r} ends at {voice[word]}, heard at {ms}: {' '.join(texts[rows[0] - 1])}"
                )
    print_errors("end of a word in fluent speech", errors)
    print(*outliers, "", sep="\n")


# --- sessions ------------------------------------------------------------------------------------------------------


class Again:
    """A voice that has said it all before, with its times of words or without."""

    name = "again"

    def __init__(self, known: dict[str, Said], *, timed: bool) -> None:
        self.rate_hz = next(iter(known.values())).rate_hz
        self._known = known
        self._timed = timed

    async def warm_up(self) -> None:
        """Nothing to load."""

    async def synthesise(self, text: str, _options: SpeechOptions) -> AsyncGenerator[SpeechChunk, None]:
        for chunk in self._known[text].chunks:
            yield SpeechChunk(chunk.pcm, chunk.words if self._timed else ())

    async def aclose(self) -> None:
        """Nothing to close."""


async def interrupted_after(voice: Again, ms: int) -> tuple[int, int]:
    """What the listener had heard by then, and how many words the session says they had."""
    loop = asyncio.get_running_loop()
    async with VoiceSession(stt=FakeStt(), tts=voice) as session:
        await session.start()
        frames = session.output()
        handle = await session.say(REPLY)
        await anext(frames)
        since_s = loop.time()

        async def listen() -> None:
            async for _ in frames:
                pass

        listening = asyncio.create_task(listen())
        await asyncio.sleep(ms / 1000)
        heard_ms = round((loop.time() - since_s) * 1000)
        await handle.cancel()
        await handle.wait_for_playout()
        listening.cancel()
    return heard_ms, len(handle.heard_text.split())


async def by_sessions(piper: Piper) -> None:
    segmenter = Segmenter()
    known = {text: await said(piper, text) for text in (*segmenter.push(REPLY), *segmenter.flush())}
    ends, start = [0], 0
    for spoken in known.values():
        ends += [start + end for end in spoken.ends_by_voice()]
        start += spoken.ms
    marks = [start * number // (INTERRUPTIONS + 1) for number in range(1, INTERRUPTIONS + 1)]
    errors: dict[str, list[int]] = {}
    off_by: dict[str, list[int]] = {}
    for name, timed in (("by characters", False), ("by the voice's times", True)):
        heard: list[tuple[int, int]] = []
        for first in range(0, INTERRUPTIONS, AT_ONCE):
            voice = Again(known, timed=timed)
            heard += await asyncio.gather(*(interrupted_after(voice, ms) for ms in marks[first : first + AT_ONCE]))
        errors[name] = [abs(ends[words] - ms) for ms, words in heard]
        halves = [(before + end) / 2 for before, end in pairwise(ends)]
        off_by[name] = [abs(words - sum(half <= ms for half in halves)) for ms, words in heard]
    print_errors("end of the last word claimed, from where it was interrupted", errors)
    for name, each in off_by.items():
        print(f"{name}: words wrong {sorted(each)}")


async def measure() -> None:
    piper, stt = Piper(), Moonshine()
    await piper.warm_up()
    await stt.warm_up()
    await by_pauses(piper)
    await by_recogniser(piper, stt)
    await by_sessions(piper)
    await piper.aclose()
    await stt.aclose()


def main() -> None:
    asyncio.run(measure())


if __name__ == "__main__":
    main()
