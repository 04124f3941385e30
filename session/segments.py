"""Agent text into speakable pieces: the first clause at once, then sentence by sentence.

A boundary is decided on whole words, and where its kind asks for it on the word that follows, so the pieces are the
same however the text was cut on its way. Linear in the length of the text. Standard library only.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from session.markdown import LONGEST_WORD, PlainWords, Token, Word

__all__ = ("Segmenter",)

FIRST_CLAUSE_WORDS: Final = 3
FIRST_CLAUSE_CHARS: Final = 12
"""A first piece shorter than this would sound cut off, and be over before the second is ready."""

LONG_SENTENCE_CHARS: Final = 200
"""A longer sentence is said clause by clause."""

LONGEST_PIECE_CHARS: Final = LONGEST_WORD
"""A longer clause is cut between two words."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A name or a number follows: never the end of a sentence.
_TITLES: Final = _words(
    "adm approx capt ca cf ch cmdr col dept dr ed eds eg esp est fig figs gen gov hon ie lt maj messrs mme mr mrs ms mt"
    " pp prof pres rep rev sec sen sgt st vol vs viz"
)
# May end a sentence; the word that follows tells.
_ABBREVIATIONS: Final = _words(
    "a.m al apr assn aug ave bldg blvd bros co corp dec dist etc ext feb fri ft hr hrs inc jan jr jul jun kg km lb lbs"
    " ltd mar max mi min mm mon nov oct oz p p.m ph.d pl rd sat sept sq sr thu tue tues wed yr yrs"
)
# What a sentence begins with, and a name does not.
_SENTENCE_OPENERS: Final = _words(
    "A After All Also An And Any Anything Are As At Before But By Can Could Did Do Does Everything First For From Great"
    " Had Has Have He Her Here His How However I I'd I'll I'm I've If In Is It It's Its Just Let Let's Many Maybe My No"
    " Nobody Not Nothing Now Of Oh Okay On Once One Only Or Our Perhaps Please Right She Should Since So Some Something"
    " Sorry Sure Thank Thanks That That's The Their Then There There's These They They're This Those Though To Today"
    " Tomorrow Until Was We We'll We're Well Were What What's When Where Which While Who Why Will With Would Yes"
    " Yesterday Yet You You'll You're Your"
)
_OPENING: Final = "\"'“‘«([{¿¡"  # noqa: RUF001 - the quotation mark is meant
_CLOSING: Final = "\"'”’»)]}」』】》〉）"  # noqa: RUF001 - the full-width bracket is meant
_FULL_STOPS: Final = ("!", "?", "。", "！", "？", "｡", "．", "।", "؟", "။", "።")  # noqa: RUF001 - marks of other scripts
_CLAUSE_STOPS: Final = (",", ";", ":", "，", "、", "；", "：", "،", "؛", "—")  # noqa: RUF001 - as above


class _End(Enum):
    """What a word ends. The last four are decided by the word that follows."""

    NOTHING = auto()
    CLAUSE = auto()
    SENTENCE = auto()
    IF_CAPITAL_FOLLOWS = auto()
    IF_OPENER_FOLLOWS = auto()
    UNLESS_DIGIT_FOLLOWS = auto()
    UNLESS_LOWER_FOLLOWS = auto()


