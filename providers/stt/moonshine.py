"""Moonshine tiny (English) on the CPU, through the C library that ``moonshine-voice`` brings with its model.

The model is given speech cut by us, without its own voice activity detection, which cuts sentences and invents words.
What is cut, and where, was tried over the pauses of three recordings (36 cuts, 20 of them at the end of a sentence):

- Silence becomes a word ("You", "Um"): so nothing is asked where nobody speaks, and at most 100 ms precede speech.
- Speech that breaks off at once is completed by guessing ("Ever tried, ever tried"; "Yes, yes" for "Yes"): so up to
  300 ms follow it, as far as they are there.
- They must be what was recorded. 300 ms of zeros end every text with a period, at the end of a sentence (20 of 20) and
  inside one (16 of 16). 300 ms of the room end it so in 19 of 20 and 8 of 16 cases, 200 ms in 17 and 6, 120 ms in 16
  and 7. That difference is what a turn detector lives on.

The cost is 24 ms for each second of speech, on two cores.
"""

from __future__ import annotations

import asyncio
import ctypes
import re
import threading
import weakref
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from moonshine_voice.errors import MoonshineError, check_error
from moonshine_voice.moonshine_api import ModelArch, TranscriptC
from moonshine_voice.transcriber import Transcriber
from moonshine_voice.utils import get_model_path
from pydantic import BaseModel, ConfigDict, Field

from providers.api import Transcript
from providers.errors import Malformed, Overloaded, Rejected
from providers.inference import Job, Priority, shared_worker
from providers.utterance import FRAME_MS, Span, Utterance

__all__ = ("Moonshine", "MoonshineStream")

_RATE_HZ = 16_000
_LEAD_FRAMES = 100 // FRAME_MS
_TAIL_FRAMES = 300 // FRAME_MS
_ENOUGH_TAIL_FRAMES = 100 // FRAME_MS

_PAUSE_FRAMES = 160 // FRAME_MS
"""So much silence, and a transcript is made without being asked for: it is the final, if this was the end."""

_ROUNDING_FRAMES = 2
"""The gate moves a little as more is heard, and the end of speech with it."""

_LOOK_EVERY_FRAMES = 2
_FIRST_INTERIM_FRAMES = 300 // FRAME_MS
_INTERIM_EXPIRES_AFTER_S = 0.5

_PHRASE_MS = 5_000
"""What was transcribed up to a pause is settled when more is said, once there is so much: a final then costs what was
said since, not the whole turn."""

_LONGEST_MS = 10_000
"""Who makes no pause is cut so late, in the quietest moment that lies so far from the beginning and from the end:"""
_LEAST_PART_FRAMES = 5_000 // FRAME_MS
_LEAST_REST_FRAMES = 1_500 // FRAME_MS

_AROUND_A_CUT = bytes(300 * 16 * 2)
"""Silence before and behind a part that was cut out of speech. Without it the model completes the words that the cut
has broken off, and says more than was said: of two_cities.wav without its pauses, 357 words, it made 370 and 19 %
errors, with it 357 and 8 %. Parts that overlap, joined by what their texts have in common, came to 12 to 14 %."""

_KEPT_SILENCE_FRAMES = 500 // FRAME_MS
_MOST_HELD_MS = 30_000
"""The bound of a stream's memory, a megabyte. Only an overloaded machine lets it grow beyond 10 s; then it refuses."""


class Moonshine:
    """Understands English. The final of 4 s comes 100 ms after it was asked for; at once, where a pause preceded."""

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

        interim_every_ms: int = Field(
            default=500,
            ge=200,
            le=10_000,
            description="New audio between two interims; an eighth of the utterance, where that is more.",
        )

    name = "moonshine"
    rate_hz = _RATE_HZ

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()
        self._streams: weakref.WeakSet[MoonshineStream] = weakref.WeakSet()
        self._entered = False
        self._closed = False

    async def warm_up(self) -> None:
        self._enter()
        hum = np.random.default_rng(1).integers(-300, 300, _RATE_HZ, np.int16).tobytes()
        await shared_worker().run(lambda: _model().transcribe(hum), Priority.SYNTHESIS)

    def open(self, *, language: str | None = None) -> MoonshineStream:
        """:raises Rejected: when the language is not English, or the provider is closed."""
        if language is not None and language.lower().split("-")[0] != "en":
            raise Rejected(f"understands English (en), not {language}", provider=self.name)
        self._enter()
        stream = MoonshineStream(self.options)
        self._streams.add(stream)
        return stream

    async def aclose(self) -> None:
        self._closed = True
        for stream in tuple(self._streams):
            await stream.aclose()
        if self._entered:
            self._entered = False
            await shared_worker().leave()

    def _enter(self) -> None:
        if self._closed:
            raise Rejected("is closed", provider=self.name)
        if not self._entered:
            self._entered = True
            shared_worker().enter()


