"""Markdown into plain words, as it streams: what is written for the eye is taken out, what is said is kept.

A word is looked at when it is complete, so nothing depends on how the text was cut on its way here. Code keeps its
words and loses its fences. Standard library only.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Final

__all__ = ("LONGEST_WORD", "Break", "PlainWords", "Token", "Word")

LONGEST_WORD: Final = 400
"""A longer run without a space is handed on in parts: memory is bounded, whatever an agent sends."""


@dataclass(frozen=True, slots=True)
class Word:
    """``glued``: no space stands before it."""

    text: str
    glued: bool = False


@dataclass(frozen=True, slots=True)
class Break:
    """The end of a paragraph, a heading, a list item, a row: a sentence ends here whatever its last character is."""


Token = Word | Break

# A word ends after these though no space follows: the stops of scripts that write none, and the dash between clauses.
_ENDS_WORD = frozenset("。！？；：，、｡．…—")  # noqa: RUF001 - these are the full-width marks
_STAYS = _ENDS_WORD | frozenset("」』】》〉）”’\"')]!?.,;:")  # noqa: RUF001 - as above
_BULLETS = frozenset("-*+•◦▪‣–")  # noqa: RUF001 - the en dash is used as a bullet

_FENCE = re.compile(r"(?:`{3,}|~{3,})(?!.*(?:```|~~~))")
_HEADING = re.compile(r"#{1,6}")
_RULE = re.compile(r"([-*_=])\1{2,}|[|:+-]*-{2,}[|:+-]*")
_ORDINAL = re.compile(r"(\d{1,3})[.)]")

_EMOJI_RANGES = "\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2300-\u23ff"
_EMOJI_PARTS = "\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f"
_EMOJI = re.compile(f"[{_EMOJI_RANGES}][{_EMOJI_RANGES}{_EMOJI_PARTS}\u200d]*")
_UNHEARD = re.compile(f"[{_EMOJI_PARTS}\u200b\u2060\ufeff\u00ad]")
_MARKED = re.compile(rf"[*_`~\[\]<>\\&{_EMOJI_RANGES}{_EMOJI_PARTS}\u200b\u2060\ufeff\u00ad]")

_AUTOLINK = re.compile(r"<([a-z][a-z0-9+.-]*:[^<>]+|[^<>@]+@[^<>]+)>", re.IGNORECASE)
_BLOCK_TAG = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|td|th|hr|h[1-6])\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][^<>]*>|<!--.*?-->", re.IGNORECASE)
_OPEN_TAG = re.compile(
    r"<(?:!--|(?:a|abbr|audio|b|break|button|code|div|em|emphasis|font|h[1-6]|i|iframe|img|input|li|ol|p|pre|prosody"
    r"|say-as|source|span|strong|sub|sup|table|td|th|tr|u|ul|video|voice)$).*",
    re.IGNORECASE,
)
_LINK = re.compile(r"\]\((?:[^()]|\([^()]*\))*\)|\]\[[^\]]*\]|\[\^[^\]]*\]|(?<=[^\s\[])\[\d+\]")
_OPEN_LINK = re.compile(r"\]\([^)]*$")
_INDEXED = re.compile(r"\w\[")
_STARS = re.compile(r"\*{2,}|(?<![\w*])\*(?=\S)|(?<=\S)\*(?![\w*])")
_UNDERSCORES = re.compile(r"(?<!\w)_+(?=\S)|(?<=[^\s_])_+(?!\w)|^_+$")
_ESCAPE = re.compile(r"\\(?=[!-/:-@\[-`{-~])")


class PlainWords:
    """Takes text in pieces of any length, gives plain words. Holds one unfinished word and the state of one line."""

    def __init__(self) -> None:
        self._start_text()

    def _start_text(self) -> None:
        self._word: list[str] = []
        self._word_may_end = False
        self._glued = False
        self._skip_to = ""
        self._fenced = False
        self._next_ordinal = 1
        self._start_line()

    def _start_line(self) -> None:
        self._at_start = True
        self._is_blank = True
        self._is_block = False
        self._in_table = False
        self._cell_ended = False
        self._marker = ""
        self._last_char = ""

    def push(self, text: str) -> list[Token]:
        out: list[Token] = []
        for char in text:
            if char.isspace():
                self._end_word(out)
                if char == "\n":
                    self._end_line(out)
                continue
            if self._word_may_end and char not in _STAYS:
                self._end_word(out, next_is_glued=True)
            self._word.append(char)
            self._word_may_end = char in _ENDS_WORD or (self._word_may_end and char in _STAYS)
            if len(self._word) >= LONGEST_WORD:
                self._end_word(out, next_is_glued=True)
        return out

    def finish(self) -> list[Token]:
        """The last word, and a break. Ready for another text afterwards."""
        out: list[Token] = []
        self._end_word(out)
        self._end_line(out)
        self._start_text()
        return [*out, Break()]

    def _end_line(self, out: list[Token]) -> None:
        if self._marker:
            out.append(Word(self._marker))  # "5." alone on its line is an answer, not the number of an item
        if self._is_blank or self._is_block or self._fenced:
            out.append(Break())
        self._skip_to = ""
        self._start_line()

    def _end_word(self, out: list[Token], *, next_is_glued: bool = False) -> None:
        raw = "".join(self._word)
        glued, self._glued = self._glued, next_is_glued
        self._word.clear()
        self._word_may_end = False
        if not raw:
            return
        self._is_blank = False
        if self._skip_to:
            glued = self._skip_to == ")"  # what follows a link's address belongs to the link's last word
            _, found, raw = raw.partition(self._skip_to)
            self._skip_to = "" if found else self._skip_to
        if self._fenced:
            self._code(raw, out)
        elif not (self._at_start and self._block_mark(raw, out)):
            self._at_start = False
            self._marker = ""
            self._cells(raw, out, glued=glued)

    def _code(self, raw: str, out: list[Token]) -> None:
        if raw.startswith(("```", "~~~")) or raw.endswith("```"):
            self._fenced, self._is_block = False, True
            raw = raw.strip("`~")
        self._at_start = False
        self._say(_EMOJI.sub(" ", raw), out)

    def _block_mark(self, raw: str, out: list[Token]) -> bool:
        """Whether this first word of a line is a mark of markdown and nothing that is said."""
        ordinal = _ORDINAL.fullmatch(raw)
        if ordinal and not self._marker and int(ordinal[1]) in (1, self._next_ordinal):
            self._next_ordinal = int(ordinal[1]) + 1
            self._marker = raw
        elif raw.startswith(("|", ">")):
            self._in_table = raw.startswith("|")
            rest = raw.lstrip(">") if not self._in_table else raw
            self._block(out)
            if rest:
                self._at_start = False
                self._cells(rest, out, glued=False)
            return True
        elif _FENCE.match(raw):
            self._fenced = True
        elif not (raw in _BULLETS or _HEADING.fullmatch(raw) or _RULE.fullmatch(raw)):
            return False
        self._block(out)
        return True

    def _block(self, out: list[Token]) -> None:
        if not self._is_block:
            out.append(Break())
        self._is_block = True

    def _cells(self, raw: str, out: list[Token], *, glued: bool) -> None:
        """The cells of a table's row are said one after the other, with a comma between."""
        if raw != "|" and not self._in_table and not self._cell_ended:
            text = self._plain(raw)
            # A stop that stood behind an emoji belongs to the word before it.
            self._say(text, out, glued=glued or (text != raw and not text.strip(" .,;:!?")))
            return
        for at, cell in enumerate(raw.split("|")):
            self._cell_ended = self._cell_ended or at > 0
            if cell and not _RULE.fullmatch(cell):
                if self._cell_ended and self._last_char.isalnum():
                    out.append(Word(",", glued=True))
                self._cell_ended = False
                self._say(self._plain(cell), out, glued=glued and at == 0)

    def _say(self, text: str, out: list[Token], *, glued: bool = False) -> None:
        for at, word in enumerate(text.split()):
            out.append(Word(word, glued=glued and at == 0))
            self._last_char = word[-1]

    def _plain(self, raw: str) -> str:
        """One word without its marks; it may become none, or several."""
        if not _MARKED.search(raw):
            return raw
        text = _ESCAPE.sub("", raw)
        text = _BLOCK_TAG.sub(" ", _AUTOLINK.sub(r"\1", text))
        text = _LINK.sub("", _TAG.sub("", text))
        for mark, end in ((_OPEN_LINK, ")"), (_OPEN_TAG, ">")):
            text, opened = mark.subn("", text)
            self._skip_to = end if opened else self._skip_to
        if not _INDEXED.search(text):
            text = text.replace("![", "").replace("[", "").replace("]", "")
        text = _STARS.sub("", text.replace("`", "").replace("~~", ""))
        if "://" not in text and "@" not in text:
            text = _UNDERSCORES.sub("", text)
        text = _UNHEARD.sub("", _EMOJI.sub(" ", text))
        return html.unescape(text)
