"""Has the speaker finished? Judged by the words, and by the voice where they could be all: no model, 3 ms, English.

The scores are set for a recogniser that writes punctuation and was fed at least 150 ms of silence after the last word.
Then a comma means that the voice stayed up, while a full stop stands at many a pause inside a sentence too: it is
believed unless the words speak against it, or the voice. With less silence, commas stand at the ends of sentences as
well.
"""

from __future__ import annotations

import asyncio
import math
import re
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from providers import prosody
from providers.api import Message, TurnSoFar

__all__ = ("TranscriptRules",)

# --- the scores -------------------------------------------------------------------------------------------------

COMPLETE = 0.95  # a question, a short answer, a farewell
STATEMENT = 0.85  # a sentence with a full stop
MAYBE_MORE = 0.55  # "It was the best. It was the worst.": sentences that begin alike, and a third may come
UNKNOWN = 0.5  # no punctuation, or what could be all of a number
HANGING = 0.5  # a comma
EXPECTING = 0.25  # "if you like,", "in short,": the main thing is still to come
DICTATING = 0.2  # a number, an address or a spelling that is not complete
BROKEN_OFF = 0.1  # "and", "the", "um": nobody stops here

# --- the words --------------------------------------------------------------------------------------------------


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(text: str) -> frozenset[str]:
    return frozenset(phrase.strip() for phrase in text.split(","))


SHORT_ANSWERS = _phrases(
    "yes, no, yeah, yep, nope, okay, ok, sure, right, correct, exactly, absolutely, of course, not really, maybe,"
    " please, yes please, no thanks, no thank you, thanks, thank you, thank you very much, that's all, that is all,"
    " that's it, that's right, that's fine, nothing else, i'm done, stop, hello, hi, hey, goodbye, good bye, bye,"
    " bye bye, good night, see you, never mind, i don't know, sounds good, all right, alright, got it, i see, go on,"
    " fine, great, perfect, cool"
)
# No sentence ends in these, whatever stop the recogniser puts behind them.
NEVER_LAST = _words(
    "um uh er erm uhm a an the my your our their his its and or but nor because although unless whereas than of if"
    " whether i'm we're they're you're he's she's i've we've i'd i'll we'll very every into onto upon during between"
)
# Sentences end in these too ("I think so.", "Turn it on.", "Yes, I do."), but more often they go on.
SELDOM_LAST = _words(
    "to for from with at by about as like on is are was were be am can could will would shall should may might must"
    " have has had do does did that which who when where while so then until i we he she they per called named says"
    " also dot just"
)
OPENERS = _phrases(
    "in short, however, well, so, but, and, also, then, anyway, actually, basically, first, first of all, for example,"
    " by the way, to be honest, you know, i mean, let me see, let me think, let's see, hold on, one moment, wait"
)
SUBORDINATORS = _words("if when while although though unless until since because as whenever before after once")
AUXILIARIES = _words("is are am was were do does did can could will would shall should have has had may")
QUESTION_WORDS = _words("what what's where where's who who's whom why when when's which how how's")
DETERMINERS = _words("the a an my your our their his its this these every some each another both all")
VERBS = AUXILIARIES | _words(
    "isn't aren't wasn't weren't don't doesn't didn't can't couldn't won't wouldn't shouldn't haven't hasn't hadn't"
    " be been might must go goes went come comes came get gets got make makes made take takes took say says said"
    " know knows knew think thinks thought see sees saw want wants need needs find finds found give gives gave tell"
    " tells told work works leave leaves left keep keeps kept feel feels felt seem seems look looks cost costs lose"
    " lost break broke sent bought paid brought read put set run ran stop stops start starts begin begins began"
    " sound sounds happen happens mean means meant stand stands stood hear heard hold holds held fell rose grew sold"
    " became met wrote arrives opens closes ends lasts helps depends there's that's it's"
)
SMALL_NUMBERS = _words("zero oh one two three four five six seven eight nine double triple")
LARGE_NUMBERS = _words(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty"
    " seventy eighty ninety"
)

