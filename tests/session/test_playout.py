"""Samples queued, sent, heard; and from them the words that were heard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.api import WordTiming
from session.playout import SPOKEN_MS_PER_CHARACTER, Playout

RATE_HZ = 1_000
"""A sample is a millisecond."""


def a_playout(*pieces: tuple[str, int], timings: tuple[WordTiming, ...] = ()) -> Playout:
    """Every piece is whole; the timings are of the last one."""
    playout = Playout(RATE_HZ)
    for index, (text, samples) in enumerate(pieces):
        playout.begin_piece(text)
        playout.spoken(samples, timings if index == len(pieces) - 1 else ())
        playout.spoken_whole()
    return playout


def heard_at(playout: Playout, samples: int) -> str:
    playout.played(samples, samples)
    return playout.heard_text()


# --- positions --------------------------------------------------------------------------------------------------


def test_nothing_was_queued_and_all_of_it_was_heard() -> None:
    playout = Playout(RATE_HZ)

    assert playout.heard_all
    assert (0, 0, "") == (playout.ahead_ms, playout.heard_ms, playout.heard_text())


def test_what_is_queued_and_not_heard_is_ahead() -> None:
    playout = Playout(8_000)
    playout.begin_piece("hello")
    playout.spoken(8_000, ())
    playout.played(4_000, 2_000)

    assert (750, 250, False) == (playout.ahead_ms, playout.heard_ms, playout.heard_all)


def test_a_position_never_goes_back() -> None:
    playout = a_playout(("hello", 100))

    assert [True, False, False, True] == [
        playout.played(60, 40),
        playout.played(60, 40),
        playout.played(20, 10),
        playout.played(60, 41),
    ]
    assert (60, 41) == (playout.sent_samples, playout.heard_samples)


def test_no_more_is_heard_than_was_sent_and_no_more_sent_than_was_queued() -> None:
    playout = a_playout(("hello", 100))
    playout.played(60, 90)

    assert (60, 60) == (playout.sent_samples, playout.heard_samples)

    playout.played(500, 500)

    assert (100, 100) == (playout.sent_samples, playout.heard_samples)


def test_what_is_given_up_is_not_waited_for() -> None:
    playout = a_playout(("hello there", 100))
    playout.played(60, 60)
    playout.give_up()

    assert playout.heard_all
    assert (0, 60) == (playout.ahead_ms, playout.heard_ms)


# --- words ------------------------------------------------------------------------------------------------------

TIMED = (WordTiming("one", 400), WordTiming("two", 500), WordTiming("three", 1_000))


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (0, ""),
        (199, ""),
        (200, "one"),
        (449, "one"),
        (450, "one two"),
        (749, "one two"),
        (750, "one two three"),
        (1_000, "one two three"),
    ],
)
def test_by_timing_a_word_was_heard_when_half_of_it_was(samples: int, expected: str) -> None:
    assert expected == heard_at(a_playout(("one two three", 1_000), timings=TIMED), samples)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [(149, ""), (150, "abc"), (399, "abc"), (400, "abc de"), (749, "abc de"), (750, "abc de fghij")],
)
def test_without_timing_words_take_their_share_by_letters(samples: int, expected: str) -> None:
    assert expected == heard_at(a_playout(("abc de fghij", 1_000)), samples)


def test_timings_that_do_not_match_the_words_are_not_believed() -> None:
    assert "abc" == heard_at(a_playout(("abc de fghij", 1_000), timings=TIMED[:2]), 200)


def test_of_a_piece_that_is_still_synthesised_the_first_words_have_their_times() -> None:
    playout = Playout(RATE_HZ)
    playout.begin_piece("one two three four")
    playout.spoken(1_000, TIMED[:2])

    assert ["one", "one two", "one two", "one two three"] == [heard_at(playout, at) for at in (200, 450, 600, 700)]


def test_timings_that_come_with_later_audio_are_put_together() -> None:
    playout = Playout(RATE_HZ)
    playout.begin_piece("one two three")
    playout.spoken(450, TIMED[:1])
    playout.spoken(550, TIMED[1:])

    assert "one two" == heard_at(playout, 500)


def test_pieces_are_heard_one_after_another() -> None:
    playout = a_playout(("One.", 400), ("Two three.", 1_000))

    assert ["", "One.", "One.", "One. Two", "One. Two three."] == [
        heard_at(playout, samples) for samples in (100, 400, 500, 700, 1_400)
    ]


def test_a_piece_that_is_still_synthesised_is_taken_to_have_its_ordinary_length() -> None:
    text = "word " * 9 + "word"
    playout = Playout(RATE_HZ)
    playout.begin_piece(text)
    playout.spoken(len(text) * SPOKEN_MS_PER_CHARACTER // 2, ())

    assert "word " * 4 + "word" == heard_at(playout, playout.queued_samples)


def test_a_piece_that_is_longer_than_ordinary_is_as_long_as_it_is_so_far() -> None:
    playout = Playout(RATE_HZ)
    playout.begin_piece("one two")
    playout.spoken(5_000, ())

    assert ["one", "one two"] == [heard_at(playout, samples) for samples in (1_250, 3_750)]


def test_an_unfinished_piece_that_was_not_begun_is_not_heard() -> None:
    playout = a_playout(("One.", 400))
    playout.begin_piece("Two.")
    playout.spoken(100, ())

    assert "One." == heard_at(playout, 400)


def test_a_piece_without_words_is_heard_as_it_is() -> None:
    assert "" == heard_at(a_playout(("", 100)), 50)


texts = st.lists(st.text("abcé.!", min_size=1, max_size=8), min_size=1, max_size=6).map(" ".join)
pieces = st.lists(st.tuples(texts, st.integers(1, 3_000)), min_size=1, max_size=4)


@given(pieces, st.sampled_from(["finished", "unfinished"]), st.lists(st.integers(0, 12_000), max_size=8))
def test_what_was_heard_is_a_prefix_and_only_grows(said: list[tuple[str, int]], last: str, at: list[int]) -> None:
    playout = a_playout(*said[:-1])
    text, samples = said[-1]
    playout.begin_piece(text)
    playout.spoken(samples, ())
    if last == "finished":
        playout.spoken_whole()
    reply, before = " ".join(text for text, _ in said), ""
    for position in sorted(at):
        heard = heard_at(playout, position)

        assert reply.startswith(heard)
        assert heard.startswith(before)
        before = heard


@given(pieces)
def test_a_reply_that_was_played_to_its_end_was_heard_whole(said: list[tuple[str, int]]) -> None:
    playout = a_playout(*said)

    assert " ".join(text for text, _ in said) == heard_at(playout, playout.queued_samples)
