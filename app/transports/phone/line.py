"""The way out to one phone gateway: what a session says, and what is asked of the gateway, in its own messages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from starlette.types import Send

from app.transports.outbox import Outbox
from app.transports.phone.packets import Packer
from app.transports.writer import Writer
from app.wire.phone.api import (
    Clear,
    Codec,
    Command,
    Continue,
    HangUp,
    Mark,
    Message,
    Pause,
    PhoneCall,
    SendDigits,
    Speak,
)
from session.pacer import FRAME_MS, LEAD_MS
from session.transport import Buffered

__all__ = ("PhoneLine",)

MOST_AHEAD_MS = 200

_MARGIN_MS = 60
"""A packet must be there before the one before it has been played, on a network that is not always as quick."""

_MAX_AUDIO_MS = 2_000
"""What waits for a gateway that reads slowly, or for room: more has not the least chance of being heard in time."""

_MAX_URGENT = 1_000
"""Answers that a gateway asked for and does not read."""

_COMMAND_BYTES = 64


class PhoneLine:
    """A session's ``Transport`` that ``HasBuffer``.

    What is asked for at once (a clear, an answer of the protocol) goes before the audio that waits, and is encoded when
    it is asked for; audio and the marks in it are encoded when they are written, so that what was dropped was never
    part of the stream. ``abort`` cuts the connection; ``dropped`` is told how many frames were lost.
    """

    def __init__(
        self,
        codec: Codec,
        call: PhoneCall,
        *,
        stalled_after_s: float,
        abort: Callable[[], None],
        dropped: Callable[[int], None],
    ) -> None:
        self.rate_hz = call.output.rate_hz
        self.abilities = codec.abilities
        packet_ms = codec.abilities.packet_ms
        self.lead_ms = LEAD_MS if packet_ms <= FRAME_MS else min(packet_ms + _MARGIN_MS, MOST_AHEAD_MS)
        self.returns_marks = codec.abilities.marks
        self._codec = codec
        self._packer = Packer(packet_ms)
        self._packet_frames = max(1, packet_ms // FRAME_MS)
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox[Mark](
            max_frames=_MAX_AUDIO_MS // max(FRAME_MS, packet_ms),
            stalled_after_s=stalled_after_s,
            size_bytes=lambda _mark: _COMMAND_BYTES,
        )
        self._urgent: deque[Message] = deque()
        self._encoded: deque[Message] = deque()
        self._writer = Writer(self._take, self._outbox.done)
        self._abort = abort
        self._dropped = dropped
        self._has_room = True
        self._paused = False
        self._is_clear = True
        self._quiet: asyncio.TimerHandle | None = None

    # --- what the session calls

    def send_audio(self, frame: bytes) -> None:
        if not self.closing and (packet := self._packer.add(frame)):
            self._put_audio(packet)

    def mark(self, number: int) -> None:
        if self.closing:
            return
        if rest := self._packer.rest():
            self._put_audio(rest)
        if self.returns_marks:
            self._outbox.put_message(Mark(str(number)), self._loop.time())
            self._wake_writer()

    def clear(self) -> None:
        self._packer.rest()
        self._outbox.clear_audio()
        if not self._is_clear:
            self._is_clear = True
            self._ask(Clear())
            self.keep_quiet(self.abilities.after_clear_ms)
        self.resume()

    def pause(self) -> Buffered:
        if self.abilities.pause:
            if not self._paused:
                self._paused = True
                self._ask(Pause())
            return "kept"
        if self.abilities.clear:
            self.clear()
            return "dropped"
        return "plays on"

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._ask(Continue())

    async def aclose(self) -> None:
        """The session is over; what was asked for at once is still to be written."""
        self._packer.rest()
        self._outbox.clear_audio()
        if self._quiet is not None:
            self._quiet.cancel()

    # --- what the connection calls

    @property
    def closing(self) -> bool:
        """As ``Writer.closing``."""
        return self._writer.closing

    def respond(self, message: Message) -> None:
        if not self.closing:
            self._urgent.append(message)
            self._wake_writer()

    def send_digits(self, digits: str) -> None:
        self._ask(SendDigits(digits))

    def hang_up(self) -> None:
        self._ask(HangUp())

    def room(self, *, has_room: bool) -> None:
        """Whether the gateway takes more audio; what is on its way to it waits here."""
        self._has_room = has_room
        self._writer.wake()

    def keep_quiet(self, for_ms: int) -> None:
        """Audio waits: a gateway may mix up a clear and what is behind it, or have had too much."""
        if for_ms:
            if self._quiet is not None:
                self._quiet.cancel()
            self._quiet = self._loop.call_later(for_ms / 1000, self._go_on)

    def close(self, code: int, reason: str) -> None:
        """After what is waiting. The first code stands."""
        self._writer.close(code, reason)

    async def write(self, send: Send) -> None:
        """Write until closed. Ends early, quietly, when the gateway is gone."""
        await self._writer.write(send)

    # --- inside

    def _ask(self, command: Command) -> None:
        for message in self._codec.encode(command):
            self.respond(message)

    def _put_audio(self, packet: bytes) -> None:
        before = self._outbox.dropped_frames
        self._outbox.put_audio(packet, self._loop.time())
        if self._outbox.dropped_frames != before:
            self._dropped((self._outbox.dropped_frames - before) * self._packet_frames)
        self._wake_writer()

    def _take(self) -> Message | None:
        if self._encoded:  # the rest of what one command is made of
            return self._encoded.popleft()
        if self._urgent:
            return self._urgent.popleft()
        while self._has_room and self._quiet is None and (item := self._outbox.take(self._loop.time())) is not None:
            self._is_clear = self._is_clear and not isinstance(item, bytes)
            self._encoded.extend(self._codec.encode(Speak(item) if isinstance(item, bytes) else item))
            if self._encoded:
                return self._encoded.popleft()
            self._outbox.done()
        return None

    def _go_on(self) -> None:
        self._quiet = None
        self._writer.wake()

    def _wake_writer(self) -> None:
        if self._outbox.stalled or len(self._urgent) > _MAX_URGENT:
            self.close(1011, "the gateway does not read")
            self._abort()
        self._writer.wake()
