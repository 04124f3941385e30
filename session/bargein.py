"""May the user interrupt now, and did they? Words are compared without case and punctuation."""

from __future__ import annotations

import re
from collections.abc import Iterable

from session.config import Interruption

__all__ = ("is_backchannel", "is_interruption", "words")

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


def words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def is_interruption(rules: Interruption, text: str, voiced_ms: int) -> bool:
    """Whether speech of this length and these words takes the floor from a reply that is being heard."""
    spoken = words(text)
    if _only(spoken, rules.backchannels):
        return False
    enough_words = len(spoken) >= rules.words
    long_enough = voiced_ms >= rules.duration_ms
    return (enough_words and long_enough) if rules.combine == "and" else (enough_words or long_enough)


def is_backchannel(rules: Interruption, text: str) -> bool:
    """Whether the text is nothing but listening noises, or nothing at all."""
    return _only(words(text), rules.backchannels)


def _only(spoken: list[str], phrases: Iterable[str]) -> bool:
    """Whether ``spoken`` is nothing but ``phrases``, one after another."""
    split = [words(phrase) for phrase in phrases]
    reached = {0}
    for at in range(len(spoken)):
        if at in reached:
            reached |= {at + len(phrase) for phrase in split if spoken[at : at + len(phrase)] == phrase}
    return len(spoken) in reached
