"""Has the user finished? Hears speech begin and stop, and says how much silence ends a turn."""

from __future__ import annotations

from session.config import Endpointing
from session.events import Heard

__all__ = ("FINALISE_AFTER_MS", "Hearing", "wait_ms")

FINALISE_AFTER_MS = 160
"""Silence after which the final transcript is asked for: five windows of 32 ms. Speech that goes on makes it void, so
that a short gap between two words costs one needless transcription and no time. Sooner is worse: the recogniser closes
a sentence with a full stop only where it hears some silence, and that stop is what the turn detector goes by."""

SPEECH_STARTS = 0.5
SPEECH_GOES_ON = 0.35
ONSET_MAY_BE = 0.15
"""Silero's own thresholds for the first two. A window before the first voiced one that is at least this likely belongs
to the onset: soft consonants begin a word before its vowel is recognised as speech."""

ONSET_MS = 60
"""Speech that is shorter is a click: three frames of 20 ms, or two of 32 ms."""

SURE = 0.9
UNSURE = 0.5
UNSURE_WAIT_MS = 600


def wait_ms(config: Endpointing, verdict: float | None) -> int:
    """The silence that ends the turn, given the turn detector's verdict (0 to 1; None: there is none).

    Sure that it is over: the minimum. From there to undecided it grows to 0.6 s, and from undecided to sure that it
    is not over it grows to the maximum. Linear pieces, so that a little more certainty is never punished by a jump.
    """
    if verdict is None:
        return config.minimum_silence_without_verdict_ms
    least, most = config.minimum_silence_ms, config.maximum_silence_ms
    middle = min(max(UNSURE_WAIT_MS, least), most)
    if verdict >= SURE:
        return least
    if verdict >= UNSURE:
        return round(least + (middle - least) * (SURE - verdict) / (SURE - UNSURE))
    return round(middle + (most - middle) * (UNSURE - max(verdict, 0.0)) / UNSURE)


class Hearing:
    """The caller's voice: on or off, since when, for how long. All positions are milliseconds of the caller's audio.

    Silence and speech are counted in audio, not in time: audio that is late or comes in bursts changes nothing.
    """

    def __init__(self) -> None:
        self.speaking = False
        self.voiced_now = False
        self.position_ms = 0
        self.onset_ms = 0
        self.last_voiced_ms = 0
        self.last_voiced_arrived_ms = 0
        self.last_arrived_ms = 0
        self._window_ms = 0
        self._perhaps = False
        self._candidate_ms: int | None = None
        self._maybe_onset_ms: int | None = None

    @property
    def silence_ms(self) -> int:
        return self.position_ms - self.last_voiced_ms

    @property
    def voiced_ms(self) -> int:
        """From the onset of the speech to its last voiced window, short gaps included."""
        return self.last_voiced_ms - self.onset_ms if self.speaking else 0

    def voiced_for(self, duration_ms: int) -> bool:
        """Whether the speech lasts so long, to the nearest window: 200 ms are six of 32 ms, and not seven."""
        return self.speaking and self.voiced_ms + self._window_ms // 2 >= duration_ms

    @property
    def may_begin_again(self) -> bool:
        """Whether the last window could be the onset of speech, and the next will tell."""
        return self._candidate_ms is not None or self._perhaps

    def hear(self, heard: Heard) -> bool:
        """Take the next window; True when speech begins with it."""
        start_ms = self.position_ms
        self.position_ms += heard.span_ms
        self.last_arrived_ms = heard.arrived_ms
        self._window_ms = heard.span_ms
        under_way = self.speaking or self._candidate_ms is not None
        self.voiced_now = heard.probability >= (SPEECH_GOES_ON if under_way else SPEECH_STARTS)
        self._perhaps = heard.probability >= SPEECH_GOES_ON
        if not self.voiced_now:
            self._candidate_ms = None
            self._maybe_onset_ms = start_ms if heard.probability >= ONSET_MAY_BE else None
            return False
        begins = False
        if not self.speaking:
            if self._candidate_ms is None:
                self._candidate_ms = start_ms if self._maybe_onset_ms is None else self._maybe_onset_ms
            if self.position_ms - self._candidate_ms < ONSET_MS:
                return False
            begins, self.speaking = True, True
            self.onset_ms, self._candidate_ms = self._candidate_ms, None
        self.last_voiced_ms = self.position_ms
        self.last_voiced_arrived_ms = heard.arrived_ms
        return begins

    def go_on(self, onset_ms: int) -> None:
        """After ``stop``: nobody fell silent, only a turn is over. The speech counts from ``onset_ms``."""
        self.speaking, self.onset_ms = True, onset_ms

    def stop(self) -> None:
        """The speech is over: what is voiced next is a new onset."""
        self.speaking = False
        self._candidate_ms = self._maybe_onset_ms = None
