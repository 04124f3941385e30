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
    """Whether ``spoken`` is nothing but ``phrases``, one after another; longer phrases are tried first."""
    if not spoken:
        return True
    split = sorted((words(phrase) for phrase in phrases), key=len, reverse=True)
    return any(phrase and spoken[: len(phrase)] == phrase and _only(spoken[len(phrase) :], phrases) for phrase in split)
