"""English as it is written, into English as it is said: for voices that do not know how to read it themselves.

"$5.20" is "5 dollars and 20 cents", "john@example.com" is "john at example dot com". Plain numbers and ordinals stay
digits: every voice reads those. What is not sure stays as it is, and so does text in another language.

Each word is said in its own place, and so what was heard can be told in the words of the text. No library that was
tried says all of the list in ``tests/providers/test_spoken_form.py``: wetext 0.1.8 ("$5.20": "five point two dollars",
fails at "#12345"; 45 MB, 3 ms a sentence), spokenform 0.4.5 (no addresses, "BA287" eats the words after it),
voxnorm 0.5.1 (no dates with names of months, no ranges), normt2s 0.7.0 (no telephone numbers, no addresses),
kitten-text-processing 0.1.0 (good, but 60 ms a sentence), nemo-text-processing 1.2.0 (as good, but 38 s to load,
400 MB, 125 ms a sentence).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

from providers.spoken_amounts import AMOUNTS, BESIDE_AN_AMOUNT, MONTHS, digit_by_digit
from providers.written_words import Place, Rule, Word

__all__ = ("SpokenWord", "spoken_words")


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word of the text, between two spaces, and what is said at its place: nothing, or one word or more."""

    word: str
    spoken: str


def spoken_words(text: str, *, day_first: bool = False) -> tuple[SpokenWord, ...]:
    """``day_first``: 5/11/2026 is the 5th of November, as the British read it. Takes some 5 µs a word."""
    words = [Word(word) for word in text.split()]
    dialled = _dialled(" ".join(text.split()))
    said = []
    for at, word in enumerate(words):
        if at in dialled:
            # A bracket around an area code is no sentence of its own.
            spoken = f"{_telephone(word.core)}{word.trail.strip(')') or ',' * (at + 1 in dialled)}"
        else:
            spoken = _said(word, Place(words, at, day_first=day_first))
        said.append(SpokenWord(word.text, spoken))
    return tuple(said)


def _said(word: Word, place: Place) -> str:
    short = _abbreviation(word, place)
    if short is not None:
        return word.lead + short
    if word.core.isalpha() and word.core.isascii():
        rules = _RULES_OF_WORDS
    elif any(map(str.isdecimal, word.core)):
        rules = _RULES_OF_DIGITS
    else:
        rules = _RULES_OF_MARKS
    for rule in rules:
        said = rule(word.core, place)
        if said is not None:
            return f"{word.lead}{said}{word.trail}" if said else ""
    return word.text


# --- telephone numbers and codes -----------------------------------------------------------------------------------

_TELEPHONE = re.compile(
    r"(?<!\S)\(?(?:\+\d{1,3}[ .-]?(?:\(?\d{1,5}\)?[ .-]?)(?:\d{2,5}[ .-]?){1,4}\d"
    r"|(?:1[ .-])?\(\d{3}\) ?\d{3}[ .-]\d{4}|(?:1[ .-])?\d{3}[.-]\d{3}[.-]\d{4}|\d{3} \d{3} \d{4}"
    r"|\d{3}-\d{4}|0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,4})(?=[.,;:!?…)\"']*(?!\S))"
)


def _dialled(text: str) -> frozenset[int]:
    """Which words belong to telephone numbers."""
    found: set[int] = set()
    if not any(map(str.isdecimal, text)):
        return frozenset()
    for match in _TELEPHONE.finditer(text):
        first = text.count(" ", 0, match.start())
        found.update(range(first, first + match[0].count(" ") + 1))
    return frozenset(found)


def _telephone(core: str) -> str:
    groups = re.findall(r"\d+", core)
    said = ", ".join(digit_by_digit(group) if len(group) > 4 else " ".join(group) for group in groups)
    return f"plus {said}" if core.startswith("+") else said


_CODES = frozenset(
    {
        "account",
        "booking",
        "card",
        "code",
        "confirmation",
        "ending",
        "extension",
        "id",
        "no",
        "number",
        "order",
        "pin",
        "reference",
        "ticket",
        "zip",
    }
)
_CALLS = frozenset({"call", "dial", "press"})


def _code(core: str, place: Place) -> str | None:
    """Digits that are no amount: with a nought before them, too many of them, or behind the name of a code."""
    if not core.isdecimal():
        return None
    before = [place.near(-back).lower() for back in (1, 2, 3)]
    if len(core) >= 3 and before[0] in _CALLS:
        return " ".join(core)
    named = len(core) >= 4 and bool(_CODES.intersection(before)) and "of" not in before
    return digit_by_digit(core) if named or len(core) >= 7 or (len(core) > 1 and core[0] == "0") else None


def _number_sign(core: str, place: Place) -> str | None:
    found = re.fullmatch(r"#(\d+|\w+)", core)
    if found is None:
        return None
    if not found[1].isdecimal():
        return _mixed(found[1], place) or f"hashtag {found[1]}"
    return f"number {digit_by_digit(found[1]) if len(found[1]) > 3 else found[1]}"


