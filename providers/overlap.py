"""Two transcripts as one, where the audio of the second begins some time before that of the first ends.

The last words of the left one and the first of the right one are the same words, heard twice: once where they break
off, once where they begin abruptly. So they are aligned as they sound, not as they are written, and those at the very
edges count for little.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

__all__ = ("Joint", "continuation", "join", "joint")

_WORDS_PER_S = 6
"""Nobody says more, so more cannot have been heard twice: who repeats themselves is not to be cut short."""

_ORDINARY_WORDS_PER_S = 4.5
_TOO_FAST = 1.0
"""For each word by which the end of the left, from where the right is said to begin, is more than is ordinarily said:
"the best of times, it was the worst of times" has two places where "of times" can begin, and one of them is too far."""

_ALIKE = 0.6
_MAYBE = 0.3
_BROKEN_OFF = 0.4
_OTHER = -6.0
_OTHER_SHORT = -2.0
"""Another word in the same place: it was said in another sentence like it, unless it is "a" for "the"."""

_MISSING = -3.0

_LEFT_OVER = (0.0, 0.3, 0.9, 1.6, 2.4)
"""What it costs to do without the last words of the left: one breaks off at the cut, and more
were guessed from it."""

_LED_IN = (0.0, 0.3, 0.8, 1.3)
"""The same for the first words of the right."""

_ENOUGH = 0.25
"""Little, for that there was an overlap is known."""

_STOPS = ".,;:!?\u2026"


@dataclass(frozen=True, slots=True)
class Joint:
    """``left[:kept] + right[dropped:]`` says everything once."""

    kept: int
    dropped: int


def join(left: str, right: str, overlap_ms: int) -> str:
    """All that was said, once. The two stand side by side where nothing in them is alike.

    ``overlap_ms``: of the audio, at most.
    """
    lefts, rights = left.split(), right.split()
    at = joint(lefts, rights, overlap_ms)
    if at.kept > 0 and 0 < at.dropped < len(rights):
        # The last word of the left stands at its cut, and what follows it is known to the right alone.
        last, again = lefts[at.kept - 1], rights[at.dropped - 1]
        if _core(last) == _core(again):
            lefts[at.kept - 1] = last.rstrip(_STOPS) + again[len(again.rstrip(_STOPS)) :]
    return " ".join(lefts[: at.kept] + rights[at.dropped :])


def continuation(left: str, right: str, overlap_ms: int, *, told_words: int) -> str:
    """What is still to be said where the first ``told_words`` of the left were: nothing of them can be taken back."""
    lefts, rights = left.split(), right.split()
    at = joint(lefts, rights, overlap_ms)
    told = [again + 1 for place, again in _alignment(lefts, rights, overlap_ms) if place < told_words]
    return " ".join(lefts[told_words : at.kept] + rights[max([at.dropped, *told]) :])


def joint(left: list[str], right: list[str], overlap_ms: int) -> Joint:
    """Where two transcripts go over into each other: in the middle of the words that both have."""
    pairs = _alignment(left, right, overlap_ms)
    if not pairs:
        return Joint(len(left), 0)
    exact = [pair for pair in pairs if _core(left[pair[0]]) == _core(right[pair[1]])]
    says_nothing_new = pairs[-1][1] == len(right) - 1
    if says_nothing_new and (pairs[-1] in exact or pairs[-1][0] < len(left) - 1):
        return Joint(len(left), len(right))
    if exact:
        kept, dropped = exact[len(exact) // 2]
        return Joint(kept + 1, dropped + 1)
    return Joint(*pairs[len(pairs) // 2])  # the word that breaks off is on the left


def _alignment(left: list[str], right: list[str], overlap_ms: int) -> list[tuple[int, int]]:
    """The pairs of words that are the same, as places in both; empty where the two have nothing in common."""
    most = -(-overlap_ms * _WORDS_PER_S // 1000) + 2
    tail, head = [_core(word) for word in left[-most:]], [_core(word) for word in right[:most]]
    return [(len(left) - len(tail) + place, again) for place, again in _best_path(tail, head, overlap_ms)]


def _best_path(tail: list[str], head: list[str], overlap_ms: int) -> list[tuple[int, int]]:
    """Through the table of all pairs, free to begin anywhere on the left and to end anywhere on the right."""
    worst = float("-inf")
    scores = [[worst] * (len(head) + 1) for _ in range(len(tail) + 1)]
    steps: dict[tuple[int, int], tuple[int, int]] = {}
    ordinary = overlap_ms * _ORDINARY_WORDS_PER_S / 1000 + 1
    for row in range(len(tail) + 1):
        too_fast = _TOO_FAST * max(0.0, len(tail) - row - ordinary)
        for column in range(len(head) + 1):
            options = [(-_LED_IN[column] - too_fast if column < len(_LED_IN) else worst, (row, column))]
            if row and column:
                weight = _weight(tail[row - 1], head[column - 1])
                options.append((scores[row - 1][column - 1] + weight, (row - 1, column - 1)))
            if row and column:
                options.append((scores[row - 1][column] + _MISSING, (row - 1, column)))
                options.append((scores[row][column - 1] + _MISSING, (row, column - 1)))
            scores[row][column], steps[row, column] = max(options, key=lambda option: option[0])
    ends = [
        (scores[row][column] - _LEFT_OVER[len(tail) - row], row, column)
        for row in range(max(0, len(tail) - len(_LEFT_OVER) + 1), len(tail) + 1)
        for column in range(1, len(head) + 1)
    ]
    best, row, column = max(ends, default=(worst, 0, 0))
    if best < _ENOUGH:
        return []
    pairs: list[tuple[int, int]] = []
    while steps[row, column] != (row, column):
        previous = steps[row, column]
        if previous == (row - 1, column - 1) and _weight(tail[row - 1], head[column - 1]) > 0:
            pairs.append(previous)
        row, column = previous
    return pairs[::-1]


@lru_cache(maxsize=1024)
def _weight(left: str, right: str) -> float:
    """A long word that returns is no chance; a short one may be."""
    if left == right:
        return 1.5 if len(left) > 4 else 1.0
    if min(len(left), len(right)) > 2 and (left.startswith(right) or right.startswith(left)):
        return _BROKEN_OFF
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    if matcher.real_quick_ratio() < _ALIKE or matcher.quick_ratio() < _ALIKE or matcher.ratio() < _ALIKE:
        return _OTHER if max(len(left), len(right)) > 3 else _OTHER_SHORT
    return _MAYBE


def _core(word: str) -> str:
    """The word as it sounds: without case and punctuation. A sign that stands alone is itself."""
    return re.sub(r"[\W_]", "", word).casefold() or word
