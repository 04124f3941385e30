"""Voice activity by loudness alone: speech is what stands out of the quietest moments of the last seconds.

Standard library only, so it is what a session uses when it is given nothing else. It takes a slammed door for speech,
and music too; where a model can run, Silero is the better choice.
"""

from __future__ import annotations

import math
from collections import deque

from pydantic import BaseModel, ConfigDict, Field

from providers.audio import BYTES_PER_SAMPLE, level_dbfs
from providers.errors import Malformed, Rejected

__all__ = ("Energy", "EnergyStream")

_WINDOW_MS = 20
_FLOOR_WINDOWS = 3000 // _WINDOW_MS
"""Nobody speaks for three seconds without a quiet 20 ms: the least level of that time is the room."""

_QUIETEST_DBFS = -80.0
"""Below it a level says nothing: digital silence must not make a faint hiss look like speech."""

_UNKNOWN_ROOM_DBFS = -50.0
"""The floor before anything was heard: who speaks at once is heard, and the first quiet moment corrects it."""

_STEEPNESS_DB = 2.0
"""So many dB above the margin and the probability is 0.73, as many below and it is 0.27."""


class Energy:
    """Costs 25 µs a window. A steady noise that begins in a call counts as speech for its first 3 seconds."""

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

        margin_db: float = Field(
            default=18.0, ge=3.0, le=40.0, description="How far above the quietest 20 ms of 3 s speech begins."
        )
        least_dbfs: float = Field(
            default=-55.0, ge=-80.0, le=0.0, description="What is quieter than this is never speech."
        )

    name = "energy"
    rate_hz = 16_000
    window_samples = rate_hz * _WINDOW_MS // 1000

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()
        self._closed = False

    async def warm_up(self) -> None:
        """Nothing to load."""

    def open(self) -> EnergyStream:
        if self._closed:
            raise Rejected("is closed", provider=self.name)
        return EnergyStream(self.options)

    async def aclose(self) -> None:
        self._closed = True


class EnergyStream:
    def __init__(self, options: Energy.Options) -> None:
        self._options = options
        self._levels_dbfs = deque([_UNKNOWN_ROOM_DBFS], maxlen=_FLOOR_WINDOWS)
        self._closed = False

    async def detect(self, window: bytes) -> float:
        """The probability that this window is speech.

        :raises Malformed: when the window has not 320 samples.
        """
        if len(window) != Energy.window_samples * BYTES_PER_SAMPLE:
            raise Malformed(
                f"a window has {Energy.window_samples} samples, not {len(window) / BYTES_PER_SAMPLE:g}",
                provider=Energy.name,
            )
        if self._closed:
            raise Rejected("the stream is closed", provider=Energy.name)
        level_now = max(_QUIETEST_DBFS, level_dbfs(window))
        self._levels_dbfs.append(level_now)
        threshold = max(self._options.least_dbfs, min(self._levels_dbfs) + self._options.margin_db)
        return 1 / (1 + math.exp((threshold - level_now) / _STEEPNESS_DB))

    def close(self) -> None:
        self._closed = True
