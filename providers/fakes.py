"""A scripted provider of every kind, for tests of what stands on them. They record what they are asked.

None has a clock: where one is to be slow, give it a ``gate``, a coroutine function that is awaited at each step, and
let it through when the test is ready, or after a time. An error in a script is raised where it stands.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from providers.api import (
    AgentOutput,
    AgentRequest,
    AgentText,
    SpeechChunk,
    SpeechOptions,
    Transcript,
    TurnSoFar,
    WordTiming,
)
from providers.audio import level_dbfs
from providers.errors import ProviderError

__all__ = (
    "FakeAgent",
    "FakeEcho",
    "FakeNoise",
    "FakeStt",
    "FakeTts",
    "FakeTurnDetector",
    "FakeVad",
    "Gate",
    "Utterance",
    "after",
)

Gate = Callable[[], Awaitable[object]]
"""Awaited before each result: ``event.wait`` holds it back until the test sets the event."""


async def _open_gate() -> None:
    pass


def after(*delays_s: float) -> Gate:
    """A gate that opens by itself: the n-th time after the n-th delay, from then on after the last.

    On the loop's clock, which in ``session.testing`` costs no time.
    """
    left = deque(delays_s)

    async def gate() -> None:
        await asyncio.sleep(left.popleft() if len(left) > 1 else left[0])

    return gate


# --- speech to text ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Utterance:
    """One stream's script: an interim for each ``feed``, a final for each ``finalise``; the last final repeats."""

    finals: tuple[str | ProviderError, ...] = ("",)
    interims: tuple[str, ...] = ()


class FakeStt:
    """Each ``open`` takes the next utterance; when there are no more, nothing was said. A text is short for a final;
    an error is raised by the ``open`` whose turn it is."""

    name = "fake"

    def __init__(
        self,
        utterances: Iterable[Utterance | str | ProviderError] = (),
        *,
        rate_hz: int = 16_000,
        gate: Gate = _open_gate,
    ) -> None:
        self.rate_hz = rate_hz
        self.streams: list[FakeSttStream] = []
        self.closed = False
        self._gate = gate
        self._script = deque(Utterance((said,)) if isinstance(said, str) else said for said in utterances)

    async def warm_up(self) -> None:
        pass

    def open(self, *, language: str | None = None) -> FakeSttStream:
        utterance = self._script.popleft() if self._script else Utterance()
        if isinstance(utterance, ProviderError):
            raise utterance
        stream = FakeSttStream(utterance, language, self._gate)
        self.streams.append(stream)
        return stream

    async def aclose(self) -> None:
        self.closed = True


class FakeSttStream:
    def __init__(self, utterance: Utterance, language: str | None, gate: Gate) -> None:
        self.fed = bytearray()
        self.finalised = 0
        self.closed = False
        self._language = language
        self._gate = gate
        self._interims = deque(utterance.interims)
        self._finals = deque(utterance.finals)
        self._results: asyncio.Queue[Transcript | ProviderError | None] = asyncio.Queue()

    def feed(self, pcm: bytes) -> None:
        if self.closed or not pcm:
            return
        self.fed += pcm
        if self._interims:
            self._results.put_nowait(Transcript(self._interims.popleft(), final=False, language=self._language))

    def finalise(self) -> None:
        if self.closed:
            return
        self.finalised += 1
        said = self._finals.popleft() if len(self._finals) > 1 else self._finals[0]
        if isinstance(said, str):
            self._results.put_nowait(Transcript(said, final=True, language=self._language))
        else:
            self._results.put_nowait(said)

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        while (result := await self._results.get()) is not None:
            await self._gate()
            if self.closed:
                return
            if isinstance(result, ProviderError):
                raise result
            yield result

    async def aclose(self) -> None:
        self.closed = True
        self._results.put_nowait(None)


# --- text to speech ---------------------------------------------------------------------------------------------


