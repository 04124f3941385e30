"""A recogniser that hears the same in every utterance: for tests of capacity, where no model should be measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from providers.api import Transcript
from providers.errors import Rejected

__all__ = ("Fixed", "FixedStream")


class Fixed:
    """Gives one interim when audio comes, so that a caller who breaks in has words, and a final when asked."""

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

        text: str = Field(default="hello there", max_length=10_000, description="What it hears.")
        delay_ms: int = Field(default=0, ge=0, le=10_000, description="How long a final takes.")

    name = "fixed"
    rate_hz = 16_000

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()
        self._closed = False

    async def warm_up(self) -> None:
        """Nothing to load."""

    def open(self, *, language: str | None = None) -> FixedStream:
        if self._closed:
            raise Rejected("is closed", provider=self.name)
        return FixedStream(self.options, language)

    async def aclose(self) -> None:
        self._closed = True


_Asked = Literal["interim", "final", "end"]


class FixedStream:
    def __init__(self, options: Fixed.Options, language: str | None) -> None:
        self._options = options
        self._language = language
        self._heard = False
        # Bounded by its callers: one interim a stream, one final for each ``finalise()``, one end.
        self._asked: asyncio.Queue[_Asked] = asyncio.Queue()
        self._closing = asyncio.Event()

    def feed(self, pcm: bytes) -> None:
        if pcm and not self._heard:
            self._heard = True
            self._asked.put_nowait("interim")

    def finalise(self) -> None:
        self._asked.put_nowait("final")

    async def __aiter__(self) -> AsyncGenerator[Transcript, None]:
        while not self._closing.is_set() and (asked := await self._asked.get()) != "end":
            if asked == "final" and await self._closed_within(self._options.delay_ms):
                return
            yield Transcript(self._options.text if self._heard else "", asked == "final", language=self._language)

    async def aclose(self) -> None:
        self._closing.set()
        self._asked.put_nowait("end")

    async def _closed_within(self, delay_ms: int) -> bool:
        if not delay_ms:
            return False
        try:
            async with asyncio.timeout(delay_ms / 1000):
                return await self._closing.wait()
        except TimeoutError:
            return False
