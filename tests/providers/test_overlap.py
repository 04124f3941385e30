"""Two transcripts whose audio overlapped, as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.overlap import Joint, continuation, join, joint

OVERLAP_MS = 1_500

UNALIKE = (
    "garden summit purple kitchen velvet bicycle thunder echo lantern whisper island copper fox marble quick umbrella "
    "jazz noodle winter saddle rhythm oxygen hollow beyond dance frigid puzzle young crystal harbour"
)
WORDS = UNALIKE.split()
speeches = st.permutations(WORDS)
texts = st.lists(st.sampled_from(["it", "was", "the", "age", "of", "Wisdom.", "no", "-", "3"]), max_size=20).map(
    " ".join
)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[list[str], int, int]:
    """What was said, where the left ends, and where the right begins: two to eight words before."""
    said = draw(speeches)
    end = draw(st.integers(8, len(said) - 2))
    return said, end, end - draw(st.integers(2, 8))


@given(cuts())
def test_every_word_is_there_once(cut: tuple[list[str], int, int]) -> None:
    said, end, begin = cut

    assert " ".join(said) == join(" ".join(said[:end]), " ".join(said[begin:]), OVERLAP_MS)


@given(cuts())
def test_case_and_punctuation_at_the_joint_do_not_matter(cut: tuple[list[str], int, int]) -> None:
    said, end, begin = cut
    left, right = " ".join(said[:end]) + ".", " ".join(said[begin:]).capitalize()

    assert said == join(left, right, OVERLAP_MS).lower().replace(".", "").split()


@given(cuts(), st.sampled_from(["XYZ", "0", "QQ7!"]), st.sampled_from(["9ZX", "8", "Q77"]))
def test_a_garbled_word_at_either_edge_is_left_out(cut: tuple[list[str], int, int], last: str, first: str) -> None:
    """Two whole words remain between them at least."""
    said, end, begin = cut
    begin = min(begin, end - 4)
    left, right = [*said[: end - 1], last], [first, *said[begin + 1 :]]

    assert said == join(" ".join(left), " ".join(right), OVERLAP_MS).split()


@given(cuts(), st.integers(0, 3))
def test_a_continuation_is_what_was_not_told_yet(cut: tuple[list[str], int, int], held_back: int) -> None:
    said, end, begin = cut
    told = end - held_back
    rest = continuation(" ".join(said[:end]), " ".join(said[begin:]), OVERLAP_MS, told_words=told)

    assert said == said[:told] + rest.split()


@given(texts, texts)
def test_a_joint_lies_within_both_and_leaves_little_of_either_out(left: str, right: str) -> None:
    lefts, rights = left.split(), right.split()
    at = joint(lefts, rights, OVERLAP_MS)
    most = OVERLAP_MS * 6 // 1000 + 2

    assert max(0, len(lefts) - most) <= at.kept <= len(lefts)
    assert 0 <= at.dropped <= min(most, len(rights))


@given(texts)
def test_what_says_nothing_changes_nothing(text: str) -> None:
    assert text == join(text, "", OVERLAP_MS) == join("", text, OVERLAP_MS)


@pytest.mark.parametrize(
    ("left", "right", "whole"),
    [
        # as Moonshine heard them
        ("It was the E. P", "It was the epoch of belief.", "It was the epoch of belief."),
        ("In short, the period was a bit of a", "In short, the period was so far", "In short, the period was so far"),
        ("We were going to", "So we were all going direct", "We were all going direct"),
        ("insisted on its bee", "own its being received, for good", "insisted on its being received, for good"),
        ("in the sup", "superlative degree", "in the superlative degree"),
        ("the worst of times.", "Times, it was the age", "the worst of times, it was the age"),
        # the same words again, which were said twice
        (
            "it was the best of times, it was",
            "it was the worst of times, it was the age",
            "it was the best of times, it was the worst of times, it was the age",
        ),
        (
            "the age of wisdom, it was the",
            "was the age of foolishness",
            "the age of wisdom, it was the age of foolishness",
        ),
        (
            "the best of times, it was the worst of times.",
            "Of times, it was the age of wisdom.",
            "the best of times, it was the worst of times, it was the age of wisdom.",
        ),
        ("no no", "no no no", "no no no"),
        # nothing in common, and nothing new
        ("one two three", "seven eight", "one two three seven eight"),
        ("one two three four", "two three", "one two three four"),
        ("a - b", "- b c", "a - b c"),
    ],
)
def test_a_joint_as_it_was_heard(left: str, right: str, whole: str) -> None:
    assert whole == join(left, right, 1_060 if "Of times" in right else OVERLAP_MS)


def test_more_words_than_the_overlap_can_hold_are_not_compared() -> None:
    """Whoever says a long sentence twice has said it twice."""
    assert Joint(len(WORDS), 0) == joint(WORDS, WORDS, 500)
