"""What the tests of the shell share: short sounds, a quick voice, a line, a session made of fakes, and a witness."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest

from providers.fakes import FakeStt, FakeTts, FakeVad
from session import SessionError, SessionState, VoiceSession
from session.notices import Notice, StateChanged

__all__ = (
    "ASK",
    "LIMIT_S",
    "RATE_HZ",
    "STORY",
    "Line",
    "Witness",
    "a_session",
    "a_voice",
    "refused",
    "silence",
    "soon",
    "speech",
)

RATE_HZ = 16_000

LIMIT_S = 3.0
"""Nothing here takes a tenth of it, unless the machine is very busy or the code is broken."""

STORY = "Once upon a time there was a whale, and it sang. " * 20

T = TypeVar("T")
N = TypeVar("N")


def speech(duration_ms: int, rate_hz: int = RATE_HZ) -> bytes:
    """Loud enough for the fake voice activity; no two samples in a row are equal."""
    return array("h", [8_000 + at % 1_000 for at in range(duration_ms * rate_hz // 1000)]).tobytes()


def silence(duration_ms: int, rate_hz: int = RATE_HZ) -> bytes:
    return bytes(duration_ms * rate_hz // 1000 * 2)


ASK = [speech(640), silence(1_280)]
"""Something that is said, and the silence that ends a turn whatever is thought of it."""


def a_voice(ms_per_character: int = 2) -> FakeTts:
    """Says a dozen words in the time of one."""
    return FakeTts(rate_hz=RATE_HZ, samples_per_character=ms_per_character * RATE_HZ // 1000)


def a_session(**given: Any) -> VoiceSession:
    """A session of fakes, where nothing else is given."""
    parts: dict[str, Any] = {"stt": FakeStt(), "tts": a_voice(), "vad": FakeVad()}
    return VoiceSession(**(parts | given))


class Line:
    """A transport that keeps what it is given."""

    def __init__(self, rate_hz: int = RATE_HZ) -> None:
        self.rate_hz = rate_hz
        self.frames: list[bytes] = []
        self.cleared = self.closed = 0

    def send_audio(self, frame: bytes) -> None:
        self.frames.append(frame)

    def clear(self) -> None:
        self.cleared += 1

    async def aclose(self) -> None:
        self.closed += 1


async def soon(awaitable: Awaitable[T]) -> T:
    async with asyncio.timeout(LIMIT_S):
        return await awaitable


async def refused(action: Awaitable[object]) -> SessionError:
    with pytest.raises(SessionError) as error:
        await soon(action)
    return error.value


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

    async def until_speaking(self) -> None:
        """Until a reply is heard."""
        async with asyncio.timeout(LIMIT_S):
            while not any(changed.state is SessionState.SPEAKING for changed in self.of(StateChanged)):
                self._changed.clear()
                await self._changed.wait()

    def _see(self, notice: Notice) -> None:
        self.notices.append(notice)
        self._changed.set()
