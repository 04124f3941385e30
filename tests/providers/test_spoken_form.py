from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.spoken_form import SpokenWord, spoken_words


def spoken(text: str, *, day_first: bool = False) -> str:
    return " ".join(word.spoken for word in spoken_words(text, day_first=day_first) if word.spoken)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to john.doe@example.com today.", "Write to john dot doe at example dot com today."),
        ("Ping a_b+c@mail.co.uk!", "Ping a underscore b plus c at mail dot co dot U K!"),
        ("See https://example.com/help for more.", "See example dot com slash help for more."),
        ("Go to www.example.org.", "Go to W W W dot example dot org."),
        ("Call +1 555-123-4567 now.", "Call plus 1, 5 5 5, 1 2 3, 4 5 6 7 now."),
        ("Call (555) 123-4567 now.", "Call 5 5 5, 1 2 3, 4 5 6 7 now."),
        ("or 030 1234567.", "or 0 3 0, 1 2 3, 4 5 6 7."),
        ("Call +44 20 7946 0958 or me", "Call plus 4 4, 2 0, 7 9 4 6, 0 9 5 8 or me"),
        ("Call 911.", "Call 9 1 1."),
        ("Your order is A1B2.", "Your order is eh 1 B 2."),
        ("Flight BA287 leaves from gate B12.", "Flight B eh 2 8 7 leaves from gate B 12."),
        ("Order #12345 is ready.", "Order number 1 2 3 4 5 is ready."),
        ("Your PIN is 4711.", "Your PIN is 4 7 1 1."),
        ("Room 101, code 0042.", "Room 101, code 0 0 4 2."),
        ("SSN 123-45-6789", "SSN 1 2 3, 4 5, 6 7 8 9"),
        ("COVID-19, MP3, 5G, iPhone15", "COVID 19, M P 3, 5 G, iPhone15"),
        ("#beluga and and/or & so", "hashtag beluga and and or and so"),
        ("Tea w/ milk, w/o sugar.", "Tea with milk, without sugar."),
        ("I am on Elm St. Come over.", "I am on Elm Street. Come over."),
        ("Dr. Smith lives on Main St. and so on", "Doctor Smith lives on Main Street and so on"),
        (
            "Room no. 7, e.g. this. J. Smith etc. and more",
            "Room number 7, for example this. J Smith et cetera and more",
        ),
        ("St. John left. It is Ave. C", "Saint John left. It is Avenue. C"),
    ],
)
def test_what_is_written_is_said(text: str, expected: str) -> None:
    assert expected == spoken(text)


@pytest.mark.parametrize(
    "text",
    [
        "Hello there, how are you?",
        "I have 3 apples, 1,500 friends and 3.14 pies, and he came 1st.",
        "I am 5. No. I may go.",
        "Das kostet 5,20 € und dauert 3 Tage.",
        "Ça coûte douze euros, n'est-ce pas ?",
        "你好，今天是2024年。",  # noqa: RUF001 - the comma is meant
        "Привет, как дела?",
        "مرحبا كيف حالك",
        "…",
        "",
    ],
)
def test_what_every_voice_can_say_and_other_languages_stay_as_they_are(text: str) -> None:
    assert text == spoken(text)


def test_each_word_is_said_in_its_own_place() -> None:
    assert (
        SpokenWord("On", "On"),
        SpokenWord("March", "March"),
        SpokenWord("5,", "5th,"),
        SpokenWord("2024,", "20 24,"),
        SpokenWord("call", "call"),
        SpokenWord("(555)", "5 5 5,"),
        SpokenWord("123-4567", "1 2 3, 4 5 6 7"),
    ) == spoken_words("On March 5, 2024, call (555) 123-4567")


written = st.text("aAzZ019 .,:/-@#$€%+()'°", max_size=60)


@given(written)
def test_whatever_is_written_has_a_form_for_each_of_its_words(text: str) -> None:
    assert text.split() == [word.word for word in spoken_words(text)]


@pytest.mark.parametrize("text", ["1" * 4000, "+" + "1 " * 2000, "a." * 2000, "a-1" * 1300, "$1," * 1300, "@" * 4000])
def test_a_long_row_of_marks_takes_no_longer_than_its_length(text: str) -> None:
    """Would run into the limit of the suite, were a pattern tried again from every character."""
    assert len(text.split()) == len(spoken_words(text))
