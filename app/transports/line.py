"""The way out of one WebSocket: what a session says and tells, written by one task, on time or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Send

from app.transports.outbox import Outbox
from app.transports.writer import Writer
from app.wire import messages
from app.wire.messages import FRAME_MS, AudioFormat
from providers import audio
from session.notices import Ended, EndReason, Notice

__all__ = ("Line",)

_MAX_FRAMES = 2000 // FRAME_MS
"""Two seconds of audio: more has not the least chance of being heard in time."""


class Line:
    """A session's ``Transport``.

    ``abort`` cuts the connection without a farewell; ``dropped`` is told how many frames were lost.
    Nothing here waits, except ``write``, which one task runs.
    """

    def __init__(
        self,
        output: AudioFormat,
        *,
        stalled_after_s: float,
        abort: Callable[[], None],
        dropped: Callable[[int], None],
    ) -> None:
        self.rate_hz: int = output.sample_rate
        self._encoding = output.encoding
        self._outbox = Outbox[str](max_frames=_MAX_FRAMES, stalled_after_s=stalled_after_s, size_bytes=len)
        self._clock_s = asyncio.get_running_loop().time
        self._writer = Writer(lambda: self._outbox.take(self._clock_s()), self._outbox.done)
        self._abort = abort
        self._dropped = dropped

    # --- what the session calls

    def send_audio(self, frame: bytes) -> None:
        if self.closing:
            return
        before = self._outbox.dropped_frames
        self._outbox.put_audio(audio.encode(frame, self._encoding), self._clock_s())
        if self._outbox.dropped_frames != before:
            self._dropped(self._outbox.dropped_frames - before)
        self._wake_writer()

    def clear(self) -> None:
        self._outbox.clear_audio()

    async def aclose(self) -> None:
        """The session is over; its last message is still to be written."""
        self._outbox.clear_audio()

    # --- what the endpoint calls

    @property
    def closing(self) -> bool:
        """As ``Writer.closing``."""
        return self._writer.closing

    def tell(self, notice: Notice) -> None:
        text = messages.encode(notice)
        if text is not None:
            self.send(text)
        if isinstance(notice, Ended):
            going_away = notice.reason is EndReason.SERVER_SHUTDOWN
            self.close(1001 if going_away else 1000, notice.reason)

    def send(self, text: str) -> None:
        if not self.closing:
            self._outbox.put_message(text, self._clock_s())
            self._wake_writer()

    def close(self, code: int, reason: str) -> None:
        """After what is waiting. The first code stands."""
        self._writer.close(code, reason)

    async def write(self, send: Send) -> None:
        """Write until closed. Ends early, quietly, when the client is gone."""
        await self._writer.write(send)

    def _wake_writer(self) -> None:
        if self._outbox.stalled:
            self.close(1011, "the client does not read")
            self._abort()
        self._writer.wake()
