"""Preemptive generation: the agent is asked before the turn is over, and its draft is kept or thrown away.

A draft is a reply that nobody knows of yet: its text and its audio are made and held back. At the end of the turn it
becomes the reply, or the agent is asked again under a new number that replaces the draft's. It is asked for at the
onset of silence, where the interim transcript has settled, or when the final transcript is there and the silence has
to last some more.
"""

from __future__ import annotations

from difflib import SequenceMatcher

from session.bargein import words
from session.config import Preemptive

__all__ = ("keeps", "similarity")


def similarity(draft: str, final: str) -> float:
    """How alike two transcripts are, 0 to 1: by their words, whatever their case, punctuation and order."""
    return SequenceMatcher(None, sorted(words(draft)), sorted(words(final)), autojunk=False).ratio()


def keeps(rules: Preemptive, draft: str, final: str) -> bool:
    """Whether the answer to ``draft`` is the answer to ``final``. Exactly the threshold is not enough."""
    match rules.strategy:
        case "always_use":
            return True
        case "discard":
            return False
        case "use_if_similar":
            return (rules.scorer or similarity)(draft, final) > rules.similarity