@dataclass(frozen=True, slots=True)
class _Question:
    """Audio that is given to the model: ``speech`` in frames of the stream, and a little around it up to ``end``."""

    speech: Span
    end: int
    pcm: bytes

    @property
    def tail_frames(self) -> int:
        return self.end - self.speech.end

    def covers(self, later: _Question) -> bool:
        """Whether nothing but silence was added since."""
        added = later.speech.end - self.speech.end
        return added <= _ROUNDING_FRAMES and self.tail_frames >= min(_ENOUGH_TAIL_FRAMES, later.tail_frames)


class MoonshineStream:
    """Whoever iterates drives it: it has no task, and at most one job with the worker."""

    def __init__(self, options: Moonshine.Options) -> None:
        self._interim_every_frames = options.interim_every_ms // FRAME_MS
        self._held = Utterance(_RATE_HZ)
        self._settled = ""  # the text of what is held no more
        self._is_cut = False  # whether what is held begins in the middle of speech
        self._answered: _Question | None = None  # of what is held, and
        self._answer = ""
        self._asked: _Question | None = None  # the last one, answered or not
        self._job: Job[str] | None = None
        self._finals_wanted = 0
        self._told = ""
        self._looked_at = 0
        self._wake = asyncio.Event()
        self._closed = False

    def feed(self, pcm: bytes) -> None:
        """Beyond 30 s that no model has looked at, audio is ignored, and the iteration raises."""
        if self._closed or self._held.held_ms > _MOST_HELD_MS:
            return
        self._held.feed(pcm)
        if self._held.end - self._looked_at < _LOOK_EVERY_FRAMES:
            return
        self._looked_at = self._held.end
        self._wake.set()
        waiting = self._job is not None and self._job.priority is Priority.INTERIM
        if waiting and (newer := self._due()) and self._job and self._job.replace(partial(_transcribe, newer)):
            self._asked = newer

    def finalise(self) -> None:
        self._finals_wanted += 1
        if self._job is not None:
            self._job.withdraw()
        self._wake.set()

    async def aclose(self) -> None:
        self._closed = True
        if self._job is not None:
            self._job.forget()
        self._wake.set()

    async def __aiter__(self) -> AsyncGenerator[Transcript, None]:
        """:raises Overloaded: when the models are half a minute behind, or their queue is full.
        :raises Malformed: when the model fails.
        """
        while not self._closed:
            self._wake.clear()
            self._let_go()
            if self._held.held_ms > _MOST_HELD_MS:
                raise Overloaded("the model is half a minute behind", provider=Moonshine.name)
            if self._held.held_ms > _LONGEST_MS:
                await self._settle_a_part()
            elif self._finals_wanted:
                if await self._answer_all():
                    self._finals_wanted -= 1
                    yield self._transcript(final=True)
            elif question := self._due():
                if await self._ask(question, Priority.INTERIM) and self._text() != self._told:
                    yield self._transcript(final=False)
            else:
                await self._wake.wait()

    # --- what to ask ----------------------------------------------------------------------------------------------

    def _speech(self) -> Span | None:
        """Where there is speech in what is held. What was speech stays it, however loud the rest."""
        speech = self._held.speech()
        if self._answered is None:
            return speech
        known = self._answered.speech
        return known if speech is None else replace(speech, start=min(speech.start, known.start))

    def _due(self) -> _Question | None:
        """The next interim: in a pause, that it may become the final; or when enough was said since the last."""
        speech = self._speech()
        if speech is None:
            return None
        asked = self._asked
        nothing_new = asked is not None and speech.end - asked.speech.end <= _ROUNDING_FRAMES
        if self._held.end - speech.end >= _PAUSE_FRAMES:
            is_known = nothing_new and asked is not None and asked.tail_frames >= _ENOUGH_TAIL_FRAMES
            return None if is_known else self._about(speech)
        if nothing_new:
            return None
        length = speech.end - speech.start
        if asked is None:
            return self._about(speech) if length >= _FIRST_INTERIM_FRAMES else None
        # Its cost grows with its length, so it becomes rarer as it grows.
        wait = max(self._interim_every_frames, length // 8)
        return self._about(speech) if speech.end - asked.speech.end >= wait else None

    def _about(self, speech: Span, before: int | None = None) -> _Question:
        end = min(speech.end + _TAIL_FRAMES, self._held.end if before is None else before)
        pcm = self._held.pcm(Span(speech.start - _LEAD_FRAMES, end))
        lead = _AROUND_A_CUT if self._is_cut else b""
        tail = _AROUND_A_CUT if before is not None else b""
        return _Question(speech, end, lead + pcm + tail)

    async def _ask(self, question: _Question, priority: Priority) -> bool:
        """False when it was withdrawn, or dropped."""
        self._asked = question
        answer = await self._work(question, priority)
        if answer is None:
            self._asked = self._answered
            return False
        self._answered, self._answer = self._asked, answer  # a newer one may have taken its place
        return True

    async def _answer_all(self) -> bool:
        speech = self._speech()
        if speech is None:
            return True
        question = self._about(speech)
        if self._answered is not None and self._answered.covers(question):
            return True
        return await self._ask(question, Priority.FINAL)

    async def _work(self, question: _Question, priority: Priority) -> str | None:
        expires_after_s = _INTERIM_EXPIRES_AFTER_S if priority is Priority.INTERIM else None
        work = partial(_transcribe, question)
        self._job = shared_worker().submit(work, priority, expires_after_s=expires_after_s)
        try:
            return await self._job.result()
        finally:
            self._job = None

    # --- what is held ---------------------------------------------------------------------------------------------

    def _let_go(self) -> None:
        """Of what needs no model any more: silence before speech, and phrases that are transcribed."""
        speech, answered = self._speech(), self._answered
        quiet_until = self._held.end if speech is None else speech.start
        self._held.drop(quiet_until - _KEPT_SILENCE_FRAMES)
        if self._held.held_ms < _PHRASE_MS or speech is None or answered is None:
            return
        if answered.tail_frames >= _PAUSE_FRAMES and speech.end > answered.end:
            self._settle(self._answer, answered.end - _LEAD_FRAMES, in_speech=False)

    async def _settle_a_part(self) -> None:
        cut = self._held.quietest(Span(self._held.start + _LEAST_PART_FRAMES, self._held.end - _LEAST_REST_FRAMES))
        speech = self._held.speech(before=cut)
        text: str | None = ""
        if speech is not None:
            part = self._about(speech, cut)
            text = await self._work(part, Priority.FINAL if self._finals_wanted else Priority.SYNTHESIS)
            if text is not None and part.tail_frames < _PAUSE_FRAMES:
                text = text.rstrip(".,!?")  # nobody paused there: the cut did
        if text is not None:
            self._settle(text, cut, in_speech=True)

    def _settle(self, text: str, before: int, *, in_speech: bool) -> None:
        self._settled = _joined(self._settled, text)
        self._is_cut = in_speech
        self._held.drop(before)
        self._answered, self._answer, self._asked = None, "", None

    def _text(self) -> str:
        return _joined(self._settled, self._answer)

    def _transcript(self, *, final: bool) -> Transcript:
        self._told = self._text()
        return Transcript(self._told, final, language="en")


def _joined(*texts: str) -> str:
    return " ".join(filter(None, texts))


# --- on the worker ------------------------------------------------------------------------------------------------

_LOOP = re.compile(r"\b(.+?)(?:[\s.,!?]+\1\b){2,}", re.IGNORECASE)
_ENDLESS_NUMBER = re.compile(r"\b\d{1,3}(?:,\d{3}){5,}(?:,\d*)?")
_FASTEST_WORDS_PER_S = 5.0

_BREATH_FRAMES = 300 // FRAME_MS
_INVENTED = frozenset({"you", "um"})


def _transcribe(question: _Question) -> str:
    text = _ENDLESS_NUMBER.sub("", _model().transcribe(question.pcm))
    text = re.sub(r"([,.!?])[,.!?]+", r"\1", text).strip()
    if question.speech.loud < _BREATH_FRAMES and text.strip(".,!?").lower() in _INVENTED:
        return ""  # what the model makes of a breath or a cough
    # The model repeats itself where speech breaks off. Nobody says a thing three times at that rate.
    too_fast = len(text.split()) * 1000 > _FASTEST_WORDS_PER_S * question.speech.loud * FRAME_MS
    return _LOOP.sub(r"\1", text) if too_fast else text


class _Model:
    def __init__(self) -> None:
        self._transcriber = Transcriber(get_model_path("tiny-en"), ModelArch.TINY, options={"vad_threshold": "0.0"})
        # A transcript belongs to the transcriber, until its next: two threads read each other's.
        self._lock = threading.Lock()

    def transcribe(self, pcm: bytes) -> str:
        """:raises Malformed: when the library reports an error.

        Calls the C function itself: the library's method builds its array from a list while it holds the GIL, for 1.5
        ms of each second of audio, and hands back a copy of the audio in the same way.
        """
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
        transcript = ctypes.POINTER(TranscriptC)()
        with self._lock:
            error = self._transcriber._lib.moonshine_transcribe_without_streaming(  # noqa: SLF001  # see above
                self._transcriber._handle,  # noqa: SLF001  # see above
                samples.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
                len(samples),
                _RATE_HZ,
                0,
                ctypes.byref(transcript),
            )
            try:
                check_error(error)
            except MoonshineError as failure:
                raise Malformed(str(failure), provider=Moonshine.name) from failure
            lines = transcript.contents
            texts = [ctypes.string_at(lines.lines[number].text) for number in range(lines.line_count)]
        return b" ".join(texts).decode(errors="replace").strip()


_loading = threading.Lock()


@cache
def _loaded() -> _Model:
    return _Model()


def _model() -> _Model:
    """Once for the process, whichever thread is first."""
    with _loading:
        try:
            return _loaded()
        except (MoonshineError, OSError) as error:
            raise Rejected(f"the model cannot be loaded: {error}", provider=Moonshine.name) from error
