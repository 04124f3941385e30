"""Whether a line returns our voice: by what can be subtracted from what is heard, and by when nothing is heard.

A canceller that knows nothing of a line yet takes part of a caller for an echo when both speak at once. So what it
makes of the audio is used while nothing is known, and on a line that echoes; on any other the audio stays as it is.

An echo that comes after so many milliseconds must be heard so long after each loud sound of ours. Where it was quiet
then, there is none of that delay; a line without any delay left has no echo. A caller who speaks over our voice from
its first word on leaves pauses enough.
"""

from __future__ import annotations

from collections import deque

__all__ = ("LONGEST_MS", "LineEcho")

LOUD_DBFS = -40.0
"""Of ours: speech, not the pause between two words."""

AUDIBLE_DBFS = -50.0
"""Of the caller's: an echo fainter than this starts no voice activity to speak of."""

SUBTRACTED_DB = 6.0
"""So much of an echo is taken away by what was expected of it; of a caller's voice it takes that by chance alone."""

CANCELLED_DB = 15.0
"""A canceller takes so much of an echo, and of a caller's voice now and then."""

ECHO_WEIGHT = 3

SURE = 150
"""Half a second of echo, or a second and a half of our speech without one."""

SUSPECTED = 100
"""A second of what looks like one."""

LONGEST_MS = 600

CLEARLY_DBFS = -30.0
"""Of ours: a phone may leave out what is faint, an echo's ends first."""

QUIETER_DB = 35.0
"""An echo is at most 25 dB below our voice. A loudspeaker and a line leave out some of it: 10 dB of a sound."""

STEADY_FRAMES = 2
"""Before and after: an echo's delay is no whole number of frames, and sounds begin and end. The shortest is 20 ms."""

QUIET_FRAMES = 10
"""For each delay: 100 ms, more than a line drops at once."""

_LATEST = LONGEST_MS // 10 + STEADY_FRAMES


class LineEcho:
    """``found`` is None until it is known; later it may change, as lines do."""

    def __init__(self) -> None:
        self._know_nothing()

    def _know_nothing(self) -> None:
        self.found: bool | None = None
        self._score = self._suspicion = 0
        self.forget_delays()

    def forget_delays(self) -> None:
        """What was played is heard sooner or later than it was said to be."""
        self._played: deque[float] = deque(maxlen=_LATEST + 1)
        self._quiet = [0] * (_LATEST + 1 - 2 * STEADY_FRAMES)  # times, for each delay from 20 ms on

    def hear(self, played_dbfs: float, heard_dbfs: float, left_dbfs: float) -> None:
        """The levels of 10 ms: of what was played, of what came in, and of what is left of it without the echo that was
        expected."""
        if heard_dbfs > AUDIBLE_DBFS and heard_dbfs - left_dbfs >= SUBTRACTED_DB:
            self._score = min(SURE, self._score + ECHO_WEIGHT)
        elif _is_missing(played_dbfs, heard_dbfs):
            self._score = max(-SURE, self._score - 1)
        if self.found is None and self._no_delay_is_left(played_dbfs, heard_dbfs):
            self._score = -SURE
        if abs(self._score) == SURE:
            self.found, self._suspicion = self._score > 0, 0

    def suspect(self, played_dbfs: float, heard_dbfs: float, cancelled_dbfs: float) -> None:
        """Likewise, with what a canceller has left, on a line that has no echo: from a second of it on nothing is
        known."""
        if heard_dbfs > AUDIBLE_DBFS and heard_dbfs - cancelled_dbfs >= CANCELLED_DB:
            self._suspicion += 1
        elif _is_missing(played_dbfs, heard_dbfs):
            self._suspicion = max(0, self._suspicion - 1)
        if self._suspicion == SUSPECTED:
            self._know_nothing()

    def _no_delay_is_left(self, played_dbfs: float, heard_dbfs: float) -> bool:
        self._played.append(played_dbfs)
        loud_dbfs = max(CLEARLY_DBFS, heard_dbfs + QUIETER_DB)
        steady = 0
        for back, level_dbfs in enumerate(reversed(self._played)):
            steady = steady + 1 if level_dbfs >= loud_dbfs else 0
            if steady > 2 * STEADY_FRAMES:
                self._quiet[back - 2 * STEADY_FRAMES] += 1
        return min(self._quiet) >= QUIET_FRAMES


def _is_missing(played_dbfs: float, heard_dbfs: float) -> bool:
    """An echo that would be heard at once, if there were one that comes at once."""
    return heard_dbfs <= AUDIBLE_DBFS and played_dbfs > max(LOUD_DBFS, heard_dbfs + QUIETER_DB)
