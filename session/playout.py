"""The playout clock of one reply: samples queued, sent, heard; and from them the words that were heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

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

    def heard(self, samples: int, rate_hz: int) -> str:
        """The words of which at least half was heard after so many samples."""
        spoken = self.spoken(rate_hz)
        return " ".join(word for word, start, end in spoken if (start + end) / 2 <= samples)

    def spoken(self, rate_hz: int) -> Iterator[tuple[str, int, int]]:
        """Each word, and from which sample of the piece to which it is spoken."""
        words, start = self.text.split(), 0
        for word, end in zip(words, self._ends(words, rate_hz), strict=True):
            yield word, start, end
            start = end

    def _ends(self, words: list[str], rate_hz: int) -> list[int]:
        known = self._known(words)
        start, rest = (known[-1] if known else 0), words[len(known) :]
        left, characters = max(0, self._length(rest, start, rate_hz) - start), sum(map(len, rest)) or 1
        return [*known, *(start + left * so_far // characters for so_far in accumulate(map(len, rest)))]

    def _known(self, words: list[str]) -> list[int]:
        """The timings, if they are of all words; or of the first ones, of a piece that is still synthesised."""
        first = [timing.word for timing in self.timings] == words[: len(self.timings)]
        return [timing.end_sample for timing in self.timings] if first or len(self.timings) == len(words) else []

    def _length(self, rest: list[str], start: int, rate_hz: int) -> int:
        if self.whole:
            return self.samples
        return max(self.samples, start + len(" ".join(rest)) * SPOKEN_MS_PER_CHARACTER * rate_hz // 1000)


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

    def said_since(self, sample: int) -> str:
        """The words of which anything was sent from this position on."""
        said, piece_start = [], 0
        for piece in self._pieces:
            for word, start, end in piece.spoken(self._rate_hz):
                if piece_start + end > sample and piece_start + start < self.sent_samples:
                    said.append(word)
            piece_start += piece.samples
        return " ".join(said)

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
