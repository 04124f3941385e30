"""The rules, on what Moonshine made of recorded speech and on what callers say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.api import Message, TurnSoFar
from providers.turn import transcript as rules
from providers.turn.transcript import TranscriptRules
from tests.recordings import BECKETT, TWO_CITIES, silence

FINISHED = BECKETT.phrase(0, after_ms=180)
INTERRUPTED = TWO_CITIES.pcm(from_ms=24_500, to_ms=25_490) + silence(180)  # "We were all going direct"


async def judge(text: str, asked: str = "", language: str | None = None, pcm: bytes = b"") -> float:
    history = (Message("assistant", asked), Message("user", "hello")) if asked else ()
    return await TranscriptRules().judge(TurnSoFar(text, language=language, pcm=pcm, history=history))


# Finals of the recordings that come with moonshine-voice, at the ends of sentences (160 ms of silence fed).
ENDS = (
    "Ever tried.",
    "Ever failed.",
    "No matter.",
    "Try again.",
    "Fail again.",
    "Do you hear me?",
    "Yes.",
    "We laugh less heartily so we have still that resource.",
    "No, not heartily, just less heartily.",
    "Ah, that's a good story. Ah, that's a good story.",
    "What are you talking about?",
    "Do you remember the day I went and fetched you from that ditch?",
    "One, two, three, four, five, six, seven, eight, nine, ten.",
    "The quick brown fox jumps over the lazy dog.",
)

# The same, at pauses inside sentences.
INSIDE = (
    "It was the best of times, it was the worst of times.",
    "It was the age of wisdom,",
    "It was the age of wisdom. It was the age of foolishness.",
    "It was a season of light,",
    "We had everything before us, we had nothing before us.",
    "We all going direct to heaven,",
    "In short,,",
    "In short,, the period was so far like the present period,",
    "Ensure that the",
    "Not now,",
)


@pytest.mark.parametrize("text", ENDS)
async def test_the_end_of_a_sentence_needs_little_silence(text: str) -> None:
    assert await judge(text) >= rules.STATEMENT


@pytest.mark.parametrize("text", INSIDE)
async def test_a_pause_inside_a_sentence_of_half_a_second_is_survived(text: str) -> None:
    assert await judge(text) < 0.6


@pytest.mark.parametrize(
    "text",
    [
        "What time is it?",
        "yes",
        "Okay.",
        "No, thank you.",
        "That's all!",
        "I'm done.",
        "Hello",
        "Thanks. That's it.",
        "Stop",
    ],
)
async def test_a_question_and_a_short_answer_are_complete(text: str) -> None:
    assert rules.COMPLETE == await judge(text)


@pytest.mark.parametrize(
    "text",
    [
        "I want to go to the",
        "I want a room and.",
        "Well, um.",
        "My",
        "Book it for Monday or",
        "I called because",
        "What is the?",
        "I'd like to",
        "My name is",
        "We are looking for",
    ],
)
async def test_nobody_stops_at_such_a_word(text: str) -> None:
    assert rules.BROKEN_OFF == await judge(text)


@pytest.mark.parametrize("text", ["I think so.", "Turn it on.", "Yes, I do.", "I don't want to.", "Book it for."])
async def test_some_words_may_be_the_last_and_are_given_time(text: str) -> None:
    assert rules.UNKNOWN == await judge(text)


@pytest.mark.parametrize(
    "text", ["If you have time,", "When I get home", "In short,", "Well,", "So I thought...", "I —"]
)
async def test_more_is_expected(text: str) -> None:
    assert rules.EXPECTING == await judge(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("If it rains, we stay.", rules.STATEMENT),
        ("When is my flight", rules.UNKNOWN),
        ("When you're ready.", rules.HANGING),
        ("tell me a story", rules.UNKNOWN),
        ("I like apples,", rules.HANGING),
        ("", rules.UNKNOWN),
        ("...", rules.HANGING),
    ],
)
async def test_the_rest_is_judged_by_its_punctuation(text: str, expected: float) -> None:
    assert expected == await judge(text)


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        ("My number is 555", "", rules.DICTATING),
        ("My phone number is five five five.", "", rules.DICTATING),
        ("five five five, one two", "", rules.DICTATING),
        ("555-123", "What is your phone number?", rules.DICTATING),
        ("555 123 4", "What is your phone number?", rules.UNKNOWN),
        ("555 123 4567.", "What is your phone number?", rules.STATEMENT),
        ("double five twenty three", "Your account number, please.", rules.UNKNOWN),
        ("I don't know it", "What is your phone number?", rules.UNKNOWN),
        ("Two.", "For how many people?", rules.STATEMENT),
        ("At half past five.", "", rules.STATEMENT),
        ("john dot smith.", "What is your e-mail address?", rules.DICTATING),
        ("It's john at gmail.", "", rules.DICTATING),
        ("john dot smith at gmail dot com.", "What is your email?", rules.STATEMENT),
        ("john.smith@example.com", "", rules.STATEMENT),
        ("I don't have one.", "What is your email?", rules.STATEMENT),
        ("I have a question about my email.", "", rules.STATEMENT),
        ("It's B E L", "", rules.DICTATING),
        ("S-M.", "Could you spell that?", rules.DICTATING),
    ],
)
async def test_a_dictation_is_waited_for_until_it_is_complete(text: str, asked: str, expected: float) -> None:
    assert expected == await judge(text, asked)


async def test_a_yes_in_suspense_is_complete_where_it_was_asked_for() -> None:
    assert rules.MAYBE_MORE == await judge("Yes,")
    assert rules.COMPLETE == await judge("Yes,", "Shall I book it?")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Ich möchte in die.", rules.STATEMENT), ("Wie spät ist es?", rules.COMPLETE), ("Der Hund and", rules.UNKNOWN)],
)
async def test_of_other_languages_only_the_punctuation_is_read(text: str, expected: float) -> None:
    assert expected == await judge(text, language="de-DE")


@pytest.mark.parametrize(
    "text",
    ["What are you?", "Where can I?", "So. What did they?", "Do you?", "Did you want to go to?", "Is it about?"],
)
async def test_a_question_that_wants_more_words_is_given_time(text: str) -> None:
    assert rules.UNKNOWN == await judge(text)


@pytest.mark.parametrize(
    "text", ["Where are you?", "How are you?", "What is it?", "Where are you from?", "Are you sure?"]
)
async def test_a_question_with_all_its_words_is_not(text: str) -> None:
    assert rules.COMPLETE == await judge(text)


@pytest.mark.parametrize("text", ["The quick brown fox.", "My order.", "The man on the phone."])
async def test_a_thing_of_which_nothing_is_said_yet_is_given_time(text: str) -> None:
    assert rules.MAYBE_MORE == await judge(text)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("The red one.", "Which one would you like?"),
        ("A large pizza, please.", ""),
        ("The heating stopped.", ""),
        ("My card is broken.", ""),
    ],
)
async def test_a_thing_that_was_asked_for_is_not(text: str, asked: str) -> None:
    assert rules.STATEMENT == await judge(text, asked)


async def test_half_a_word_that_is_heard_as_a_letter_is_given_time() -> None:
    assert rules.UNKNOWN == await judge("It was the e.")


async def test_a_statement_is_held_back_where_the_voice_does_not_end() -> None:
    assert rules.STATEMENT == await judge("We were all going direct.", pcm=FINISHED)
    assert rules.UNKNOWN == await judge("We were all going direct.", pcm=INTERRUPTED)


@pytest.mark.parametrize(
    "text", ["Yes.", "What time is it?", "I want a", "It was the age of wisdom,", "five five five"]
)
async def test_what_the_words_alone_can_tell_the_voice_does_not_change(text: str) -> None:
    assert await judge(text) == await judge(text, pcm=INTERRUPTED) == await judge(text, pcm=FINISHED)


async def test_audio_without_a_voice_changes_nothing() -> None:
    assert rules.STATEMENT == await judge("I like apples.", pcm=silence(2_000))


@given(st.text(max_size=80), st.text(max_size=40))
async def test_whatever_was_said_the_verdict_is_a_probability(text: str, asked: str) -> None:
    assert 0 <= await judge(text, asked) <= 1