PHONE = re.compile(r"\b(?:tele|cell|mobile )?phone\b|\bmy number\b|\bcall (?:you|me) (?:back )?(?:at|on)\b")
CODE = re.compile(r"\b(?:pin|code|postcode|digits|account|card|order|reference|booking) ?(?:number|is)?\b")
EMAIL = re.compile(r"\be-? ?mail\b")
EMAIL_BEGUN = re.compile(r"@| at (?:gmail|yahoo|hotmail|outlook|icloud)\b")
EMAIL_COMPLETE = re.compile(r"\S@\S+\.[a-z]{2,}|(?:\bdot |\.)(?:com|org|net|edu|gov|io|info|uk|de|fr|eu|ca|au|us)$")
ASKED_WITHOUT_A_VERB = re.compile(  # "What are you", "where can I", "do you"
    r"(?:(?:what|where|who|when|why|how|which) )?(?:do|does|did|can|could|will|would|shall|should|have|has|had)"
    r" (?:i|you|he|she|it|we|they)"
    r"|(?:what|why|when) (?:am|are|was|were) (?:i|you|we)"
)
SPELLING = re.compile(r"\bspell")
REFUSAL = re.compile(r"\b(?:don't|do not|no|not|can't|why|what|repeat|sorry)\b")

PHONE_DIGITS = 10
LOCAL_PHONE_DIGITS = 7
CODE_DIGITS = 4

# --- the rules --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Said:
    """In lower case. ``words``: of the turn, ``sentence``: of its last sentence, both without punctuation.

    ``last`` is the last sentence as it was written, ``ending`` its last punctuation mark, or empty; ``asked`` is the
    assistant's last message.
    """

    text: str
    last: str
    words: tuple[str, ...]
    sentence: tuple[str, ...]
    ending: str
    asked: str

    @property
    def stopped(self) -> bool:
        return self.ending in {".", "!"}


class TranscriptRules:
    """Scores what was said so far, in the light of what the assistant had asked. The first rule that applies decides.

    Of other languages than English only the punctuation is read. A statement is worth less, down to undecided, when
    the voice does not end with it; without audio the words decide alone.
    """

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

    name = "transcript"
    audio_ms = prosody.AUDIO_MS

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or self.Options()

    async def warm_up(self) -> None:
        pass

    async def judge(self, turn: TurnSoFar) -> float:
        score = _by_words(turn)
        if score != STATEMENT or not turn.pcm:
            return score
        end = await asyncio.to_thread(prosody.ending, turn.pcm)
        return score if end is None else max(UNKNOWN, _less(score, prosody.unfinished(end)))

    async def aclose(self) -> None:
        pass


def _less(probability: float, log_odds: float) -> float:
    return 1 / (1 + math.exp(log_odds) * (1 - probability) / probability)


def _by_words(turn: TurnSoFar) -> float:
    said = _read(turn)
    english = turn.language is None or turn.language.lower().startswith("en")
    if said.words and english:
        for rule in _RULES:
            if (score := rule(said)) is not None:
                return score
    return _punctuation(said)


def _read(turn: TurnSoFar) -> _Said:
    text = " ".join(turn.text.lower().replace("’", "'").split())  # noqa: RUF001 - an apostrophe
    *_, last = re.split(r"(?<=[.!?])\s+", text)
    ending = re.search(r"(\.\.\.|[.!?,;:…–—-])[\"')]*$", text.replace("。", ".").replace("？", "?"))  # noqa: RUF001 - as written in other scripts
    asked = next((message.text for message in reversed(turn.history) if _is_assistant(message)), "")
    return _Said(text, last, _bare(text), _bare(last), ending[1] if ending else "", asked.lower())


def _is_assistant(message: Message) -> bool:
    return message.role == "assistant"


def _bare(text: str) -> tuple[str, ...]:
    """``five-five`` is two words, ``don't`` one."""
    return tuple(re.findall(r"[^\W_]+(?:'[^\W_]+)*", text))


def _short_answer(said: _Said) -> float | None:
    if " ".join(said.sentence) not in SHORT_ANSWERS:
        return None
    return MAYBE_MORE if said.ending == "," and not said.asked.endswith("?") else COMPLETE


def _broken_off(said: _Said) -> float | None:
    if said.words[-1] in NEVER_LAST:
        return BROKEN_OFF
    return EXPECTING if said.ending in {"...", "…", "-", "–", "—"} else None  # noqa: RUF001 - a dash


