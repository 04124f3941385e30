"""An agent that needs nothing: small talk by rules, for the first call and for tests.

The rules read a recogniser's text: case and punctuation are dropped, and a rule asks for a few words of the sentence,
not for the sentence. The first rule that matches answers.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from providers.api import AgentAction, AgentOutput, AgentRequest, AgentText

__all__ = ("STORY", "Demo")

_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
)
_NUMBERS = tuple(_NUMBER_WORDS.split())
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_COUNT_TO, _COUNT_TO_AT_MOST = 10, 100

GREETING = "Hello! I'm the demo agent. Ask me for a story, the time, or to count."
HELP = "I can tell you a long story, tell you the time, tell a joke, or count as far as you like, up to a hundred."

STORY = (
    "All right, here is the story of the lighthouse at Gull Point.",
    "On the last rock before the open sea there stood a lighthouse, and in it lived a keeper called Marta.",
    "Every evening she climbed two hundred and twelve steps, polished the great lens, and lit the lamp.",
    "She had done it for thirty years, and not once had the light been late.",
    "One autumn a small white whale came to the bay.",
    "It swam in slow circles under the tower, and whenever the beam passed over it, it answered.",
    "It was a low, soft note, like somebody blowing across the neck of a bottle.",
    "Marta was used to gulls, to fog and to the wind, but nobody had ever answered her light before.",
    "So she began to talk to it from the gallery.",
    "She told the whale about the ships that had passed, and about the ones that had not.",
    "She told it about her brother, who had gone to sea and written only twice.",
    "The whale listened, and sang, and in the morning it was always still there.",
    "Then came the night of the great storm.",
    "The wind broke a window high in the tower, the rain blew in, and the lamp went out.",
    "Marta struck match after match, but every one of them was wet.",
    "Far out in the dark she heard the horn of a ship, and it was heading straight for the rocks.",
    "She ran to the gallery and shouted into the storm, although she knew that no sailor could hear her.",
    "But the whale heard.",
    "It turned towards the open sea and sang, louder than it had ever sung.",
    "One long note came through the wind like a bell.",
    "On the ship, the helmsman lifted his head.",
    "No whale sings in shallow water, he said to himself, so where it sings, the water must be deep.",
    "He turned the wheel towards the sound, and the ship slid past the rocks, close enough to touch them.",
    "In the morning the sea lay flat and blue, and a boat came to the lighthouse.",
    "In it sat the helmsman, who wanted to thank whoever had kept such a strange light.",
    "Marta looked at him for a long time, because he had her mother's eyes.",
    "It was her brother, who had written only twice, and had come home to tell her the rest.",
    "They sat on the steps until the evening, and then climbed up together and lit the lamp.",
    "And down in the bay, just once, somebody blew across the neck of a bottle.",
    "That was the story. Would you like to hear something else?",
)
JOKE = (
    "Why did the microphone go to the doctor?",
    "Because it kept hearing voices.",
)


@dataclass(frozen=True, slots=True)
class _Heard:
    """The caller's words: lower case, letters and digits only."""

    text: str
    words: frozenset[str]
    now: datetime

    def has(self, *words: str) -> bool:
        return not self.words.isdisjoint(words)

    def says(self, *phrases: str) -> bool:
        return any(f" {phrase} " in f" {self.text} " for phrase in phrases)


_Answer = tuple[str | AgentAction, ...]


