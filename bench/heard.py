"""How well ``heard_text`` tells what was heard: Piper's words against what Moonshine hears of the same audio.

The audio of a text is cut every 60 ms, and each beginning is transcribed. A word was heard from the first cut on from
which every transcript has it, and all before it. Where ``heard_text`` would have claimed the word earlier or later, the
difference is its error: with the voice's own times of words, and with those taken away, which leaves the share of the
characters. Numbers are transcribed in ways of their own, so only plain words are compared.

Then sessions: a reply of several sentences is interrupted at a random moment, and the words that the session says were
heard are held against the audio that it had played by then.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from bench.lib import percentile, print_table
from providers.api import SpeechChunk, SpeechOptions, WordTiming
from providers.audio import sample_count
from providers.resample import Resampler
from providers.stt.moonshine import Moonshine
from providers.tts.piper import Piper
from session import VoiceSession
from session.pacer import LEAD_MS
from session.playout import Playout

STEP_MS = 60
ROUNDS = 12
AROUND_MS = 1_200
"""Of an interruption: the words before and after."""

STT_HZ = 16_000

TEXTS = (
    "The train to London leaves at half past ten.",
    "I have found two tables, one by the window and one near the kitchen.",
    "Your appointment is confirmed, and we look forward to seeing you.",
    "Unfortunately, internationalization is a responsibility of the administration.",
    "No, I am so sorry. It is up to us to do it.",
    "Well, let me see. The weather tomorrow will be sunny, with a light wind from the west.",
    "It costs $1,234.56 altogether, and the refund arrives on 2026-11-23 in the morning.",
    "Please call our office at (555) 123-4567 before the weekend begins.",
    "Write a message to john.doe@example.com and describe your question carefully.",
)
REPLY = (
    "Once upon a time, a young whale lived alone in the northern sea. Every evening she sang a song, and nobody "
    "answered. One day a sailor heard her voice across the water. He brought his violin, and they played together "
    "until the sun went down."
)


@dataclass(frozen=True, slots=True)
class Said:
    text: str
    pcm: bytes
    timings: tuple[WordTiming, ...]
    rate_hz: int

    @property
    def ms(self) -> int:
        return sample_count(self.pcm) * 1000 // self.rate_hz

    def beginning(self, ms: int) -> bytes:
        return self.pcm[: ms * self.rate_hz // 1000 * 2]


class Overheard:
    """Piper, and what it said last."""

    name = Piper.name
    rate_hz = Piper.rate_hz

    def __init__(self, piper: Piper) -> None:
        self._piper = piper
        self.pcm = bytearray()

    async def warm_up(self) -> None:
        await self._piper.warm_up()

    async def synthesise(self, text: str, options: SpeechOptions) -> AsyncGenerator[SpeechChunk, None]:
        async for chunk in self._piper.synthesise(text, options):
            self.pcm += chunk.pcm
            yield chunk

    async def aclose(self) -> None:
        """Whoever made the voice closes it."""


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
    """Which of ``words`` are in ``heard``: the longest common subsequence, the earliest of those."""
    lengths = [[0] * (len(heard) + 1) for _ in range(len(words) + 1)]
    for i in reversed(range(len(words))):
        for j in reversed(range(len(heard))):
            same = words[i] == heard[j]
            lengths[i][j] = 1 + lengths[i + 1][j + 1] if same else max(lengths[i + 1][j], lengths[i][j + 1])
    found, i, j = set(), 0, 0
    while i < len(words) and j < len(heard):
        if words[i] == heard[j]:
            found.add(i)
            i, j = i + 1, j + 1
        elif lengths[i][j + 1] >= lengths[i + 1][j]:
            j += 1
        else:
            i += 1
    return found


async def truly_heard_ms(stt: Moonshine, said: Said, from_ms: int = STEP_MS) -> dict[int, int]:
    """From when on each word of the text was heard; words that the recogniser never gets are left out."""
    words = ["".join(plain(word)) if word.strip(".,?!").isalpha() else "" for word in said.text.split()]
    cuts = range(from_ms, said.ms + STEP_MS, STEP_MS)
    found = [in_order(words, await transcribed(stt, said.beginning(ms), said.rate_hz)) for ms in cuts]
    since: dict[int, int] = {}
    for word in range(len(words)):
        missing = [number for number, each in enumerate(found) if word not in each]
        if words[word] and (not missing or missing[-1] + 1 < len(cuts)):
            since[word] = cuts[missing[-1] + 1 if missing else 0]
    return since


def claimed_ms(said: Said, timings: tuple[WordTiming, ...]) -> list[int]:
    """From when on each word counts as heard."""
    samples = sample_count(said.pcm)
    playout = Playout(said.rate_hz)
    playout.begin_piece(said.text)
    playout.spoken(samples, timings)
    playout.spoken_whole()
    claims: list[int] = []
    for ms in range(said.ms + 1):
        at = samples if ms == said.ms else ms * said.rate_hz // 1000
        playout.played(at, at)
        claims += [ms] * (len(playout.heard_text().split()) - len(claims))
    return claims


async def of_texts(piper: Piper, stt: Moonshine) -> None:
    errors: dict[str, list[int]] = {"by the voice's times": [], "by characters": []}
    worst: dict[str, tuple[int, str]] = {}
    for text in TEXTS:
        chunks = [chunk async for chunk in piper.synthesise(text, SpeechOptions())]
        timings = tuple(word for chunk in chunks for word in chunk.words)
        said = Said(text, b"".join(chunk.pcm for chunk in chunks), timings, piper.rate_hz)
        truth = await truly_heard_ms(stt, said)
        for name, known in zip(errors, (said.timings, ()), strict=True):
            claims = claimed_ms(said, known)
            for word, ms in truth.items():
                errors[name].append(abs(claims[word] - ms))
                worst[name] = max(worst.get(name, (0, "")), (errors[name][-1], text.split()[word]))
    print_table(
        ("error of a word, ms", "words", "median", "p90", "worst", ""),
        [
            (name, len(each), percentile(each, 50), percentile(each, 90), max(each), worst[name][1])
            for name, each in errors.items()
        ],
    )


async def interrupted_after(piper: Piper, ms: int) -> tuple[int, Said]:
    """How many words the session says were heard, and the audio that was, with what would have followed."""
    voice = Overheard(piper)
    async with VoiceSession(stt=Moonshine(), tts=voice) as session:
        await session.start()
        frames = session.output()
        handle = await session.say(REPLY)
        played = 0
        while played * 1000 // session.output_rate_hz < ms:
            played += sample_count(await anext(frames))
        await handle.cancel()
        await handle.wait_for_playout()
        claimed = len(handle.heard_text.split())
    return claimed, Said(REPLY, bytes(voice.pcm), (), voice.rate_hz)


async def of_sessions(piper: Piper, stt: Moonshine) -> None:
    dice = random.Random(1)
    errors = []
    for _ in range(ROUNDS):
        sent_ms = dice.randrange(700, 6_000)
        claimed, said = await interrupted_after(piper, sent_ms)
        heard_ms = sent_ms - LEAD_MS
        around = Said(REPLY, said.beginning(heard_ms + AROUND_MS), (), said.rate_hz)
        truth = await truly_heard_ms(stt, around, max(STEP_MS, heard_ms - AROUND_MS))
        too_early = [ms - heard_ms for word, ms in truth.items() if word < claimed]
        too_late = [heard_ms - ms for word, ms in truth.items() if word >= claimed]
        errors.append(max([0, *too_early, *too_late]))
    print_table(
        ("error of heard_text in a session, ms", "interruptions", "median", "p90", "worst"),
        [("interrupted at random", ROUNDS, percentile(errors, 50), percentile(errors, 90), max(errors))],
    )


async def measure() -> None:
    piper, stt = Piper(), Moonshine()
    await piper.warm_up()
    await stt.warm_up()
    await of_texts(piper, stt)
    await of_sessions(piper, stt)
    await piper.aclose()
    await stt.aclose()


def main() -> None:
    asyncio.run(measure())


if __name__ == "__main__":
    main()