def _question(said: _Said) -> float | None:
    """ "Where are you from?" is complete, "Did you go to?" is not."""
    if said.ending != "?":
        return None
    return COMPLETE if said.words[-1] not in SELDOM_LAST or not QUESTION_WORDS.isdisjoint(said.sentence) else UNKNOWN


def _unasked_question(said: _Said) -> float | None:
    """Some are questions ("Do you?"), more often the verb is still to come."""
    return UNKNOWN if ASKED_WITHOUT_A_VERB.fullmatch(" ".join(said.sentence)) else None


def _email(said: _Said) -> float | None:
    asked = EMAIL.search(said.asked) is not None and REFUSAL.search(said.text) is None
    if not asked and EMAIL_BEGUN.search(said.text) is None:
        return None
    return STATEMENT if EMAIL_COMPLETE.search(said.text.rstrip(".,!")) else DICTATING


def _number(said: _Said) -> float | None:
    digits, groups = _digits_at_the_end(said.words)
    context = f"{said.asked} {said.text}"
    if groups == 0:
        return None
    if PHONE.search(context):
        complete, maybe = PHONE_DIGITS, LOCAL_PHONE_DIGITS
    elif CODE.search(context):
        complete, maybe = PHONE_DIGITS, CODE_DIGITS
    elif groups >= 3:  # "five five five" is dictated, "at half past five" is not
        complete, maybe = PHONE_DIGITS, LOCAL_PHONE_DIGITS
    else:
        return None
    return STATEMENT if digits >= complete else UNKNOWN if digits >= maybe else DICTATING


def _digits_at_the_end(words: tuple[str, ...]) -> tuple[int, int]:
    """How many digits the turn ends in, spoken or written, and in how many words."""
    digits = groups = 0
    for word in reversed(words):
        if word.isdigit():
            digits += len(word)
        elif word in SMALL_NUMBERS:
            digits += 1
        elif word in LARGE_NUMBERS:
            digits += 2
        else:
            break
        groups += 1
    return digits, groups


def _spelling(said: _Said) -> float | None:
    letters = 0
    while letters < len(said.words) and len(said.words[-1 - letters]) == 1 and said.words[-1 - letters].isalpha():
        letters += 1
    asked = SPELLING.search(said.asked) or SPELLING.search(said.text)
    return DICTATING if letters >= (1 if asked else 3) else None


def _seldom_last(said: _Said) -> float | None:
    letter = len(said.words[-1]) == 1 and said.words[-1].isalpha()  # what a recogniser makes of half a word
    if said.words[-1] not in SELDOM_LAST and not letter:
        return None
    return UNKNOWN if said.stopped else BROKEN_OFF


def _expecting(said: _Said) -> float | None:
    if " ".join(said.sentence) in OPENERS:
        return EXPECTING
    main_clause_came = "," in said.last.rstrip(",")
    asks = said.sentence[1:2] and said.sentence[1] in AUXILIARIES
    if said.sentence[0] not in SUBORDINATORS or main_clause_came or asks:
        return None
    return HANGING if said.stopped else EXPECTING


def _nothing_said_of_it(said: _Said) -> float | None:
    """ "The quick brown fox." Who was asked something may say no more than "The red one."."""
    first, *rest = said.sentence
    verb = any(word in VERBS or word.endswith(("ed", "'s")) for word in rest)
    if first not in DETERMINERS or verb or "please" in rest or not 1 <= len(rest) <= 5 or "?" in said.asked:
        return None
    return MAYBE_MORE if said.stopped else None


def _series(said: _Said) -> float | None:
    """The last two clauses begin with the same two words and are not the same."""
    clauses = [_bare(clause) for clause in re.split(r"[.,;!]+", said.text)]
    *_, before, last = [(), (), *(clause for clause in clauses if clause)]
    alike = len(last) > 2 and before[:2] == last[:2] and before != last
    return MAYBE_MORE if alike and said.stopped else None


def _punctuation(said: _Said) -> float:
    match said.ending:
        case "?":
            return COMPLETE
        case "." | "!":
            return STATEMENT
        case "":
            return UNKNOWN
        case _:
            return HANGING


_RULES = (
    _short_answer,
    _broken_off,
    _unasked_question,
    _question,
    _email,
    _number,
    _spelling,
    _seldom_last,
    _expecting,
    _nothing_said_of_it,
    _series,
)
