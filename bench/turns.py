"""How long the turn detector waits at ends of sentences and at pauses inside them, with the voice and without.

``python -m bench.turns`` measures it on the recordings of people that come with moonshine-voice. A pause of 500 ms is
survived by a wait of more than 520 ms. ``--fit FOLDER`` fits the constants of ``providers/prosody.py`` to sentences
that were synthesised: ``NAME.wav`` with its words in ``NAME.txt``.

They were fitted to 252 sentences of callers: 205 by Kokoro in 24 voices of both sexes, the rest by Piper's "joe", at
0.9 to 1.2 of their speed, levels up to 14 dB apart, with a little noise. People were not used: of the voice, the
figures below are held out. Of the words they are not: these sentences were known when the rules were written.

    wait of more than 520 ms                    by words    by words and voice
    people: ends of sentences                    2 of 22          3 of 22       median 250 ms, p95 550 / 600
    people: 500 ms put between two words        16 of 23         18 of 23
    people: pauses of their own                 10 of 15         12 of 15
    synthetic: ends of sentences                 7 of 252        23 of 252      median 250 ms, p95 250 / 600
    synthetic: 500 ms put between two words    426 of 725       525 of 725
    synthetic: pauses of their own              71 of 219        97 of 219

The voice by itself is worth little. More measures (slope of the pitch, voicing, duration, tilt) do better on synthetic
voices and no better, or worse, on people. So does a neural network that was made for it, Smart Turn v3.2: of pairs of
an end and a pause it ranks 57 % rightly where the pause was put between words, and 38 % where it was the speaker's own.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.wav import read_wav
from bench.lib import percentile, print_table
from bench.recordings import BECKETT, ENDGAME, TWO_CITIES, caller
from providers import prosody
from providers.api import TurnSoFar
from providers.resample import Resampler
from providers.stt.moonshine import Moonshine
from providers.turn.transcript import STATEMENT, TranscriptRules
from session.config import Endpointing
from session.endpointing import wait_ms
from tests import recordings

RATE_HZ = 16_000
SILENCE_MS = 220
SURVIVES_MS = 520
FRAME = RATE_HZ // 100

Samples = NDArray[np.int16]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """A turn so far, at 16 kHz, up to the moment in which it is judged. ``kind``: end, put or own (pause)."""

    kind: str
    pcm: bytes
    words: str = ""


def people() -> Iterator[Case]:
    for sentences in (BECKETT, TWO_CITIES, ENDGAME):
        who = caller(sentences)
        quiet = who.room_tone[: who.rate_hz * SILENCE_MS // 1000 * 2]
        for utterance in who.utterances:
            for begin_ms in utterance.pauses_ms:
                end = round((begin_ms + SILENCE_MS) * who.rate_hz / 1000) * 2
                pcm = quiet + utterance.pcm[:end]
                yield Case("put", Resampler(who.rate_hz, RATE_HZ).process(pcm, last=True))
    for recording in (recordings.BECKETT, recordings.TWO_CITIES, recordings.ENDGAME):
        for number, phrase in enumerate(recording.phrases):
            kind = "end" if phrase.ends_sentence else "own"
            yield Case(kind, recording.phrase(number, after_ms=SILENCE_MS))


def synthetic(folder: Path) -> Iterator[Case]:
    """The end of each sentence, and of its quiet moments five at random and all of 140 ms or more."""
    random = np.random.default_rng(1)
    for path in sorted(folder.glob("*.wav")):
        recording = read_wav(path)
        pcm = Resampler(recording.rate_hz, RATE_HZ).process(recording.pcm, last=True)
        samples = (np.frombuffer(pcm, np.int16) * 10 ** random.uniform(-0.7, 0)).astype(np.int16)
        noise = random.normal(0, random.choice([1, 4, 12]), len(samples) + RATE_HZ).astype(np.int16)
        samples, quiet = samples + noise[:-RATE_HZ], noise[-RATE_HZ:][: RATE_HZ * SILENCE_MS // 1000]
        frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
        levels = 10 * np.log10((frames**2).mean(axis=1) + 0.1)
        peak = np.percentile(levels, 95)
        loud = np.flatnonzero(levels > peak - 30)
        begin, end = max(0, int(loud[0]) - 20), int(loud[-1]) + 5
        words = path.with_suffix(".txt").read_text()

        def up_to(frame: int, samples: Samples = samples, begin: int = begin, quiet: Samples = quiet) -> bytes:
            return np.concatenate([samples[begin * FRAME : frame * FRAME], quiet]).tobytes()

        yield Case("end", up_to(end), words)
        gaps = [gap for gap in _runs(levels < peak - 14) if begin + 30 < gap[0] and gap[1] < end - 15]
        random.shuffle(gaps)
        put = [gap for gap in gaps if gap[1] - gap[0] < 14][:5]
        yield from (Case("put", up_to(first + int(np.argmin(levels[first:last]))), words) for first, last in put)
        own = [gap for gap in gaps if gap[1] - gap[0] >= 14]
        yield from (Case("own", up_to(first + 9), words) for first, _ in own)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _cut_between_words(words: str, heard: str) -> bool:
    """Whether what was heard are the first words, and the next is neither lost nor behind a full stop."""
    said, known = _bare(heard), _bare(words)
    for count in range(max(1, len(said) - 1), min(len(known), len(said) + 2)):
        if said[-2:] == known[:count][-2:]:
            return words.split()[count - 1][-1] not in ".?"
    return False


def _bare(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


async def transcribed(recogniser: Moonshine, pcm: bytes) -> str:
    stream = recogniser.open()
    stream.feed(pcm[-10 * RATE_HZ * 2 :])
    stream.finalise()
    text = ""
    async for transcript in stream:
        text = transcript.text
        if transcript.final:
            break
    await stream.aclose()
    return text


async def waits(cases: Sequence[tuple[Case, str]], *, voice: bool) -> list[int]:
    rules = TranscriptRules()
    turns = [TurnSoFar(text, pcm=case.pcm if voice else b"") for case, text in cases]
    return [wait_ms(Endpointing(), await rules.judge(turn)) for turn in turns]


async def measure(cases: Sequence[tuple[Case, str]]) -> None:
    rows: list[list[object]] = []
    for voice in (False, True):
        waited = await waits(cases, voice=voice)
        for kind in ("end", "put", "own"):
            of_kind = [wait for (case, _), wait in zip(cases, waited, strict=True) if case.kind == kind]
            long = sum(wait > SURVIVES_MS for wait in of_kind)
            percents = [percentile(of_kind, percent) for percent in (50, 90, 95)]
            rows.append([kind, "words and voice" if voice else "words", len(of_kind), *percents, f"{long}"])
    print_table(["", "judged by", "n", "p50", "p90", "p95", f"> {SURVIVES_MS} ms"], rows)


async def fit(cases: Sequence[tuple[Case, str]]) -> None:
    """Print the constants: logistic regression on the statements, ends weighing as much as both kinds of pauses."""
    rules = TranscriptRules()
    found = [(case.kind, text, end) for case, text in cases if (end := prosody.ending(case.pcm)) is not None]
    measured = np.array([(end.pitch_st, end.level_db) for _, _, end in found])
    mean, spread = measured.mean(axis=0), measured.std(axis=0)
    statement = [await rules.judge(TurnSoFar(text)) == STATEMENT for _, text, _ in found]
    kinds = np.array([kind for kind, _, _ in found])[statement]
    inputs = np.clip((measured[statement] - mean) / spread, -2.5, 2.5)
    weights = np.select(
        [kinds == kind for kind in ("end", "put", "own")],
        [300 / max(1, (kinds == "end").sum()), *(150 / max(1, (kinds == kind).sum()) for kind in ("put", "own"))],
    )
    solved = _logistic(inputs, kinds == "end", weights)
    evidence = inputs @ solved
    print(f"mean {mean.round(2)}, spread {spread.round(2)}, weights {solved.round(2)}")
    print(f"enough {np.quantile(evidence[kinds == 'end'], 0.2):.2f}")


def _logistic(inputs: Floats, outcome: NDArray[np.bool_], weights: Floats) -> Floats:
    """The coefficients without the constant, by Newton's method."""
    design = np.column_stack([np.ones(len(inputs)), inputs])
    penalty = np.diag([0.0] + [10.0] * inputs.shape[1])
    solved = np.zeros(design.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-design @ solved))
        slope = design.T @ (weights * (outcome - chance)) - penalty @ solved
        curve = (design.T * (weights * chance * (1 - chance))) @ design + penalty
        solved = solved + np.linalg.solve(curve, slope)
    coefficients: Floats = solved[1:]
    return coefficients


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--fit", type=Path, metavar="FOLDER", help="fit the constants to these sentences")
    folder: Path | None = parser.parse_args().fit
    recogniser = Moonshine()
    cases = [(case, await transcribed(recogniser, case.pcm)) for case in (synthetic(folder) if folder else people())]
    await recogniser.aclose()
    if folder:
        cases = [(case, text) for case, text in cases if case.kind == "end" or _cut_between_words(case.words, text)]
        await fit(cases)
    await measure(cases)


if __name__ == "__main__":
    asyncio.run(main())