class Segmenter:
    """``push`` what the agent sent, ``flush`` at its end; both give the pieces that are complete, in order.

    The pieces joined by one space are the speech text: markdown and emoji are taken out, white space is one space. No
    piece is empty or only punctuation, none is longer than 400 characters. Numbers, abbreviations, initials, e-mail
    addresses and URLs stay whole.
    """

    def __init__(self) -> None:
        self._words = PlainWords()
        self._first = True
        self._start_piece([])

    def push(self, delta: str) -> list[str]:
        pieces: list[str] = []
        for token in self._words.push(delta):
            self._take(token, pieces)
        return pieces

    def flush(self) -> list[str]:
        """What is left. The next ``push`` begins another text."""
        pieces: list[str] = []
        for token in self._words.finish():
            self._take(token, pieces)
        self._first = True
        self._start_piece([])
        return pieces

    def _start_piece(self, words: list[Word]) -> None:
        self._piece: list[Word] = []
        self._chars = 0
        self._clause_words = 0
        self._audible = False
        self._end = _End.NOTHING
        for word in words:
            self._append(word)

    def _append(self, word: Word) -> None:
        if not self._piece and word.glued and not any(map(str.isalnum, word.text)):
            return  # the stop behind an emoji behind a sentence
        self._piece.append(word)
        self._chars += len(word.text) + (not word.glued)
        self._audible = self._audible or any(map(str.isalnum, word.text))

    def _take(self, token: Token, pieces: list[str]) -> None:
        if not isinstance(token, Word):
            self._cut(len(self._piece), pieces)
            return
        if _confirms(self._end, token.text):
            self._cut(len(self._piece), pieces)
        if self._chars + len(token.text) >= LONGEST_PIECE_CHARS:
            self._cut(len(self._piece), pieces)
        if self._chars + len(token.text) >= LONGEST_PIECE_CHARS:
            self._start_piece([])  # that many characters without a letter: nothing to say
        self._append(token)
        self._end = _ending(token.text)
        if self._end is _End.SENTENCE:
            self._cut(len(self._piece), pieces)
        elif self._end is _End.CLAUSE and self._audible:
            self._clause_words = len(self._piece)
        if self._clause_words and (self._chars > LONG_SENTENCE_CHARS or self._may_open()):
            self._cut(self._clause_words, pieces)

    def _may_open(self) -> bool:
        """Whether the clause that just ended is enough to begin with."""
        return self._first and self._clause_words >= FIRST_CLAUSE_WORDS and self._chars >= FIRST_CLAUSE_CHARS

    def _cut(self, words: int, pieces: list[str]) -> None:
        """Give out the first ``words`` words. Without a letter or digit among them they wait for what follows."""
        self._end = _End.NOTHING
        if not self._audible:
            return
        text = "".join(word.text if word.glued else f" {word.text}" for word in self._piece[:words])
        pieces.append(text.strip())
        self._first = False
        self._start_piece(self._piece[words:])


def _ending(text: str) -> _End:
    bare = text.rstrip(_CLOSING)
    if bare.endswith(_FULL_STOPS):
        quoted = len(bare) < len(text) and bare[-1] in "!?"
        return _End.UNLESS_LOWER_FOLLOWS if quoted else _End.SENTENCE
    if bare.endswith(("...", "…")):
        return _End.IF_CAPITAL_FOLLOWS
    if bare.endswith("."):
        return _ending_in_a_dot(bare[:-1].lstrip(_OPENING))
    if bare.endswith(_CLAUSE_STOPS) or bare == "–":  # noqa: RUF001 - the dash between clauses
        # "March 5, 2024" and "10, 20 or 30" are said in one breath.
        return _End.NOTHING if bare[-2:-1].isdigit() else _End.CLAUSE
    return _End.NOTHING


def _ending_in_a_dot(word: str) -> _End:
    """``word`` without its dot: an abbreviation, an initial, a number, or the last word of a sentence."""
    lower = word.lower()
    if lower in _TITLES:
        return _End.NOTHING
    if lower == "no":
        return _End.UNLESS_DIGIT_FOLLOWS
    if lower in {"e.g", "i.e"}:
        return _End.NOTHING
    if lower in _ABBREVIATIONS or _is_initials(lower):
        return _End.IF_OPENER_FOLLOWS
    if not word or word[-1:].isdigit():
        return _End.IF_CAPITAL_FOLLOWS
    return _End.SENTENCE


def _is_initials(word: str) -> bool:
    """``J``, ``U.S``, ``J.R.R``."""
    return all(len(part) == 1 and part.isalpha() for part in word.split("."))


def _confirms(end: _End, following: str) -> bool:
    """Whether the word before ``following`` ended a sentence after all."""
    bare = following.lstrip(_OPENING)
    first = bare[:1]
    match end:
        case _End.IF_CAPITAL_FOLLOWS:
            return first.isalpha() and not first.islower()
        case _End.IF_OPENER_FOLLOWS:
            return bare.replace("’", "'").rstrip(_CLOSING + ",.!?:;") in _SENTENCE_OPENERS  # noqa: RUF001 - an apostrophe
        case _End.UNLESS_DIGIT_FOLLOWS:
            return not first.isdigit()
        case _End.UNLESS_LOWER_FOLLOWS:
            return not first.islower()
        case _:
            return False
