"""The playout clock of one reply: samples queued, sent, heard; and from them the words that were heard."""

from __future__ import annotations

from dataclasses import dataclass, field

from providers.api import WordTiming

__all__ = ("Playout",)

SPOKEN_MS_PER_CHARACTER = 65
"""For a piece that is still being synthesised: English at an ordinary pace, some 15 characters a second."""


@dataclass(slots=True)
class _Piece:
    text: str
    samples: int = 0
    whole: bool = False
    timings: list[WordTiming] = field(default_factory=list)

    def length(self, rate_hz: int) -> int:
        if self.whole:
            return self.samples
        return max(self.samples, len(self.text) * SPOKEN_MS_PER_CHARACTER * rate_hz // 1000)

    def heard(self, samples: int, rate_hz: int) -> str:
        """The words of which at least half was heard after so many samples."""
        words = self.text.split()
        if len(self.timings) == len(words):
            ends = [timing.end_sample for timing in self.timings]
        else:
            length, characters = self.length(rate_hz), sum(map(len, words)) or 1
            ends, so_far = [], 0
            for word in words:
                so_far += len(word)
                ends.append(length * so_far // characters)
        starts = [0, *ends]
        count = sum(1 for start, end in zip(starts, ends, strict=False) if (start + end) / 2 <= samples)
        return " ".join(words[:count])


class Playout:
    """Pieces of text and the audio that was made of them, in order. Positions are samples from the reply's start."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._pieces: list[_Piece] = []
        self.queued_samples = 0
        self.sent_samples = 0
        self.heard_samples = 0

    @property
    def ahead_ms(self) -> int:
        """How much audio is queued and not heard yet."""
        return (self.queued_samples - self.heard_samples) * 1000 // self._rate_hz

    @property
    def heard_all(self) -> bool:
        return self.heard_samples >= self.queued_samples

    @property
    def heard_ms(self) -> int:
        return self.heard_samples * 1000 // self._rate_hz

    def begin_piece(self, text: str) -> None:
        self._pieces.append(_Piece(text))

    def spoken(self, samples: int, words: tuple[WordTiming, ...]) -> None:
        """More audio of the last piece."""
        self._pieces[-1].samples += samples
        self._pieces[-1].timings.extend(words)
        self.queued_samples += samples

    def spoken_whole(self) -> None:
        self._pieces[-1].whole = True

    def played(self, sent_samples: int, heard_samples: int) -> bool:
        """Move on; a position never goes back. True when it moved."""
        before = (self.sent_samples, self.heard_samples)
        self.sent_samples = min(max(self.sent_samples, sent_samples), self.queued_samples)
        self.heard_samples = min(max(self.heard_samples, heard_samples), self.sent_samples)
        return before != (self.sent_samples, self.heard_samples)

    def give_up(self) -> None:
        """What was not heard by now never will be."""
        self.queued_samples = self.sent_samples = self.heard_samples

    def heard_text(self) -> str:
        """What was heard, to the word: by the synthesiser's timing where it gives one, else by proportion."""
        left, heard = self.heard_samples, []
        for piece in self._pieces:
            if piece.whole and left >= piece.samples:
                heard.append(piece.text)
                left -= piece.samples
                continue
            if part := piece.heard(left, self._rate_hz) if left > 0 else "":
                heard.append(part)
            break
        return " ".join(heard)