class Demo:
    """Greets, chats, counts, tells the time and a story of more than a minute; says goodbye and hangs up."""

    class Options(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

        greeting: str = Field(default=GREETING, description="what the session opens with; empty to wait in silence")

    name = "demo"

    def __init__(self, options: Options | None = None, *, now: Callable[[], datetime] = datetime.now) -> None:
        self._options = options or self.Options()
        self._now = now

    async def warm_up(self) -> None:
        pass

    async def ask(self, request: AgentRequest) -> AsyncGenerator[AgentOutput, None]:
        """Sentence by sentence, as a model would stream it."""
        separator = ""
        for part in self._answer(request):
            if isinstance(part, AgentAction):
                yield part
            elif part:
                yield AgentText(separator + part)
                separator = " "

    async def notify(self, request: AgentRequest) -> None:
        pass

    async def aclose(self) -> None:
        pass

    def _answer(self, request: AgentRequest) -> _Answer:
        match request.type:
            case "session.started":
                return (self._options.greeting,)
            case "dtmf":
                return (f"You pressed {' '.join(_KEYS.get(key, key) for key in request.digits or '')}.",)
            case "turn":
                text = " ".join(re.findall(r"[^\W_]+", request.transcript.lower().replace("'", "").replace("’", "")))  # noqa: RUF001 - an apostrophe
                return self._reply(_Heard(text, frozenset(text.split()), self._now()), request.transcript)
            case _:
                return ()

    def _reply(self, heard: _Heard, transcript: str) -> _Answer:
        if not heard.text:
            return ()
        for rule in _RULES:
            if (answer := rule(heard)) is not None:
                return answer
        said = transcript.strip().rstrip(".,!?")
        return (f"You said: {said}.", "Ask me for a story, the time, or to count.")


def _goodbye(heard: _Heard) -> _Answer | None:
    if heard.has("goodbye", "bye") or heard.says("good bye", "hang up", "see you", "good night", "end the call"):
        return ("Goodbye!", "It was nice talking to you.", AgentAction("hangup"))
    return None


def _story(heard: _Heard) -> _Answer | None:
    return STORY if heard.has("story", "stories", "tale", "storey") else None


def _joke(heard: _Heard) -> _Answer | None:
    return JOKE if heard.has("joke", "jokes", "funny") else None


def _time(heard: _Heard) -> _Answer | None:
    asks = heard.has("clock") or heard.says("what time", "the time", "what is the hour", "time is it", "time it is")
    return (f"It is {_spoken_time(heard.now)}.",) if asks else None


def _date(heard: _Heard) -> _Answer | None:
    if heard.says("what day", "the date", "what date", "todays date"):
        return (f"Today is {heard.now:%A}, {heard.now:%B} {heard.now.day}.",)
    return None


def _count(heard: _Heard) -> _Answer | None:
    if not heard.has("count", "counting", "counts"):
        return None
    target = next((number for word in heard.text.split()[::-1] if (number := _number(word))), _COUNT_TO)
    counted = ", ".join(_spoken(number) for number in range(1, min(target, _COUNT_TO_AT_MOST) + 1))
    return (f"{counted.capitalize()}.",)


def _thanks(heard: _Heard) -> _Answer | None:
    return ("You're welcome.",) if heard.has("thanks") or heard.says("thank you") else None


def _how_are_you(heard: _Heard) -> _Answer | None:
    asks = heard.says("how are you", "how are things", "hows it going", "how do you do", "how is it going")
    return ("I'm very well, thank you.", "How can I help you?") if asks else None


def _who_are_you(heard: _Heard) -> _Answer | None:
    asks = heard.says("your name", "who are you", "what are you", "who is this", "who am i talking to")
    return ("I'm the demo agent of Beluga Voice.", "I answer by a handful of rules.") if asks else None


def _help(heard: _Heard) -> _Answer | None:
    return (HELP,) if heard.has("help") or heard.says("what can you do", "what can i", "what do you do") else None


def _hello(heard: _Heard) -> _Answer | None:
    greets = heard.has("hello", "hi", "hey") or heard.says("good morning", "good afternoon", "good evening")
    # "Hello world" and "Hey there" are greetings; a longer sentence wants an answer to the rest of it.
    return ("Hello!", "What can I do for you?") if greets and len(heard.text.split()) <= 4 else None


_RULES: tuple[Callable[[_Heard], _Answer | None], ...] = (
    _goodbye,
    _story,
    _joke,
    _count,
    _time,
    _date,
    _how_are_you,
    _who_are_you,
    _thanks,
    _help,
    _hello,
)

_KEYS = {"*": "star", "#": "hash"}


def _spoken(number: int) -> str:
    """0 to 100 in words."""
    if number < len(_NUMBERS):
        return _NUMBERS[number]
    if number == 100:
        return "one hundred"
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (f"-{_NUMBERS[ones]}" if ones else "")


def _number(word: str) -> int | None:
    if word.isascii() and word.isdigit():
        return int(word[:4])
    if word in _NUMBERS:
        return _NUMBERS.index(word)
    if word in _TENS[2:]:
        return _TENS.index(word) * 10
    return 100 if word == "hundred" else None


def _spoken_time(now: datetime) -> str:
    """As it is read from a clock: ``three o'clock in the afternoon``, ``nine oh five in the morning``."""
    part = "morning" if now.hour < 12 else "afternoon" if now.hour < 18 else "evening"
    hour = _spoken((now.hour - 1) % 12 + 1)
    minute = "o'clock" if now.minute == 0 else f"{'oh ' if now.minute < 10 else ''}{_spoken(now.minute)}"
    return f"{hour} {minute} in the {part}"
