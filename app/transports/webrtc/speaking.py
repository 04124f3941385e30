"""A session's frames as packets, each at its time: what waits can be dropped, and silence costs next to nothing."""

from __future__ import annotations

import asyncio
from collections import deque

from app.transports.webrtc.voice import FRAME_MS, SILENCE, OpusEncoder, VoiceTrack
from session.aio.media_clock import MediaClock

__all__ = ("Speaking",)

_MAX_FRAMES = 25
"""Half a second: more than a session is ahead of the clock, and all that is worth hearing late."""

_LAST_SILENCES = 5
"""After an utterance, for clients that wait for so many packets before they play one."""

_KEEP_WARM_S = 1.0
"""Between packets of silence while there is nothing to say, so that the stream is seen to live."""

_LATE_MS = 100
"""An event loop that was held up for longer goes on from now, and not in a burst."""


class Speaking:
    """Encodes a frame when it is sent and not before. Call `close` in the end."""

    def __init__(self, track: VoiceTrack, rate_hz: int, *, bits_per_s: int, complexity: int) -> None:
        self.dropped_frames = 0
        self._track = track
        self._encoder = OpusEncoder(rate_hz, bits_per_s, complexity)
        self._frames: deque[bytes] = deque()
        self._loop = asyncio.get_running_loop()
        self._clock = MediaClock.of_running_loop()
        self._due_ms = self._now_ms()
        self._silences_left = 0
        self._talking = False
        self._keeping_warm: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def waiting_frames(self) -> int:
        return len(self._frames)

    def keep_warm(self) -> None:
        """From now on: the track is connected."""
        if not self._talking and not self._closed:
            self._silence()

    def send(self, frame: bytes) -> None:
        if self._closed:
            return
        if len(self._frames) == _MAX_FRAMES:
            self._frames.popleft()
            self.dropped_frames += 1
        self._frames.append(frame)
        if not self._talking:
            self._talking = True
            if self._keeping_warm is not None:
                self._keeping_warm.cancel()
            self._clock.add(self._tick)
            self._tick(self._now_ms())

    def clear(self) -> None:
        """Nothing of what waits is sent: at most the frame that is on the wire is still heard."""
        self._frames.clear()

    def close(self) -> None:
        self._closed = True
        self._frames.clear()
        self._clock.remove(self._tick)
        if self._keeping_warm is not None:
            self._keeping_warm.cancel()

    def _tick(self, now_ms: int) -> None:
        self._catch_up(now_ms)
        spoken = False
        # The clock may come a moment early; a frame that waited for its next round would be a round late.
        while self._due_ms <= now_ms + FRAME_MS // 2:
            if self._frames:
                self._track.send(self._encoder.encode(self._frames.popleft()))
                self._silences_left = _LAST_SILENCES
                spoken = True
            elif spoken:
                return  # the clock was late; the session gives what follows in the same round
            elif self._silences_left:
                self._track.send(SILENCE)
                self._silences_left -= 1
            else:
                self._rest()
                return
            self._due_ms += FRAME_MS

    def _rest(self) -> None:
        self._talking = False
        self._clock.remove(self._tick)
        self._keeping_warm = self._loop.call_later(_KEEP_WARM_S, self._silence)

    def _silence(self) -> None:
        self._catch_up(self._now_ms())
        self._track.send(SILENCE)
        self._due_ms += FRAME_MS
        self._keeping_warm = self._loop.call_later(_KEEP_WARM_S, self._silence)

    def _catch_up(self, now_ms: int) -> None:
        """The time in which nothing was to be sent passes for the listener too."""
        behind = (now_ms - self._due_ms) // FRAME_MS
        if behind > 0 and (behind * FRAME_MS > _LATE_MS or not self._frames_are_due):
            self._track.pause(behind)
            self._due_ms += behind * FRAME_MS

    @property
    def _frames_are_due(self) -> bool:
        return self._talking and self._silences_left == _LAST_SILENCES

    def _now_ms(self) -> int:
        return int(self._loop.time() * 1000)
