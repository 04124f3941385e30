"""A recogniser of recordings as one of streams: the utterance is transcribed in chunks while it grows.

``session.chunking`` says where it is cut; the texts are joined by the words in which they overlap. What the strategies
mean:

- ``sequential``: one chunk after another; an interim after each.
- ``parallel``: up to four chunks at a time, for a recogniser slower than speech; an interim after each, in order.
- ``streaming``: as ``sequential``, and the chunk that is still open is transcribed again whenever it has grown by
  ``size`` (at least 300 ms) since the last time: interims while somebody speaks, for several times the work.

A final costs the transcription of what was said since the last chunk.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from providers.api import BatchSpeechToText, SpeechToText, Transcript
from providers.errors import Overloaded
from providers.overlap import join
from session.chunking import Chunk, Cutter
from session.config import Chunking

__all__ = ("AnySpeechToText", "ChunkedSpeechToText", "TranscribeFunction", "as_speech_to_text")

TranscribeFunction = Callable[[bytes], Awaitable[str] | str]
AnySpeechToText = SpeechToText | BatchSpeechToText | TranscribeFunction

FUNCTION_RATE_HZ = 16_000

MOST_AT_ONCE = 4

MOST_WAITING_MS = 60_000
"""Of audio in chunks that nobody has transcribed yet: then the recogniser is too slow, and the stream is refused."""

LEAST_STEP_MS = 300


class TranscribingFunction:
    """``function(pcm)`` gets 16 kHz and returns what was said: async, or sync (then in a thread)."""

    name = "function"
    rate_hz = FUNCTION_RATE_HZ

    def __init__(self, function: TranscribeFunction) -> None:
        self._function = function

    async def warm_up(self) -> None:
        """Nothing to load."""

    async def transcribe(self, pcm: bytes, *, language: str | None = None) -> Transcript:
        if inspect.iscoroutinefunction(self._function):
            text = await self._function(pcm)
        else:
            said = await asyncio.to_thread(self._function, pcm)
            text = await said if inspect.isawaitable(said) else said
        return Transcript(str(text), final=True, language=language)

    async def aclose(self) -> None:
        """Nothing to close."""


def as_speech_to_text(stt: AnySpeechToText, chunking: Chunking) -> SpeechToText:
    """What opens streams is left as it is; what takes recordings is given them in chunks."""
    if isinstance(stt, BatchSpeechToText) and not hasattr(stt, "open"):
        return ChunkedSpeechToText(stt, chunking)
    if inspect.isroutine(stt):
        return ChunkedSpeechToText(TranscribingFunction(stt), chunking)
    return cast(SpeechToText, stt)


class ChunkedSpeechToText:
    def __init__(self, recogniser: BatchSpeechToText, chunking: Chunking) -> None:
        self.name = recogniser.name
        self.rate_hz = recogniser.rate_hz
        self._recogniser = recogniser
        self._chunking = chunking

    async def warm_up(self) -> None:
        await self._recogniser.warm_up()

    def open(self, *, language: str | None = None) -> ChunkedStream:
        return ChunkedStream(self._recogniser, self._chunking, language)

    async def aclose(self) -> None:
        await self._recogniser.aclose()


@dataclass(slots=True)
class _Piece:
    chunk: Chunk
    task: asyncio.Task[Transcript] | None = None


class ChunkedStream:
    """Whoever iterates drives it, but for the transcriptions, which are tasks."""

    def __init__(self, recogniser: BatchSpeechToText, chunking: Chunking, language: str | None) -> None:
        self._recogniser = recogniser
        self._language = language
        self._most_at_once = MOST_AT_ONCE if chunking.strategy == "parallel" else 1
        self._step_bytes: int | None = None
        if chunking.strategy == "streaming":
            self._step_bytes = max(chunking.size, _bytes(LEAST_STEP_MS, recogniser.rate_hz))
        self._most_waiting_bytes = _bytes(MOST_WAITING_MS, recogniser.rate_hz)
        self._cutter = Cutter(chunking, recogniser.rate_hz)
        self._pieces: deque[_Piece] = deque()  # bounded by _most_waiting_bytes
        self._waiting_bytes = 0
        self._is_overloaded = False
        self._settled = Transcript("", final=False, language=language)
        self._known: tuple[Chunk, Transcript] | None = None  # of the chunk that is still open
        self._interim: asyncio.Task[Transcript] | None = None
        self._finals_wanted = 0
        self._told = ""
        self._wake = asyncio.Event()
        self._closed = False

    def feed(self, pcm: bytes) -> None:
        """Once a minute waits to be transcribed audio is ignored, and the iteration raises."""
        if self._closed or self._is_overloaded:
            return
        for chunk in self._cutter.feed(pcm):
            self._pieces.append(_Piece(chunk))
            self._waiting_bytes += len(chunk.pcm)
        self._is_overloaded = self._waiting_bytes > self._most_waiting_bytes
        if self._pieces or self._step_bytes is not None:
            self._wake.set()

    def finalise(self) -> None:
        self._finals_wanted += 1
        if self._interim is not None:
            self._interim.cancel()
        self._wake.set()

    async def aclose(self) -> None:
        self._closed = True
        for task in (self._interim, *(piece.task for piece in self._pieces)):
            if task is not None:
                task.cancel()
        self._wake.set()

    async def __aiter__(self) -> AsyncGenerator[Transcript, None]:
        """:raises Overloaded: when a minute of audio waits for the recogniser. And whatever that raises."""
        while not self._closed:
            self._wake.clear()
            if self._is_overloaded:
                raise Overloaded("a minute of audio waits to be transcribed", provider=self._recogniser.name)
            self._begin()
            if self._pieces:
                await self._first_piece()
            elif self._finals_wanted:
                chunk = self._cutter.open
                if chunk is None or self._is_known(chunk) or await self._transcribe_open(chunk):
                    self._finals_wanted -= 1
                    yield self._transcript(final=True)
                continue
            elif (grown := self._grown()) is not None:
                await self._transcribe_open(grown)
            else:
                await self._wake.wait()
            if not self._closed and not self._finals_wanted and self._text().text != self._told:
                yield self._transcript(final=False)

    # --- chunks that are complete -------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Transcribe the first few that wait; one that was heard as a whole while it was open is done."""
        for place, piece in enumerate(self._pieces):
            if piece.task is None and place < self._most_at_once:
                known = self._known if place == 0 and self._is_known(piece.chunk) else None
                piece.task = asyncio.create_task(_said(known[1]) if known else self._transcribe(piece.chunk))

    async def _first_piece(self) -> None:
        piece = self._pieces[0]
        if piece.task is None or not await _over(piece.task):
            return
        self._settled = _joined(self._settled, piece.task.result(), piece.chunk.overlap_ms)
        self._known = None
        self._waiting_bytes -= len(piece.chunk.pcm)
        self._pieces.popleft()

    # --- the chunk that is still open ---------------------------------------------------------------------------

    def _is_known(self, chunk: Chunk) -> bool:
        """Whether nothing but silence was added since it was transcribed."""
        known = self._known[0] if self._known else None
        return known is not None and (known.start, known.speech_end) == (chunk.start, chunk.speech_end)

    def _grown(self) -> Chunk | None:
        if self._step_bytes is None:
            return None
        known_bytes = len(self._known[0].pcm) if self._known else 0
        if self._cutter.held_bytes - known_bytes < self._step_bytes:
            return None
        chunk = self._cutter.open
        return None if chunk is None or self._is_known(chunk) else chunk

    async def _transcribe_open(self, chunk: Chunk) -> bool:
        """False when it was cancelled: a final is wanted instead, or nothing any more."""
        task = asyncio.create_task(self._transcribe(chunk))
        self._interim = None if self._finals_wanted else task
        try:
            over = await _over(task)
        finally:
            self._interim = None
        if over:
            self._known = chunk, task.result()
        return over

    # --- texts --------------------------------------------------------------------------------------------------

    async def _transcribe(self, chunk: Chunk) -> Transcript:
        return await self._recogniser.transcribe(chunk.pcm, language=self._language)

    def _text(self) -> Transcript:
        return _joined(self._settled, self._known[1], self._known[0].overlap_ms) if self._known else self._settled

    def _transcript(self, *, final: bool) -> Transcript:
        text = self._text()
        self._told = text.text
        return Transcript(text.text, final, text.confidence, text.language)


async def _over(task: asyncio.Task[Transcript]) -> bool:
    """Wait for it; whoever waits and is cancelled cancels it. False when it was cancelled itself."""
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        raise
    return not task.cancelled()


async def _said(transcript: Transcript) -> Transcript:
    return transcript


def _joined(left: Transcript, right: Transcript, overlap_ms: int) -> Transcript:
    before, after = left.text.strip(), right.text.strip()
    text = join(before, after, overlap_ms) if before and after and overlap_ms else f"{before} {after}".strip()
    sure = [one.confidence for one in (left, right) if one.confidence is not None]
    return Transcript(text, final=False, confidence=min(sure, default=None), language=right.language or left.language)


def _bytes(duration_ms: int, rate_hz: int) -> int:
    return duration_ms * rate_hz // 1000 * 2
