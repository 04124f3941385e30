"""The words of a text as they are written, each with the marks around it and its neighbours."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ("Place", "Rule", "Word")

_OPENING = "\"'“‘([{«¿¡*"  # noqa: RUF001 - the quotation mark is meant
_CLOSING = ".,;:!?…\"'”’)]}»*"  # noqa: RUF001 - as above


class Word:
    """``lead`` and ``trail`` are the marks around what is said."""

    __slots__ = ("core", "lead", "text", "trail")

    def __init__(self, text: str) -> None:
        self.text = text
        rest = text.lstrip(_OPENING)
        self.lead = text[: len(text) - len(rest)]
        self.core = rest.rstrip(_CLOSING)
        self.trail = rest[len(self.core) :]


class Place:
    """A word among its neighbours."""

    __slots__ = ("_words", "at", "day_first")

    def __init__(self, words: list[Word], at: int, *, day_first: bool) -> None:
        self._words = words
        self.at = at
        self.day_first = day_first

    def near(self, offset: int) -> str:
        """The bare word so many places on; nothing where a mark stands between, or where the text is over."""
        here, there = self.at, self.at + offset
        if not 0 <= there < len(self._words):
            return ""
        between = self._words[min(here, there) : max(here, there)]
        if any(word.trail.strip(")") not in {"", ".", ","} for word in between):
            return ""
        return self._words[there].core

    def apart(self, offset: int) -> bool:
        """Whether a comma or a full stop stands between."""
        here, there = self.at, self.at + offset
        return any(set(word.trail) & set(".,") for word in self._words[min(here, there) : max(here, there)])

    @property
    def trail(self) -> str:
        return self._words[self.at].trail

    @property
    def ends_sentence(self) -> bool:
        after = self.at + 1
        return after == len(self._words) or self._words[after].text.lstrip(_OPENING)[:1].isupper()


Rule = Callable[[str, Place], str | None]
"""What is said for a bare word at its place; None where the rule has nothing to say about it."""