class FakeTts:
    """Speech of a length that a test can compute: ``samples_per_character`` for each, in chunks, at a steady level.

    ``errors`` gives what to raise instead of the n-th chunk of any text, counted from 0; ``refusals``, what to raise
    for the n-th text.
    """

    name = "fake"

    def __init__(  # noqa: PLR0913 -- a script has a line for everything
        self,
        *,
        rate_hz: int = 16_000,
        samples_per_character: int = 800,
        chunk_samples: int = 1_600,
        errors: Sequence[ProviderError | None] = (),
        refusals: Iterable[ProviderError | None] = (),
        gate: Gate = _open_gate,
    ) -> None:
        self.rate_hz = rate_hz
        self.samples_per_character = samples_per_character
        self.requests: list[tuple[str, SpeechOptions]] = []
        self.abandoned = 0
        self.closed = False
        self._chunk_samples = chunk_samples
        self._errors = tuple(errors)
        self._refusals = deque(refusals)
        self._gate = gate

    async def warm_up(self) -> None:
        pass

    def samples(self, text: str, speed: float = 1.0) -> int:
        return round(len(text) * self.samples_per_character / speed)

    async def synthesise(self, text: str, options: SpeechOptions) -> AsyncGenerator[SpeechChunk, None]:
        if not text.strip():
            return
        self.requests.append((text, options))
        if self._refusals and (refusal := self._refusals.popleft()) is not None:
            await self._gate()
            raise refusal
        total = self.samples(text, options.speed)
        sample = array("h", [round(10_000 * options.volume)])
        words = self._timings(text, options.speed)
        try:
            for number, start in enumerate(range(0, total, self._chunk_samples)):
                await self._gate()
                if number < len(self._errors) and (error := self._errors[number]) is not None:
                    raise error
                end = min(start + self._chunk_samples, total)
                spoken = tuple(word for word in words if start < word.end_sample <= end)
                yield SpeechChunk((sample * (end - start)).tobytes(), spoken)
        except (GeneratorExit, asyncio.CancelledError):
            self.abandoned += 1
            raise

    async def aclose(self) -> None:
        self.closed = True

    def _timings(self, text: str, speed: float) -> list[WordTiming]:
        timings, at = [], 0
        for word in text.split():
            at = text.index(word, at) + len(word)
            timings.append(WordTiming(word, self.samples(text[:at], speed)))
        return timings


# --- voice activity and noise -----------------------------------------------------------------------------------


class FakeVad:
    """First the scripted probabilities, or errors, one for each window of any stream; then 1 for a window that is loud
    enough."""

    name = "fake"

    def __init__(
        self,
        probabilities: Iterable[float | ProviderError] = (),
        *,
        threshold_dbfs: float = -40.0,
        rate_hz: int = 16_000,
        window_samples: int = 512,
        gate: Gate = _open_gate,
    ) -> None:
        self.gate = gate
        self.rate_hz = rate_hz
        self.window_samples = window_samples
        self.threshold_dbfs = threshold_dbfs
        self.script = deque(probabilities)
        self.windows = 0
        self.opened = 0
        self.closed = False

    async def warm_up(self) -> None:
        pass

    def open(self) -> FakeVadStream:
        self.opened += 1
        return FakeVadStream(self)

    async def aclose(self) -> None:
        self.closed = True


class FakeVadStream:
    def __init__(self, vad: FakeVad) -> None:
        self._vad = vad
        self.closed = False

    async def detect(self, window: bytes) -> float:
        self._vad.windows += 1
        await self._vad.gate()
        if self._vad.script:
            scripted = self._vad.script.popleft()
            if isinstance(scripted, ProviderError):
                raise scripted
            return scripted
        return float(level_dbfs(window) >= self._vad.threshold_dbfs)

    def close(self) -> None:
        self.closed = True


class FakeEcho:
    """Subtracts the reference that came with the frame: of an echo without delay nothing is left.

    ``played`` and ``heard`` are what its streams were given; ``error`` is raised by each ``process``.
    """

    name = "fake"
    rate_hz = 16_000
    frame_samples = 160
    delay_samples = 0

    def __init__(self, *, error: Exception | None = None) -> None:
        self.error = error
        self.played: list[bytes] = []
        self.heard: list[bytes] = []
        self.streams: list[FakeEchoStream] = []
        self.closed = False

    async def warm_up(self) -> None:
        pass

    def open(self) -> FakeEchoStream:
        self.streams.append(FakeEchoStream(self))
        return self.streams[-1]

    async def aclose(self) -> None:
        self.closed = True


