"""Audio out on time: 20 ms frames, a little ahead of the clock and never more.

Pure: ``tick`` is told the time and returns the frames that are due. A listener is taken to play each frame in its turn
without a gap, so the time also tells what has been heard; one that reports its own position is believed instead, and
one that sends marks back (``session.marks``) corrects the time.
"""

from __future__ import annotations

from collections import deque

from providers.audio import BYTES_PER_SAMPLE
from session.marks import Marks

__all__ = ("FRAME_MS", "LEAD_MS", "MARK_EVERY_MS", "Pacer")

FRAME_MS = 20

LEAD_MS = 100
"""How far ahead of the clock audio is sent: enough to ride out the jitter of a loaded event loop and of a network, and
little enough that an interruption leaves almost nothing to be dropped at the listener's. At most 200."""


MARK_EVERY_MS = 500
"""Of audio that goes on; one more stands where it ends."""

UNHEARD_FRAMES = 50
"""A listener that is further behind than a second cannot have all of it again."""


class Pacer:
    """The queue of one reply at a time. Audio is signed 16-bit little-endian mono at ``rate_hz``. ``marks``: of a
    listener who sends them back."""

    def __init__(self, rate_hz: int, lead_ms: int = LEAD_MS, marks: Marks | None = None) -> None:
        self.frame_samples = rate_hz * FRAME_MS // 1000
        self.playing = False
        self.late_frames = 0
        self.sent_samples = 0
        self._rate_hz = rate_hz
        self._lead_ms = lead_ms
        self._marks = marks or Marks(come_back=False)
        self._marked_samples = 0
        self._held_ms: int | None = None
        self._ticked_frames = 0
        self._frame_bytes = self.frame_samples * BYTES_PER_SAMPLE
        self._queue = bytearray()
        self._due_ms = 0
        self._dry = True
        self._unfilled_since_ms: int | None = None
        self._on_the_way: deque[tuple[int, int]] = deque()  # (when it has been played, samples sent up to there)
        self._heard_samples = 0
        self._reported_samples: int | None = None
        self._unheard: deque[tuple[int, bytes]] = deque(maxlen=UNHEARD_FRAMES)  # (samples sent up to its end, audio)
        self._reports_from_samples = 0

    @property
    def at_rest(self) -> bool:
        """Whether time changes nothing until more is queued or played."""
        return not (self._on_the_way or self._marks.are_awaited or (self.playing and self._queue))

    @property
    def due_ms(self) -> int:
        """When a listener has played everything that was sent; past, or 0, where that is so already."""
        return self._due_ms

    @property
    def delay_ms(self) -> int:
        """How much later than that it is, as far as marks have told."""
        return self._marks.delay_ms

    def push(self, pcm: bytes) -> None:
        self._queue += pcm

    def play(self, now_ms: int) -> None:
        if self._held_ms is not None:
            self._postpone(now_ms - self._held_ms)
            self._held_ms = None
        self.playing = True
        self._due_ms = max(self._due_ms, now_ms)

    def pause(self) -> None:
        """Send nothing more. What was sent is still heard, so ``play`` goes on with the sample after it."""
        self.playing = False
        self._dry = True

    def hold(self, now_ms: int) -> None:
        """As ``pause``, of a listener who stands still and keeps what was sent, until ``play``."""
        self.pause()
        self._held_ms = now_ms

    def clear(self) -> None:
        """Drop everything; the next reply starts at sample 0."""
        self.playing = False
        self._queue.clear()
        self._on_the_way.clear()
        self._dry, self._unfilled_since_ms = True, None
        self._due_ms = 0
        self.sent_samples = self._heard_samples = 0
        self._reported_samples = self._held_ms = None
        self._unheard.clear()
        self._reports_from_samples = self._marked_samples = 0
        self._marks.forget()

    def rewind(self, now_ms: int) -> int:
        """While paused: what was sent and not heard did not arrive. It is sent again; how many samples, is returned.

        A position that is reported afterwards counts from here.
        """
        heard = self.heard_samples(now_ms)
        again = b"".join(pcm for _, pcm in self._unheard)
        if self._unheard:
            # From within a frame, when the listener has reported such a position; else from the start of one.
            start = self._unheard[0][0] - len(self._unheard[0][1]) // BYTES_PER_SAMPLE
            again = again[max(0, heard - start) * BYTES_PER_SAMPLE :]
        self._queue[:0] = again
        self._unheard.clear()
        self._on_the_way.clear()
        self._dry, self._due_ms = True, 0
        self.sent_samples -= len(again) // BYTES_PER_SAMPLE
        self._heard_samples = self._reports_from_samples = self._marked_samples = self.sent_samples
        self._reported_samples = self._held_ms = None
        self._marks.forget()
        return len(again) // BYTES_PER_SAMPLE

    def report(self, played_ms: int) -> None:
        """The listener says how much of this reply came out of the speaker.

        A report that was on its way when another reply took the place of its own counts for no more than has been sent
        of that one; for nothing, where that is nothing yet.
        """
        sent_samples = self.sent_samples - self._reports_from_samples
        played_samples = played_ms * self._rate_hz // 1000
        if sent_samples or not played_samples:
            self._reported_samples = self._reports_from_samples + min(played_samples, sent_samples)

    def mark(self) -> int | None:
        """After ``tick``: the number of a mark that is to stand behind what was sent so far, if it is time for one."""
        unmarked = self.sent_samples - self._marked_samples
        ends = self.playing and not self._queue and not self._ticked_frames
        if unmarked <= 0 or not (ends or unmarked * 1000 >= MARK_EVERY_MS * self._rate_hz):
            return None
        self._marked_samples = self.sent_samples
        return self._marks.set(self.sent_samples, self._due_ms)

    def reached(self, number: int, now_ms: int) -> None:
        """A mark came back: what was sent before it has been played."""
        self._marks.reached(number, now_ms)

    def heard_samples(self, now_ms: int) -> int:
        if self._held_ms is not None:
            now_ms = min(now_ms, self._held_ms)
        self._marks.give_up(now_ms)
        limit, clock_ms = self._marks.next_samples, now_ms - self._marks.delay_ms
        while self._on_the_way and self._on_the_way[0][0] <= clock_ms:
            if limit is not None and self._on_the_way[0][1] >= limit:
                break
            self._heard_samples = self._on_the_way.popleft()[1]
        reported = self._reported_samples
        heard = max(self._heard_samples, self._marks.reached_samples) if reported is None else reported
        while self._unheard and self._unheard[0][0] <= heard:
            self._unheard.popleft()
        return heard

    def tick(self, now_ms: int) -> list[bytes]:
        """The frames that are due by now. A last frame that is not full is filled up with silence."""
        frames: list[bytes] = []
        while self.playing and self._queue:
            full = len(self._queue) >= self._frame_bytes
            if self._dry and not full:
                # Where sound begins, the rest of a frame is on its way mostly: silence in its place would be a click.
                self._unfilled_since_ms = now_ms if self._unfilled_since_ms is None else self._unfilled_since_ms
                if now_ms < self._unfilled_since_ms + FRAME_MS:
                    break
            self._unfilled_since_ms = None
            if now_ms > self._due_ms:
                # The listener ran dry: what follows is heard that much later, and nothing is sent in a burst.
                if not self._dry:
                    self.late_frames += -(-(now_ms - self._due_ms) // FRAME_MS)
                self._due_ms = now_ms
            self._dry = False
            # A frame that is not full waits for the rest as long as there is another tick before it must be heard.
            if self._due_ms - (self._lead_ms if full else FRAME_MS) > now_ms:
                break
            frame = bytes(self._queue[: self._frame_bytes])
            del self._queue[: self._frame_bytes]
            self.sent_samples += len(frame) // BYTES_PER_SAMPLE
            self._due_ms += FRAME_MS
            self._on_the_way.append((self._due_ms, self.sent_samples))
            self._unheard.append((self.sent_samples, frame))
            frames.append(frame if full else frame.ljust(self._frame_bytes, b"\0"))
        if not self._queue and now_ms >= self._due_ms:
            self._dry = True
        self._ticked_frames = len(frames)
        return frames

    def _postpone(self, by_ms: int) -> None:
        self._on_the_way = deque((due_ms + by_ms, samples) for due_ms, samples in self._on_the_way)
        self._due_ms += by_ms
        self._marks.postpone(by_ms)
