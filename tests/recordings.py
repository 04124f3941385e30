"""Recordings of people who speak, as shipped with ``moonshine-voice``, and what they say."""

from __future__ import annotations

import re
import wave
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import jiwer

from providers.audio import level_dbfs
from providers.resample import Resampler

__all__ = (
    "BECKETT",
    "ENDGAME",
    "TWO_CITIES",
    "Phrase",
    "Recording",
    "breathless",
    "plain",
    "silence",
    "word_error_rate",
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is said between two pauses of at least 200 ms."""

    start_ms: int
    end_ms: int
    text: str

    @property
    def ends_sentence(self) -> bool:
        return self.text.endswith((".", "?", "!"))


@dataclass(frozen=True, slots=True)
class Recording:
    name: str
    phrases: tuple[Phrase, ...]

    @property
    def text(self) -> str:
        return " ".join(phrase.text for phrase in self.phrases)

    def pcm(self, rate_hz: int = 16_000, *, from_ms: int = 0, to_ms: int | None = None) -> bytes:
        """Signed 16-bit little-endian mono."""
        pcm = _load(self.name, rate_hz)
        return pcm[_byte(from_ms, rate_hz) : None if to_ms is None else _byte(to_ms, rate_hz)]

    def phrase(self, number: int, rate_hz: int = 16_000, *, before_ms: int = 200, after_ms: int = 220) -> bytes:
        """A phrase, with as much of the silence around it as a session would hand over."""
        phrase = self.phrases[number]
        return self.pcm(rate_hz, from_ms=max(0, phrase.start_ms - before_ms), to_ms=phrase.end_ms + after_ms)


def silence(duration_ms: int, rate_hz: int = 16_000) -> bytes:
    return bytes(_byte(duration_ms, rate_hz))


def plain(text: str) -> str:
    """Words alone, as they are compared."""
    return " ".join(re.sub(r"[^a-z' ]", " ", text.lower()).split())


def word_error_rate(expected: str, actual: str) -> float:
    return float(jiwer.wer(plain(expected), plain(actual)))


def _byte(ms: int, rate_hz: int) -> int:
    return 2 * (ms * rate_hz // 1000)


@cache
def _load(name: str, rate_hz: int) -> bytes:
    with as_file(files("moonshine_voice") / "assets" / name) as path, wave.open(str(path)) as recording:
        pcm = recording.readframes(recording.getnframes())
        return Resampler(recording.getframerate(), rate_hz).process(pcm, last=True)


def breathless(recording: Recording, rate_hz: int = 16_000) -> bytes:
    """All that is said in it, without a pause: what is softer than -45 dBFS for more than 60 ms is cut out."""
    frame_bytes, said = _byte(20, rate_hz), bytearray()
    for phrase in recording.phrases:
        pcm, quiet = recording.pcm(rate_hz, from_ms=phrase.start_ms, to_ms=phrase.end_ms), 0
        for at in range(0, len(pcm) - frame_bytes + 1, frame_bytes):
            frame = pcm[at : at + frame_bytes]
            quiet = quiet + 1 if level_dbfs(frame) < -45 else 0
            if quiet <= 3:
                said += frame
    return bytes(said)


BECKETT = Recording(
    "beckett.wav",
    (
        Phrase(350, 1180, "Ever tried."),
        Phrase(1880, 2780, "Ever failed."),
        Phrase(3520, 4200, "No matter."),
        Phrase(4890, 5570, "Try again."),
        Phrase(6650, 7400, "Fail again."),
        Phrase(8150, 8870, "Fail better."),
    ),
)

TWO_CITIES = Recording(
    "two_cities.wav",
    (
        Phrase(1200, 4540, "It was the best of times, it was the worst of times,"),
        Phrase(5040, 6160, "it was the age of wisdom,"),
        Phrase(6680, 8180, "it was the age of foolishness,"),
        Phrase(8820, 10280, "it was the epoch of belief,"),
        Phrase(10760, 12720, "it was the epoch of incredulity,"),
        Phrase(13480, 14740, "it was the season of light,"),
        Phrase(15140, 16660, "it was the season of darkness,"),
        Phrase(17560, 18720, "it was the spring of hope,"),
        Phrase(18980, 20440, "it was the winter of despair,"),
        Phrase(21240, 24000, "we had everything before us, we had nothing before us,"),
        Phrase(24660, 25960, "we were all going direct to heaven,"),
        Phrase(26580, 28260, "we were all going direct the other way."),
        Phrase(29120, 29600, "In short,"),
        Phrase(29940, 32220, "the period was so far like the present period,"),
        Phrase(32800, 36480, "that some of its noisiest authorities insisted on its being received,"),
        Phrase(36980, 38320, "for good or for evil,"),
        Phrase(38700, 41620, "in the superlative degree of comparison only."),
    ),
)

ENDGAME = Recording(
    "endgame_nagg_nell.wav",
    (
        Phrase(100, 900, "Do you hear me?"),
        Phrase(1580, 1820, "Yes."),
        Phrase(2480, 3280, "Do you hear me?"),
        Phrase(3960, 4200, "Yes."),
        Phrase(4840, 8020, "We laugh less heartily, so we have still that resource."),
        Phrase(8740, 11340, "Laugh less heartily, so we have still that resource."),
        Phrase(12000, 13980, "No, not heartily, just less heartily."),
        Phrase(14660, 16960, "Ah, that's a good story. Ah, that's a good story."),
        Phrase(17620, 18800, "What are you talking about?"),
        Phrase(19460, 19780, "Laughter."),
        Phrase(20440, 21860, "Yes, but you were in pain."),
        Phrase(22540, 23100, "Not now."),
        Phrase(23760, 27380, "Do you remember the day I went and fetched you from that ditch?"),
        Phrase(28060, 28260, "No."),
    ),
)
"""Two speakers, digital silence between them. The text is as it is heard: some words are a guess."""
