from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.word_ends import word_ends


@pytest.mark.parametrize(
    ("words", "said", "expected"),
    [
        (["abc", "de", "f"], "abcdef", [3, 5, 6]),
        (["eɪ", "kæt"], "ɐkæt", [1, 4]),  # noqa: RUF001 - the sound is meant; the article, said as the letter when it stands alone
        (["noʊ", "noʊ", "noʊ"], "noʊnoʊnoʊ", [3, 6, 9]),
        (["", "abc", ""], "abc", [0, 3, 3]),
        (["abc", "xy"], "", [0, 0]),
        ([], "abc", []),
    ],
)
def test_words_are_over_where_their_sounds_are(words: list[str], said: str, expected: list[int]) -> None:
    assert expected == word_ends(words, said)


@given(st.lists(st.text("abc", max_size=5), max_size=8), st.text("abc", max_size=30))
def test_ends_are_in_order_and_within_what_was_said(words: list[str], said: str) -> None:
    ends = word_ends(words, said)

    assert len(words) == len(ends)
    assert sorted(ends) == ends
    assert all(0 <= end <= len(said) for end in ends)
