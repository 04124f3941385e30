"""Whether a line returns our voice: by what a canceller finds to take away.

A canceller that knows nothing of a line yet takes part of a caller for an echo when both speak at once. So what it
makes of the audio is used while nothing is known, and on a line that echoes; on any other the audio stays as it is.
"""

from __future__ import annotations

__all__ = ("LineEcho",)

LOUD_DBFS = -40.0
"""Of ours: speech, not the pause between two words."""

AUDIBLE_DBFS = -50.0
"""Of the caller's: an echo fainter than this starts no voice activity to speak of."""

TAKEN_DB = 15.0
"""A canceller takes so much of an echo, and of a caller's voice only now and then."""

ECHO_WEIGHT = 3

SURE = 150
"""Half a second of echo, or a second and a half of our speech without one."""


class LineEcho:
    """``found`` is None until it is known; later it may change, as lines do."""

    def __init__(self) -> None:
        self.found: bool | None = None
        self._score = 0

    def hear(self, played_dbfs: float, before_dbfs: float, after_dbfs: float) -> None:
        """The levels of 10 ms: of what was played, of what came in, and of what the canceller left of it."""
        if before_dbfs > AUDIBLE_DBFS and before_dbfs - after_dbfs >= TAKEN_DB:
            self._score = min(SURE, self._score + ECHO_WEIGHT)
        elif played_dbfs > LOUD_DBFS and before_dbfs <= AUDIBLE_DBFS:
            self._score = max(-SURE, self._score - 1)
        if abs(self._score) == SURE:
            self.found = self._score > 0
