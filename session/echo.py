"""Our own voice, come back through the caller's microphone: what is recognised is compared with what was being played.

Only words that were in the air while the caller's sound began, or since, can be an echo; so a caller who answers with
the agent's own words ("or coffee?" "Coffee.") is not taken for one, unless they say them at the very same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from session.bargein import words
from session.playout import Playout

__all__ = ("EchoGuard", "Overlap", "without_echo")

LOOK_BACK_MS = 800
"""An echo comes 60 to 400 ms after the sound, and voice activity is sure of it some 100 ms later."""

MOSTLY = 0.6
"""Of what is heard, so much is recognised as played: then the rest is what the recogniser made of a faint voice."""

RUN = 3
"""So many words in a row that were just being played are no chance, whatever else was said."""

ALIKE = 0.7

MOMENT_MS = 400
"""Longer than a canceller takes to find a sound again whose way has changed, and shorter than two words."""

EVIDENCE_WORDS = 3
"""A caller may say one word of ours by chance while we say it, and not another two."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """A turn of the user's that began while this was being played, and how far it had been heard then."""

    playout: Playout
    heard_samples: int


def without_echo(heard: str, played: str, *, line_echoes: bool) -> str:
    """What the caller said themselves.

    On a line that is not known to echo all of it must be explained by what was played, or nothing is taken away.
    """
    tokens = [(token, spoken) for token in heard.split() if (spoken := "".join(words(token)))]
    echoed = _echoed([spoken for _, spoken in tokens], words(played))
    if not any(echoed):
        return heard
    mostly = sum(echoed) >= MOSTLY * len(echoed)
    if mostly and not _own_run(echoed):
        return ""
    if not line_echoes:
        return heard
    return " ".join(token for (token, _), is_echo in zip(tokens, echoed, strict=True) if not is_echo)


def _own_run(echoed: list[bool]) -> bool:
    """Whether two words side by side are none of ours: more than one slip of the recogniser."""
    return any(not first and not second for first, second in pairwise(echoed))


def _echoed(heard: list[str], played: list[str]) -> list[bool]:
    """Which of the words stand in the same order in what was played; a few by themselves only if they are most."""
    matches = SequenceMatcher(None, heard, _respelt(played, heard), autojunk=False).get_matching_blocks()
    share = sum(block.size for block in matches)
    echoed = [False] * len(heard)
    for block in matches:
        if block.size >= RUN or share >= MOSTLY * len(heard):
            for at in range(block.a, block.a + block.size):
                echoed[at] = True
    return echoed


def _respelt(played: list[str], heard: list[str]) -> list[str]:
    """Each played word as the recogniser has it, where it heard one that is alike."""
    known = set(heard)
    return [word if word in known else next((other for other in heard if _alike(word, other)), word) for word in played]


def _alike(played: str, heard: str) -> bool:
    """A faint word is misheard, or only its end is heard."""
    if len(heard) < 4:
        return False
    return played.endswith(heard) or SequenceMatcher(None, played, heard).ratio() >= ALIKE


class EchoGuard:
    """``is_cancelled``: an echo is taken out of the audio that is heard. What is left of it then are moments, in which
    the way of the sound has changed and the canceller does not know yet."""

    def __init__(self, rate_hz: int) -> None:
        self.is_cancelled = False
        self._evidence = 0
        self._look_back_samples = LOOK_BACK_MS * rate_hz // 1000

    @property
    def line_echoes(self) -> bool:
        """Whether our own words came back on this line; then a sound alone says nothing any more, only words do."""
        return self.is_cancelled or self._evidence >= EVIDENCE_WORDS

    def own_words(self, heard: str, overlap: Overlap | None, voiced_ms: int, *, final: bool) -> str:
        """What is left of ``heard``, in a turn that began while we spoke, after so much voice in it."""
        if overlap is None:
            return heard
        if self.is_cancelled and voiced_ms < MOMENT_MS:
            return ""
        since = overlap.heard_samples - self._look_back_samples
        own = without_echo(heard, overlap.playout.said_since(since), line_echoes=self.line_echoes)
        if final and not own:
            self._evidence += len(words(heard))
        return own
