"""Through ``spoken_words``: a rule needs its neighbours."""

from __future__ import annotations

import pytest

from providers.spoken_amounts import digit_by_digit
from providers.spoken_form import spoken_words


def spoken(text: str, *, day_first: bool = False) -> str:
    return " ".join(word.spoken for word in spoken_words(text, day_first=day_first) if word.spoken)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$5.20", "5 dollars and 20 cents"),
        ("$1,234.56.", "1234 dollars and 56 cents."),
        ("$1.01 $0.99 $5.00", "1 dollar and 1 cent 99 cents 5 dollars"),
        ("€3m £1.50 ¥500", "3 million euros 1 pound and 50 pence 500 yen"),
        ("-$42.10 US$5 $5-$10", "minus 42 dollars and 10 cents 5 US dollars 5 to 10 dollars"),
        ("$5 million, 20 USD, 5€, 2$", "5 million dollars, 20 US dollars, 5 euros, 2 dollars"),
        ("A £20 note is $20/month", "A 20 pound note is 20 dollars per month"),
    ],
)
def test_money(text: str, expected: str) -> None:
    assert expected == spoken(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23", "November 23rd, 20 26"),
        ("23/11/2026", "November 23rd, 20 26"),
        ("5/11/2026", "May 11th, 20 26"),
        ("Nov 23, 2026", "November 23rd, 20 26"),
        ("March 5, 2024", "March 5th, 20 24"),
        ("on 23 Nov 2005", "on the 23rd of November 2005"),
        ("the 5th of May", "the 5th of May"),
        ("in 1999, in 1905, in 1900", "in 19 99, in 19 oh 5, in 19 hundred"),
        ("from 2020-2024, the 1990s", "from 20 20 to 20 24, the 19 nineties"),
        ("between 1914-1918", "between 19 14 and 19 18"),
        ("99/99/2026 and 2026-13-45", "99/99/2026 and 2 0 2 6, 1 3, 4 5"),
    ],
)
def test_dates(text: str, expected: str) -> None:
    assert expected == spoken(text)


def test_a_voice_from_britain_says_the_day_first() -> None:
    assert "the 5th of November, 20 26" == spoken("5/11/2026", day_first=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3:30 pm", "3 30 p.m."),
        ("at 9am.", "at 9 a.m."),
        ("15:45 10:00 7:05 17:00", "15 45 10 o'clock 7 oh 5 17 hundred"),
        ("9am-5pm", "9 a.m. to 5 p.m."),
        ("See you at 5 p.m. today", "See you at 5 p.m. today"),
    ],
)
def test_times(text: str, expected: str) -> None:
    assert expected == spoken(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 km, 1 km, 5kg", "5 kilometers, 1 kilometer, 5 kilograms"),
        ("20 °C and 3.5 GB", "20 degrees Celsius and 3.5 gigabytes"),
        ("60 mph 10% 100m", "60 miles per hour 10 percent 100 meters"),
        ("5-10 km, 10-20%", "5 to 10 kilometers, 10 to 20 percent"),
        ("in 5 m, g and h", "in 5 meters, g and h"),
        ("-5 degrees, ~5, 3:1", "minus 5 degrees, about 5, 3 to 1"),
        ("1/2 cup, 1 1/2 cups, 2½", "one half cup, 1 and a half cups, 2 and a half"),
        ("192.168.1.1, v2.0, 5'10", "192 dot 168 dot 1 dot 1, version 2 dot 0, 5 foot 10"),
    ],
)
def test_units_and_other_amounts(text: str, expected: str) -> None:
    assert expected == spoken(text)


def test_many_digits_come_in_threes() -> None:
    assert ["1 2 3 4 5", "1 2 3, 4 5 6", "1 2 3, 4 5 6, 7 8"] == [
        digit_by_digit(digits) for digits in ("12345", "123456", "12345678")
    ]