class FakeEchoStream:
    def __init__(self, echo: FakeEcho) -> None:
        self._echo = echo
        self.closed = False

    def played(self, frame: bytes) -> None:
        self._echo.played.append(frame)

    def process(self, frame: bytes) -> bytes:
        self._echo.heard.append(frame)
        if self._echo.error is not None:
            raise self._echo.error
        both = zip(array("h", frame), array("h", self._echo.played[-1]), strict=True)
        return array("h", [max(-32_768, min(32_767, heard - played)) for heard, played in both]).tobytes()

    def close(self) -> None:
        self.closed = True


class FakeNoise:
    """Passes every frame through ``change``, which keeps its length; unchanged where there is none."""

    name = "fake"

    def __init__(
        self,
        change: Callable[[bytes], bytes] = bytes,
        *,
        rate_hz: int = 16_000,
        frame_samples: int = 160,
        error: ProviderError | None = None,
    ) -> None:
        self.rate_hz = rate_hz
        self.frame_samples = frame_samples
        self.change = change
        self.error = error
        self.frames = 0
        self.closed = False

    async def warm_up(self) -> None:
        pass

    def open(self) -> FakeNoiseStream:
        return FakeNoiseStream(self)

    async def aclose(self) -> None:
        self.closed = True


class FakeNoiseStream:
    def __init__(self, noise: FakeNoise) -> None:
        self._noise = noise
        self.closed = False

    def process(self, frame: bytes) -> bytes:
        self._noise.frames += 1
        if self._noise.error is not None:
            raise self._noise.error
        return self._noise.change(frame)

    def close(self) -> None:
        self.closed = True


# --- the end of a turn and the agent ----------------------------------------------------------------------------


class FakeTurnDetector:
    """The scripted verdicts in order, the last one for ever."""

    name = "fake"
    audio_ms = 0

    def __init__(self, verdicts: Sequence[float | ProviderError] = (1.0,), *, gate: Gate = _open_gate) -> None:
        self.turns: list[TurnSoFar] = []
        self.closed = False
        self._verdicts = deque(verdicts)
        self._gate = gate

    async def warm_up(self) -> None:
        pass

    async def judge(self, turn: TurnSoFar) -> float:
        self.turns.append(turn)
        verdict = self._verdicts.popleft() if len(self._verdicts) > 1 else self._verdicts[0]
        await self._gate()
        if isinstance(verdict, ProviderError):
            raise verdict
        return verdict

    async def aclose(self) -> None:
        self.closed = True


Step = AgentOutput | str | ProviderError
"""What a fake agent does next: a text is short for ``AgentText``."""


class FakeAgent:
    """``answer`` maps a request to the steps of its answer; a sequence of answers is given out turn by turn.

    When the sequence is used up the agent is silent. ``gate`` is awaited before each step.
    """

    name = "fake"

    def __init__(
        self,
        answer: Callable[[AgentRequest], Iterable[Step]] | Sequence[Sequence[Step]] = (),
        *,
        gate: Gate = _open_gate,
    ) -> None:
        self.asked: list[AgentRequest] = []
        self.told: list[AgentRequest] = []
        self.abandoned: list[AgentRequest] = []
        self.closed = False
        self._gate = gate
        if callable(answer):
            self._answer = answer
        else:
            script = deque(answer)
            self._answer = lambda _: script.popleft() if script else ()

    async def warm_up(self) -> None:
        pass

    async def ask(self, request: AgentRequest) -> AsyncGenerator[AgentOutput, None]:
        self.asked.append(request)
        try:
            for step in self._answer(request):
                await self._gate()
                if isinstance(step, ProviderError):
                    raise step
                yield AgentText(step) if isinstance(step, str) else step
        except (GeneratorExit, asyncio.CancelledError):
            self.abandoned.append(request)
            raise

    async def notify(self, request: AgentRequest) -> None:
        self.told.append(request)
        await self._gate()

    async def aclose(self) -> None:
        self.closed = True
