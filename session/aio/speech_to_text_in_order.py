"""Several recognisers as one: the first that is well hears, and where it fails the next hears all of it again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from providers.api import SpeechToText, SttStream, Transcript
from providers.audio import BYTES_PER_SAMPLE
from providers.errors import Malformed, TimedOut
from providers.resample import Resampler
from session.aio.attempts import PATIENCE_MS, Attempts, Members, Watch, monotonic_ms
from session.breaker import Breaker

__all__ = ("SpeechToTextInOrder",)

KEPT_MS = 30_000
"""Of an utterance, for whoever takes over; the oldest goes first."""


class SpeechToTextInOrder:
    """An utterance whose recogniser fails, or is late with a final, is heard again by the next, from its start."""

    def __init__(
        self,
        providers: Sequence[SpeechToText],
        *,
        patience_ms: int = PATIENCE_MS,
        clock_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._members = Members[SpeechToText](providers, patience_ms, clock_ms)
        self.name = self._members.first.name
        self.rate_hz = self._members.first.rate_hz

    @property
    def breakers(self) -> tuple[tuple[str, Breaker], ...]:
        return self._members.breakers

    async def warm_up(self) -> None:
        await self._members.warm_up()

    def open(self, *, language: str | None = None, watch: Watch | None = None) -> _StreamInOrder:
        """:raises ProviderError: the last failure, when none could be opened."""
        return _StreamInOrder(self._members.attempts(watch), self.rate_hz, language)

    async def aclose(self) -> None:
        await self._members.aclose()


class _StreamInOrder:
    """One utterance, of which nothing is lost when somebody else takes over: what was fed is kept, while there is
    somebody who could. Each stream is read by a task of its own, so that one that is stuck holds nobody up."""

    def __init__(self, attempts: Attempts[SpeechToText], rate_hz: int, language: str | None) -> None:
        self._attempts = attempts
        self._candidates = iter(attempts)
        self._rate_hz = rate_hz
        self._language = language
        self._kept = bytearray()
        self._kept_bytes = KEPT_MS * rate_hz // 1000 * BYTES_PER_SAMPLE
        self._finals_due = 0
        self._late: asyncio.TimerHandle | None = None
        self._over = False
        # Bounded by the providers: a few interims a second, one final for each ``finalise()``, one end.
        self._results: asyncio.Queue[Transcript | Exception | None] = asyncio.Queue()
        self._leaving: set[asyncio.Task[None]] = set()
        self._stream, self._resampler, self._reader = self._opened()

    def feed(self, pcm: bytes) -> None:
        if self._over:
            return
        if self._attempts.another_may_come:
            self._kept += pcm
            del self._kept[: -self._kept_bytes]
        else:
            self._kept.clear()
        try:
            self._stream.feed(self._resampler.process(pcm))
        except Exception as error:  # noqa: BLE001 -- a vendor's code, and a vendor's mistakes
            self._broke(error)

    def finalise(self) -> None:
        if self._over:
            return
        self._finals_due += 1
        self._watch_the_clock()
        try:
            self._stream.finalise()
        except Exception as error:  # noqa: BLE001 -- as above
            self._broke(error)

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        """:raises ProviderError: the last failure, when all have failed."""
        while (result := await self._results.get()) is not None:
            if isinstance(result, Exception):
                raise result
            yield result

    async def aclose(self) -> None:
        self._over = True
        self._stop_the_clock()
        self._attempts.over()
        self._results.put_nowait(None)
        self._stop_reading()
        self._retire(self._stream)
        while self._leaving:
            await asyncio.wait(self._leaving)

    def _opened(self) -> tuple[SttStream, Resampler, asyncio.Task[None]]:
        """By the next, with all that was fed and asked for.

        :raises ProviderError: nobody is left.
        """
        for provider in self._candidates:
            stream = None
            try:
                stream = provider.open(language=self._language)
                resampler = Resampler(self._rate_hz, provider.rate_hz)
                if self._kept:
                    stream.feed(resampler.process(bytes(self._kept)))
                for _ in range(self._finals_due):
                    stream.finalise()
            except Exception as error:  # noqa: BLE001 -- as above
                self._attempts.failed(error)
                if stream is not None:
                    self._retire(stream)
            else:
                return stream, resampler, asyncio.create_task(self._read(stream))
        raise self._attempts.error

    async def _read(self, stream: SttStream) -> None:
        try:
            async for transcript in stream:
                self._heard(transcript)
        except Exception as error:  # noqa: BLE001 -- as above
            self._broke(error)
        else:
            self._broke(Malformed("the stream ended before it was closed"))

    def _heard(self, transcript: Transcript) -> None:
        self._results.put_nowait(transcript)
        if transcript.final:
            self._finals_due -= 1
            self._attempts.succeeded()
            self._stop_the_clock()
            if self._finals_due > 0:
                self._watch_the_clock()

    def _broke(self, error: Exception) -> None:
        """Another takes over at once, or the iteration ends with the last error."""
        self._stop_the_clock()
        self._attempts.failed(error)
        self._stop_reading()
        self._retire(self._stream)
        try:
            self._stream, self._resampler, self._reader = self._opened()
        except Exception as last:  # noqa: BLE001 -- raised where the transcripts are read
            self._over = True
            self._results.put_nowait(last)
        else:
            if self._finals_due:
                self._watch_the_clock()

    def _retire(self, stream: SttStream) -> None:
        self._let_finish(asyncio.create_task(_close(stream)))

    def _stop_reading(self) -> None:
        """Unless it is the reader who found out: it ends by itself."""
        if self._reader is not asyncio.current_task():
            self._reader.cancel()
        self._let_finish(self._reader)

    def _let_finish(self, task: asyncio.Task[None]) -> None:
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _watch_the_clock(self) -> None:
        if self._late is None:
            self._attempts.due()
            self._late = asyncio.get_running_loop().call_later(self._attempts.patience_ms / 1000, self._is_late)

    def _stop_the_clock(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _is_late(self) -> None:
        """Where nobody else could do better, it may take the time that the session gives it."""
        self._late = None
        if self._attempts.another_is_well:
            self._broke(TimedOut(f"gave no final within {self._attempts.patience_ms} ms"))


async def _close(stream: SttStream) -> None:
    """Of one that broke: it may break once more."""
    with contextlib.suppress(Exception):  # what was wrong with it has been told already
        await stream.aclose()
