"""A scripted caller: what they say and when, as windows of voice activity and as words."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ("WINDOW_MS", "WORD_MS", "Caller", "Utterance")

WINDOW_MS = 20
WORD_MS = 300


@dataclass(frozen=True, slots=True)
class Utterance:
    """``text`` said at ``at_ms``, a word every 300 ms, or ``noise_ms`` of a sound that has no words."""

    at_ms: int
    text: str = ""
    noise_ms: int = 0

    @property
    def words(self) -> list[str]:
        return self.text.split()

    @property
    def until_ms(self) -> int:
        return self.at_ms + (len(self.words) * WORD_MS or self.noise_ms)


class Caller:
    """Utterances in order of time; what would overlap is said one after another."""

    def __init__(self, *utterances: Utterance) -> None:
        self.utterances: list[Utterance] = []
        free_ms = 0
        for said in sorted(utterances, key=lambda one: one.at_ms):
            at_ms = max(said.at_ms, free_ms)
            self.utterances.append(Utterance(at_ms, said.text, said.noise_ms))
            free_ms = self.utterances[-1].until_ms + 2 * WINDOW_MS

    def voiced(self, at_ms: int) -> bool:
        """Whether the window that ends at this time has speech in it."""
        return any(said.at_ms < at_ms <= said.until_ms for said in self.utterances)

    def words_between(self, from_ms: int, to_ms: int) -> str:
        """The words that were said to their end in this time."""
        heard: list[str] = []
        for said in self.utterances:
            for index, word in enumerate(said.words):
                start_ms = said.at_ms + index * WORD_MS
                if from_ms <= start_ms and start_ms + WORD_MS <= to_ms:
                    heard.append(word)
        return " ".join(heard)
