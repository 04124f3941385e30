"""What the tests of the shell share: short sounds, a quick voice, a session made of fakes, and a witness."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable
from typing import Any, TypeVar

from providers.fakes import FakeStt, FakeTts, FakeVad
from session import VoiceSession
from session.notices import Notice

__all__ = ("LIMIT_S", "RATE_HZ", "Witness", "a_session", "a_voice", "silence", "soon", "speech")

RATE_HZ = 16_000

LIMIT_S = 3.0
"""Nothing here takes a tenth of it, unless the machine is very busy or the code is broken."""

T = TypeVar("T")
N = TypeVar("N")


def speech(duration_ms: int, rate_hz: int = RATE_HZ) -> bytes:
    """Loud enough for the fake voice activity; no two samples in a row are equal."""
    return array("h", [8_000 + at % 1_000 for at in range(duration_ms * rate_hz // 1000)]).tobytes()


def silence(duration_ms: int, rate_hz: int = RATE_HZ) -> bytes:
    return bytes(duration_ms * rate_hz // 1000 * 2)


def a_voice(ms_per_character: int = 2) -> FakeTts:
    """Says a dozen words in the time of one."""
    return FakeTts(rate_hz=RATE_HZ, samples_per_character=ms_per_character * RATE_HZ // 1000)


def a_session(**given: Any) -> VoiceSession:
    """A session of fakes, where nothing else is given."""
    parts: dict[str, Any] = {"stt": FakeStt(), "tts": a_voice(), "vad": FakeVad()}
    return VoiceSession(**(parts | given))


async def soon(awaitable: Awaitable[T]) -> T:
    async with asyncio.timeout(LIMIT_S):
        return await awaitable


class Witness:
    """Sees every notice of a session, and waits for one."""

    def __init__(self, session: VoiceSession) -> None:
        self.notices: list[Notice] = []
        self._changed = asyncio.Event()
        session.subscribe(self._see)

    def of(self, kind: type[N]) -> list[N]:
        return [notice for notice in self.notices if isinstance(notice, kind)]

    async def until(self, kind: type[N], count: int = 1) -> N:
        """The last of so many."""
        async with asyncio.timeout(LIMIT_S):
            while len(self.of(kind)) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.of(kind)[count - 1]

    def _see(self, notice: Notice) -> None:
        self.notices.append(notice)
        self._changed.set()