def _spelled(letters: str) -> str:
    """A lone "A" would be the article."""
    return " ".join("eh" if letter in "aA" else letter.upper() for letter in letters)


def _mixed(core: str, _place: Place) -> str | None:
    """Letters and digits: flights, gates, orders."""
    if not re.fullmatch(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*", core):
        return None
    runs = ["".join(run) for _, run in groupby(core, lambda c: "-" if c == "-" else str(c.isdecimal()))]
    runs = [run for run in runs if run != "-"]
    letters = [run for run in runs if run.isalpha()]
    digits = [run for run in runs if run.isdecimal()]
    if len(runs) < 3 and (not letters or any(map(str.islower, core))):
        return None
    as_number = len(digits) == 1 and len(digits[0]) <= 2
    said = [
        (run if as_number else digit_by_digit(run)) if run.isdecimal() else _spelled(run) if len(run) <= 3 else run
        for run in runs
    ]
    return " ".join(said) if letters else ", ".join(said)


# --- addresses -----------------------------------------------------------------------------------------------------

_MARKS = {
    ".": "dot", "@": "at", "-": "dash", "_": "underscore", "+": "plus", "/": "slash", ":": "colon",
    "?": "question mark", "=": "equals", "&": "and", "#": "hash", "%": "percent", "~": "tilde",
}  # fmt: skip
_MAIL = re.compile(r"(?:mailto:)?[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_WEB = re.compile(
    r"(?:https?://|www\.)[\w-]+(?:[.:][\w-]+)*(?:[/?#]\S*)?"
    r"|(?:[a-z0-9-]+\.)+(?:com|org|net|io|gov|edu|dev|app|ai|co\.uk|de|eu)(?:/\S*)?",
    re.ASCII | re.IGNORECASE,
)
_SAID_AS_WORDS = frozenset({"me", "to", "co", "be", "it", "so"})


def _address(core: str, _place: Place) -> str | None:
    if _MAIL.fullmatch(core):
        address = core.removeprefix("mailto:")
    elif _WEB.fullmatch(core):
        address = re.sub(r"^https?://", "", core, flags=re.IGNORECASE).rstrip("/")
    else:
        return None
    said = []
    for part in re.findall(r"\d+|[^\W\d_]+|[\W_]", address):
        if part.lower() == "www":
            said.append("W W W")
        elif said and said[-1] == "dot" and len(part) == 2 and part.isalpha() and part.lower() not in _SAID_AS_WORDS:
            said.append(_spelled(part))
        else:
            said.append(digit_by_digit(part) if part.isdecimal() and len(part) > 2 else _MARKS.get(part, part))
    return " ".join(said)


# --- short forms ---------------------------------------------------------------------------------------------------

_TITLES = {"Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor"}
_SHORT = {"e.g": "for example", "i.e": "that is", "vs": "versus", "approx": "approximately"}
_SHORT_OR_LAST = {
    "etc": "et cetera",
    "Ave": "Avenue",
    "Blvd": "Boulevard",
    "Rd": "Road",
    "Jr": "Junior",
    "Sr": "Senior",
}


def _abbreviation(word: Word, place: Place) -> str | None:
    """With its marks: the full stop of a short form would end the sentence, for a voice."""
    core, trail = word.core, word.trail
    if core in _TITLES:
        return _TITLES[core] + trail.replace(".", "", 1)
    if not trail.startswith("."):
        return None
    if core.lower() in _SHORT:
        return _SHORT[core.lower()] + trail[1:]
    if core in {"No", "no", "Nos"} and place.near(1)[:1].isdecimal():
        return "number" + trail[1:]
    if core == "St":
        if place.ends_sentence and place.near(1) and place.near(-1) == "":
            return "Saint"
        return "Street" + (trail if place.ends_sentence else trail[1:])
    if core in _SHORT_OR_LAST:
        return _SHORT_OR_LAST[core] + (trail if place.ends_sentence else trail[1:])
    if core in MONTHS and place.near(1)[:1].isdecimal():
        return MONTHS[core] + trail[1:]
    initial = len(core) == 1 and core.isupper() and core != "I" and place.near(1)[:1].isupper()
    return core + trail[1:] if initial else None


def _both(core: str, _place: Place) -> str | None:
    return "and" if core == "&" else None


def _slashed(core: str, _place: Place) -> str | None:
    return {"and/or": "and or", "w/": "with", "w/o": "without"}.get(core)


_RULES_OF_WORDS: tuple[Rule, ...] = BESIDE_AN_AMOUNT
_RULES_OF_DIGITS: tuple[Rule, ...] = (_address, *AMOUNTS, _number_sign, _code, _mixed)
_RULES_OF_MARKS: tuple[Rule, ...] = (_address, _number_sign, _both, _slashed, *BESIDE_AN_AMOUNT)
