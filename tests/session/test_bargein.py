"""Words, listening noises, and what takes the floor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session.bargein import is_backchannel, is_interruption, words
from session.config import BACKCHANNELS, Interruption

BOTH, EITHER = Interruption(), Interruption(combine="or")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  ... !?", []),
        ("Stop, please!", ["stop", "please"]),
        ("don't you dare", ["don't", "you", "dare"]),
        ("l\u2019eau", ["l\u2019eau"]),
        ("uh-huh", ["uh", "huh"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("snake_case 3.14", ["snake", "case", "3", "14"]),
        ("für dich", ["für", "dich"]),
    ],
)
def test_words_are_compared_without_case_and_punctuation(text: str, expected: list[str]) -> None:
    assert expected == words(text)


@pytest.mark.parametrize(
    ("text", "voiced_ms", "both", "either"),
    [
        ("stop it please", 500, True, True),
        ("stop it please", 499, False, True),
        ("stop it", 500, False, True),
        ("stop it", 499, False, False),
        ("", 5_000, False, False),
        ("uh huh", 5_000, False, False),
        ("okay okay okay okay", 5_000, False, False),
        ("okay stop it", 500, True, True),
    ],
)
def test_what_takes_the_floor(text: str, voiced_ms: int, *, both: bool, either: bool) -> None:
    assert both == is_interruption(BOTH, text, voiced_ms)
    assert either == is_interruption(EITHER, text, voiced_ms)


def test_the_thresholds_are_settings() -> None:
    rules = Interruption(words=1, duration="100ms")

    assert is_interruption(rules, "stop", 100)
    assert not is_interruption(rules, "stop", 99)


def test_with_no_words_asked_for_a_backchannel_still_takes_nothing() -> None:
    assert not is_interruption(Interruption(words=0, duration=0, combine="or"), "mhm", 900)


@pytest.mark.parametrize("phrase", BACKCHANNELS)
def test_each_of_the_listening_noises_is_one(phrase: str) -> None:
    assert is_backchannel(BOTH, f" {phrase.upper()}! ")


@pytest.mark.parametrize("text", ["", "...", "Uh-huh, okay.", "yeah yeah right", "mm hmm mm", "I see, I see"])
def test_several_of_them_are_nothing_more(text: str) -> None:
    assert is_backchannel(BOTH, text)


@pytest.mark.parametrize("text", ["no", "yes but", "I", "see", "huh", "okay stop"])
def test_any_other_word_is_more(text: str) -> None:
    assert not is_backchannel(BOTH, text)


def test_the_list_is_a_setting() -> None:
    rules = Interruption(backchannels=("ja", "ach so"))

    assert is_backchannel(rules, "Ach so, ja.")
    assert not is_backchannel(rules, "okay")
    assert not is_backchannel(rules, "so")


def test_a_phrase_without_words_in_it_means_nothing() -> None:
    assert not is_backchannel(Interruption(backchannels=("...",)), "stop")


def test_a_recogniser_that_repeats_itself_costs_no_time() -> None:
    """Such a text can be split into phrases in 2**500 ways."""
    assert not is_backchannel(BOTH, "mm hmm " * 500 + "stop")
    assert is_backchannel(BOTH, "yeah " * 2_000)


@given(st.lists(st.sampled_from([*BACKCHANNELS, "stop", "it", "now"]), max_size=6), st.integers(0, 2_000))
def test_more_words_and_longer_speech_never_take_less(said: list[str], voiced_ms: int) -> None:
    text = " ".join(said)
    for rules in (BOTH, EITHER):
        if is_interruption(rules, text, voiced_ms):
            assert is_interruption(rules, f"{text} stop", voiced_ms)
            assert is_interruption(rules, text, voiced_ms + 1)


@given(st.text(max_size=30), st.integers(0, 5_000))
def test_a_backchannel_is_never_an_interruption(text: str, voiced_ms: int) -> None:
    if is_backchannel(EITHER, text):
        assert not is_interruption(EITHER, text, voiced_ms)
