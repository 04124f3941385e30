"""A session's audio on its way out: the pacer, driven by the shared media clock, into a transport."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import assert_never

from session.aio.echo_cancellation import EchoCancellation
from session.aio.media_clock import MediaClock
from session.marks import Marks
from session.pacer import FRAME_MS, Pacer
from session.transport import HasBuffer, Transport

__all__ = ("FrameCounts", "Mouth", "OutputQueue")

EARLY_MS = 80
"""So much sooner than the marks tell is a sound taken to be heard, by whoever looks for its echo: a mark may be held up
on its way back by more than the shortest echo takes, and an echo that comes before its sound is found by nobody."""

FAR_OFF_MS = 60
"""Worth moving the reference of an echo within a sound."""


@dataclass(slots=True)
class FrameCounts:
    """Frames of audio that went through, for all sessions that share the object. Plain numbers: they are touched for
    every frame, and read when somebody asks."""

    received: int = 0
    sent: int = 0
    late_sent: int = 0
    dropped_sent: int = 0
    dropped_received: int = 0


class Mouth:
    """``played(turn_id, sent_samples, heard_samples)`` is called when the playout position moved. ``echo`` is told what
    is sent, and when it is to be heard."""

    def __init__(
        self,
        transport: Transport,
        clock_ms: Callable[[], int],
        played: Callable[[str, int, int], None],
        frames: FrameCounts,
        echo: EchoCancellation | None = None,
    ) -> None:
        self._transport = transport
        self._clock_ms = clock_ms
        self._played = played
        self._frames = frames
        self._echo = echo
        self._buffer = transport if isinstance(transport, HasBuffer) else None
        self._pacer = Pacer(transport.rate_hz)
        if self._buffer is not None:
            marks = Marks(come_back=self._buffer.returns_marks)
            self._pacer = Pacer(transport.rate_hz, self._buffer.lead_ms, marks)
        self._has_room = True
        self._echo_next_ms = self._echo_delay_ms = 0
        self._clock = MediaClock.of_running_loop()
        self._turn_id = ""
        self._told = (0, 0)

    def queue(self, pcm: bytes) -> None:
        self._pacer.push(pcm)
        if self._pacer.playing:
            self._run()

    def play(self, turn_id: str) -> None:
        self._turn_id = turn_id
        if self._buffer is not None:
            self._buffer.resume()
        self._pacer.play(self._clock_ms())
        self._run()

    def pause(self) -> None:
        if self._buffer is None:
            self._pacer.pause()
            return
        now_ms = self._clock_ms()
        buffered = self._buffer.pause()
        match buffered:
            case "kept":
                self._pacer.hold(now_ms)
                self._is_not_heard(now_ms)
            case "dropped":
                self._pacer.pause()
                self._pacer.rewind(now_ms)
                self._is_not_heard(now_ms)
            case "plays on":
                self._pacer.pause()
            case _:
                assert_never(buffered)

    def rewind(self) -> None:
        now_ms = self._clock_ms()
        self._pacer.rewind(now_ms)
        self._is_not_heard(now_ms)

    def clear(self, *, at_listener: bool) -> None:
        self._pacer.clear()
        self._told = (0, 0)
        if at_listener:
            self._transport.clear()
            self._is_not_heard(self._clock_ms())

    def report(self, played_ms: int) -> None:
        self._pacer.report(played_ms)
        self._tick(self._clock_ms())

    def reached(self, number: int) -> None:
        now_ms = self._clock_ms()
        self._pacer.reached(number, now_ms)
        self._tick(now_ms)

    def room(self, *, has_room: bool) -> None:
        """Nothing is sent to a buffer that is full; it goes on where it stopped."""
        self._has_room = has_room
        self._run()

    def close(self) -> None:
        self._clock.remove(self._tick)

    def _run(self) -> None:
        """The first frames go at once, the others by the clock."""
        self._tick(self._clock_ms())
        if not self._pacer.at_rest:
            self._clock.add(self._tick)

    def _tick(self, now_ms: int) -> None:
        late_before = self._pacer.late_frames
        frames = self._pacer.tick(now_ms) if self._has_room else []
        for frame in frames:
            self._transport.send_audio(frame)
        if self._echo is not None and frames:
            self._reflect(self._echo, frames)
        if self._buffer is not None and self._has_room and (number := self._pacer.mark()) is not None:
            self._buffer.mark(number)
        self._frames.sent += len(frames)
        self._frames.late_sent += self._pacer.late_frames - late_before
        position = (self._pacer.sent_samples, self._pacer.heard_samples(now_ms))
        if self._pacer.at_rest:
            self._clock.remove(self._tick)
        if position != self._told:
            self._told = position
            self._played(self._turn_id, *position)

    def _reflect(self, echo: EchoCancellation, frames: list[bytes]) -> None:
        """The reference moves to when it is heard where a sound begins, and within one only if it is far off: a
        canceller has to find the echo anew then."""
        due_ms = self._pacer.due_ms - len(frames) * FRAME_MS
        delay_ms = max(0, self._pacer.delay_ms - EARLY_MS)
        is_far_off = abs(delay_ms - self._echo_delay_ms) >= FAR_OFF_MS
        if is_far_off:
            echo.moved()
        if is_far_off or due_ms != self._echo_next_ms:
            self._echo_delay_ms = delay_ms
        self._echo_next_ms = self._pacer.due_ms
        for number, frame in enumerate(frames):
            echo.sent(frame, due_ms + number * FRAME_MS + self._echo_delay_ms)

    def _is_not_heard(self, now_ms: int) -> None:
        """What was sent, and is not due yet."""
        if self._echo is not None:
            self._echo.cut(now_ms)


class OutputQueue:
    """The transport of a session that has none: whoever iterates over ``frames()`` hears it.

    Holds 10 s; when nobody listens for longer, the oldest audio goes first, and is counted.
    """

    def __init__(self, rate_hz: int, counts: FrameCounts | None = None) -> None:
        self.rate_hz = rate_hz
        self._counts = counts or FrameCounts()
        self._frames: deque[bytes] = deque(maxlen=10_000 // FRAME_MS)
        self._changed = asyncio.Event()
        self._open = True

    def send_audio(self, frame: bytes) -> None:
        self._counts.dropped_sent += len(self._frames) == self._frames.maxlen
        self._frames.append(frame)
        self._changed.set()

    def clear(self) -> None:
        self._frames.clear()

    async def aclose(self) -> None:
        self._open = False
        self._changed.set()

    def reopen(self) -> None:
        """For another run, which does not begin with what was left of the last."""
        self._frames.clear()
        self._open = True

    async def frames(self) -> AsyncIterator[bytes]:
        while self._open or self._frames:
            while self._frames:
                yield self._frames.popleft()
            self._changed.clear()
            if self._open:
                await self._changed.wait()
