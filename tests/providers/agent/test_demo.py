from __future__ import annotations

from datetime import datetime

import pytest

from providers.agent.demo import GREETING, STORY, Demo
from providers.api import AgentAction, AgentOutput, AgentRequest, AgentText


def at(hour: int, minute: int) -> Demo:
    return Demo(now=lambda: datetime(2026, 3, 4, hour, minute))  # noqa: DTZ001 - the clock on the wall


async def asked(agent: Demo, request: AgentRequest) -> list[AgentOutput]:
    return [output async for output in agent.ask(request)]


async def answer(transcript: str, agent: Demo | None = None) -> str:
    outputs = await asked(agent or at(15, 0), AgentRequest("turn", "s", "1", transcript))
    return "".join(output.delta for output in outputs if isinstance(output, AgentText))


async def test_a_session_opens_with_the_greeting() -> None:
    assert [AgentText(GREETING)] == await asked(Demo(), AgentRequest("session.started", "s"))


async def test_an_empty_greeting_is_silence() -> None:
    assert [] == await asked(Demo(Demo.Options(greeting="")), AgentRequest("session.started", "s"))


@pytest.mark.parametrize(
    ("transcript", "expected"),
    [
        ("Hello!", "Hello!"),
        ("Hello world.", "Hello!"),
        ("hi there", "Hello!"),
        ("How are you?", "I'm very well"),
        ("What's your name?", "demo agent"),
        ("Who are you?", "demo agent"),
        ("Thank you very much.", "You're welcome."),
        ("What can you do?", "up to a hundred"),
        ("Help!", "up to a hundred"),
        ("Tell me a joke.", "microphone"),
        ("What day is it today?", "Today is Wednesday, March 4."),
        ("Hello, what time is it?", "three o'clock"),
        ("We laugh less heartily.", "You said: We laugh less heartily. Ask me for a story"),
    ],
)
async def test_small_talk(transcript: str, expected: str) -> None:
    assert expected in await answer(transcript)


@pytest.mark.parametrize("transcript", ["Tell me a story.", "tell me a long story", "A STORY, please!"])
async def test_a_story_is_told_however_it_was_heard(transcript: str) -> None:
    assert " ".join(STORY) == await answer(transcript)


async def test_the_story_takes_more_than_a_minute_and_comes_sentence_by_sentence() -> None:
    outputs = await asked(Demo(), AgentRequest("turn", "s", "1", "tell me a story"))
    words = " ".join(STORY).split()

    assert len(words) > 200  # 200 words a minute is faster than anybody tells a story
    assert len(STORY) == len(outputs)


@pytest.mark.parametrize(
    ("hour", "minute", "spoken"),
    [
        (0, 0, "twelve o'clock in the morning"),
        (9, 5, "nine oh five in the morning"),
        (12, 30, "twelve thirty in the afternoon"),
        (15, 0, "three o'clock in the afternoon"),
        (23, 59, "eleven fifty-nine in the evening"),
    ],
)
async def test_the_time_is_told_in_words(hour: int, minute: int, spoken: str) -> None:
    assert f"It is {spoken}." == await answer("What time is it?", at(hour, minute))


@pytest.mark.parametrize(
    ("transcript", "first", "last"),
    [
        ("Count to ten.", "One, two, three", "nine, ten."),
        ("count to 12", "One, two", "eleven, twelve."),
        ("Can you count?", "One, two", "nine, ten."),
        ("Count to twenty", "One", "nineteen, twenty."),
        ("Count to a hundred.", "One", "ninety-nine, one hundred."),
        ("Count to 1000000000000000.", "One", "one hundred."),
    ],
)
async def test_counting(transcript: str, first: str, last: str) -> None:
    text = await answer(transcript)

    assert text.startswith(first)
    assert text.endswith(last)


@pytest.mark.parametrize("transcript", ["Goodbye!", "Okay, bye bye.", "good night", "please hang up"])
async def test_goodbye_is_answered_and_then_the_line_is_dropped(transcript: str) -> None:
    outputs = await asked(Demo(), AgentRequest("turn", "s", "1", transcript))

    assert AgentText("Goodbye!") == outputs[0]
    assert AgentAction("hangup") == outputs[-1]


@pytest.mark.parametrize(("digits", "expected"), [("5", "You pressed 5."), ("4#", "You pressed 4 hash.")])
async def test_a_key_is_named(digits: str, expected: str) -> None:
    assert [AgentText(expected)] == await asked(Demo(), AgentRequest("dtmf", "s", "1", digits=digits))


@pytest.mark.parametrize("transcript", ["", " ", "..."])
async def test_nothing_is_said_to_nothing(transcript: str) -> None:
    assert "" == await answer(transcript)
