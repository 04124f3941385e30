"""Microphone and headphones through ``sounddevice`` (extra ``mic``).

Headphones, because nothing here takes the loudspeaker's sound out of the microphone's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib import import_module
from types import TracebackType
from typing import Any, Self

__all__ = ("Headset", "HeadsetError")

_QUEUED_FRAMES = 50
"""A second of what was said and not sent yet; when the network stalls for longer, the oldest goes."""


class HeadsetError(Exception):
    """No ``sounddevice``, or no device. The message is for the user."""


class Headset:
    """Signed 16-bit little-endian mono both ways. Enter it in a running event loop."""

    def __init__(self, rate_hz: int) -> None:
        """:raises HeadsetError: when there is nothing to record or play with."""
        try:
            sounddevice: Any = import_module("sounddevice")
        except ImportError:
            raise HeadsetError("--mic needs sounddevice: pip install 'beluga-voice[mic]'") from None
        except OSError as error:
            raise HeadsetError(f"--mic needs the PortAudio library (apt install libportaudio2): {error}") from None
        self.rate_hz = rate_hz
        self.over = False
        self._said: asyncio.Queue[bytes] = asyncio.Queue(_QUEUED_FRAMES)
        self._playing = bytearray()
        self._paused = False
        try:
            self._stream = sounddevice.RawStream(
                samplerate=rate_hz, channels=1, dtype="int16", blocksize=rate_hz // 50, callback=self._exchange
            )
        except sounddevice.PortAudioError as error:
            raise HeadsetError(f"no microphone or no loudspeaker: {error}") from None

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._stream.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def begin(self) -> None:
        """Whoever wears it speaks when they like."""

    async def frames(self) -> AsyncIterator[bytes]:
        while True:
            yield await self._said.get()

    def play(self, pcm: bytes) -> None:
        self._playing += pcm

    def clear(self) -> None:
        self._playing.clear()
        self._paused = False

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def _exchange(self, recorded: bytes, played: bytearray, _count: int, _time: object, _status: object) -> None:
        """20 ms out, 20 ms in, on the sound card's thread; each step is atomic under the interpreter's lock."""
        size = len(played)
        piece = b"" if self._paused else bytes(self._playing[:size])
        del self._playing[: len(piece)]
        played[:] = piece.ljust(size, b"\0")
        self._loop.call_soon_threadsafe(self._hear, bytes(recorded))

    def _hear(self, frame: bytes) -> None:
        if self._said.full():
            self._said.get_nowait()
        self._said.put_nowait(frame)
