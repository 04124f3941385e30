"""One coroutine per job: a provider's stream in, events out.

Here is the edge to code that is not ours. Whatever a provider raises becomes a ``Failed`` event; nothing gets past.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Literal, Protocol, runtime_checkable

from providers.api import (
    Agent,
    AgentOutput,
    AgentRequest,
    AgentText,
    SpeechChunk,
    SpeechOptions,
    SpeechToText,
    SttStream,
    TextToSpeech,
    TurnDetector,
    TurnSoFar,
    WordTiming,
)
from providers.audio import sample_count
from providers.errors import ProviderError
from providers.resample import Resampler
from session.aio.agent_in_order import AgentInOrder
from session.aio.attempts import Watch
from session.aio.spans import NoSpan, NoSpans, Span, Spans
from session.aio.speech_to_text_in_order import SpeechToTextInOrder
from session.aio.text_to_speech_in_order import TextToSpeechInOrder, converted
from session.events import (
    AgentDid,
    AgentFinished,
    AgentSaid,
    Event,
    Failed,
    Judged,
    Spoken,
    SpokenWhole,
    Transcribed,
)
from session.notices import ProviderCalled

__all__ = ("Stages",)

logger = logging.getLogger(__name__)

CallKind = Literal["stt", "tts", "turn", "agent"]


@runtime_checkable
class _ForwardsWatch(Protocol):
    """A voice around others that tells its watch who speaks, as ``providers.phrase_cache`` does."""

    forwards_watch: bool

    def synthesise(
        self, text: str, options: SpeechOptions, watch: Watch | None = None
    ) -> AsyncGenerator[SpeechChunk, None]: ...


class _Call:
    """One request to a provider: how long its first result took, and how it ended, told once. The ``Watch`` of a
    request that goes to several, one after another: each is told of as a request of its own."""

    def __init__(
        self,
        kind: CallKind,
        provider: str,
        clock_ms: Callable[[], int],
        tell: Callable[[ProviderCalled], None],
        span: Span,
    ) -> None:
        self._kind: CallKind = kind
        self._clock_ms = clock_ms
        self._tell = tell
        self.span = span
        self.asks(provider)

    def asks(self, provider: str) -> None:
        self._provider = provider
        self.span.asks(provider)
        self._since_ms = self._clock_ms()
        self._latency_ms: int | None = None

    def first_result(self) -> None:
        if self._latency_ms is None:
            self._latency_ms = self._clock_ms() - self._since_ms
            self.span.first_result(self._latency_ms)

    def over(self, error: str | None = None) -> None:
        if error is None:
            self.first_result()
        latency_ms = self._clock_ms() - self._since_ms if self._latency_ms is None else self._latency_ms
        self._tell(ProviderCalled(self._kind, self._provider, latency_ms, error))
        self.span.over(error)


class _Hearing:
    """The ``Watch`` of one utterance: each final that was asked for is a request of its own."""

    def __init__(self, provider: str, call: Callable[[str, Span], _Call]) -> None:
        self._provider = provider
        self._call = call
        self._span: Span = NoSpan()
        self._finals: deque[_Call] = deque()

    def begin(self, span: Span) -> None:
        """The stream was opened before, and finals may have been asked for."""
        self._span = span
        span.asks(self._provider)
        for final in self._finals:
            final.span = span

    def asks(self, provider: str) -> None:
        self._provider = provider
        self._span.asks(provider)
        for final in self._finals:
            final.asks(provider)

    def final_asked(self) -> None:
        self._finals.append(self._call(self._provider, self._span))

    def final_came(self) -> None:
        if self._finals:
            self._finals.popleft().over()

    def over(self, error: str | None) -> None:
        if error:
            self._call(self._provider, self._span).over(error)


class Stages:
    """``queue_audio`` takes what was synthesised, at ``output_rate_hz``, before the engine is told of it."""

    def __init__(  # noqa: PLR0913 -- what every job shares, by name
        self,
        *,
        post: Callable[[Event], None],
        tell: Callable[[ProviderCalled], None],
        clock_ms: Callable[[], int],
        queue_audio: Callable[[bytes], None],
        output_rate_hz: int,
        spans: Spans | None = None,
    ) -> None:
        self._post = post
        self._tell = tell
        self._clock_ms = clock_ms
        self._queue_audio = queue_audio
        self._output_rate_hz = output_rate_hz
        self._spans = spans or NoSpans()
        self._hearings: dict[int, _Hearing] = {}

    def open(self, job: int, stt: SpeechToText, language: str | None) -> SttStream:
        """What it raises is for ``refused``."""
        if isinstance(stt, SpeechToTextInOrder):
            return stt.open(language=language, watch=self._hearing(job, stt.name))
        return stt.open(language=language)

    def finalise(self, job: int, provider: str, stream: SttStream) -> None:
        self._hearing(job, provider).final_asked()
        stream.finalise()

    async def transcribe(self, job: int, provider: str, stream: SttStream, turn_id: str = "") -> None:
        with self._spans.stage("stt", provider, turn_id) as span:
            hearing = self._hearing(job, provider)
            hearing.begin(span)

            async def work() -> None:
                async for transcript in stream:
                    if transcript.final:
                        hearing.final_came()
                    self._post(
                        Transcribed(job, transcript.text, transcript.final, transcript.language, transcript.confidence)
                    )

            try:
                hearing.over(await self._guard(job, work()))
            finally:
                self._hearings.pop(job, None)
                await stream.aclose()

    async def refused(self, job: int, provider: str, error: Exception, turn_id: str = "") -> None:
        """A stream that could not even be opened fails as one that broke."""
        with self._spans.stage("stt", provider, turn_id) as span:

            async def work() -> None:
                raise error

            hearing = self._hearing(job, provider)
            hearing.begin(span)
            del self._hearings[job]
            hearing.over(await self._guard(job, work()))

    async def judge(self, job: int, detector: TurnDetector, turn: TurnSoFar, turn_id: str = "") -> None:
        with self._spans.stage("turn", detector.name, turn_id) as span:
            call = self._call("turn", detector.name, span)

            async def work() -> None:
                probability = await detector.judge(turn)
                self._post(Judged(job, probability))

            call.over(await self._guard(job, work()))

    async def ask(self, job: int, agent: Agent, request: AgentRequest) -> None:
        with self._spans.stage("agent", agent.name, request.turn_id) as span:
            call = self._call("agent", agent.name, span)

            async def work() -> None:
                async with aclosing(self._answer(agent, request, call)) as outputs:
                    async for output in outputs:
                        call.first_result()
                        if isinstance(output, AgentText):
                            self._post(AgentSaid(job, output.delta))
                        else:
                            self._post(AgentDid(job, output.action, output.to, output.digits))
                self._post(AgentFinished(job))

            call.over(await self._guard(job, work()))

    async def say(self, job: int, tts: TextToSpeech, text: str, options: SpeechOptions, turn_id: str = "") -> None:
        with self._spans.stage("tts", tts.name, turn_id) as span:
            call = self._call("tts", tts.name, span)
            to_output = Resampler(tts.rate_hz, self._output_rate_hz)

            async def work() -> None:
                async with aclosing(self._speech(tts, text, options, call)) as chunks:
                    async for chunk in chunks:
                        call.first_result()
                        spoken = converted(chunk, to_output)
                        self._queue(job, spoken.pcm, spoken.words)
                self._queue(job, to_output.process(b"", last=True))
                self._post(SpokenWhole(job))

            call.over(await self._guard(job, work()))

    def _answer(self, agent: Agent, request: AgentRequest, call: _Call) -> AsyncGenerator[AgentOutput, None]:
        if isinstance(agent, AgentInOrder):
            return agent.ask(request, call)
        return agent.ask(request)

    def _speech(
        self, tts: TextToSpeech, text: str, options: SpeechOptions, call: _Call
    ) -> AsyncGenerator[SpeechChunk, None]:
        if isinstance(tts, TextToSpeechInOrder | _ForwardsWatch):
            return tts.synthesise(text, options, call)
        return tts.synthesise(text, options)

    def _queue(self, job: int, pcm: bytes, words: tuple[WordTiming, ...] = ()) -> None:
        if pcm or words:
            self._queue_audio(pcm)
            self._post(Spoken(job, sample_count(pcm), words))

    def _hearing(self, job: int, provider: str) -> _Hearing:
        return self._hearings.setdefault(job, _Hearing(provider, partial(self._call, "stt")))

    def _call(self, kind: CallKind, provider: str, span: Span) -> _Call:
        return _Call(kind, provider, self._clock_ms, self._tell, span)

    async def _guard(self, job: int, work: Awaitable[None]) -> str | None:
        """The code of what went wrong, once the engine was told."""
        try:
            await work
        except ProviderError as error:
            self._post(Failed(job, str(error), error.retryable, random.random()))  # noqa: S311 -- jitter is no secret
            return error.code
        except Exception as error:  # a provider is somebody else's code: its mistakes must not end the call
            logger.exception("a provider raised what its contract does not allow")
            self._post(Failed(job, f"{type(error).__name__}: {error}", retryable=False))
            return "internal_error"
        return None
