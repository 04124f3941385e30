"""Agent text into speakable pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session.segments import LONGEST_PIECE_CHARS, Segmenter


def pieces(*deltas: str) -> list[str]:
    segmenter = Segmenter()
    return [piece for delta in deltas for piece in segmenter.push(delta)] + segmenter.flush()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello! How are you? I am fine.", ["Hello!", "How are you?", "I am fine."]),
        ("One sentence, without an end", ["One sentence, without an end"]),
        ('He said "Stop!" and left. "Really?" He nodded.', ['He said "Stop!" and left.', '"Really?"', "He nodded."]),
        ("(Is it so?) Yes.", ["(Is it so?)", "Yes."]),
        ("Wait... what? I wonder... Maybe.", ["Wait... what?", "I wonder...", "Maybe."]),
        ("你好。今天天气很好！你呢？", ["你好。", "今天天气很好！", "你呢？"]),  # noqa: RUF001 - Chinese
        ("क्या हाल है? मैं ठीक हूँ। अच्छा।", ["क्या हाल है?", "मैं ठीक हूँ।", "अच्छा।"]),
        ("Bonjour ! Ça va ?", ["Bonjour !", "Ça va ?"]),
        ("first paragraph\n\nsecond paragraph", ["first paragraph", "second paragraph"]),
        ("soft\nwrapped   line", ["soft wrapped line"]),
    ],
)
def test_sentences_are_pieces(text: str, expected: list[str]) -> None:
    assert expected == pieces(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sure, I can do that, it is easy, really. Yes, very easy.", ["Sure, I can do that,", "it is easy, really."]),
        ("Let me see: it is here. So.", ["Let me see:", "it is here."]),
        ("Well — let me see — yes. So.", ["Well — let me see —", "yes."]),
        ("On March 5, 2024, we met. So.", ["On March 5, 2024, we met.", "So."]),
        ("We have 1, 2 or 3 of them. So.", ["We have 1, 2 or 3 of them.", "So."]),
    ],
)
def test_the_first_clause_is_said_without_waiting_for_the_sentence(text: str, expected: list[str]) -> None:
    assert expected == pieces(text)[:2]


def test_the_first_clause_is_given_out_as_soon_as_the_space_behind_it_is_there() -> None:
    segmenter = Segmenter()

    assert [] == segmenter.push("Of course I can,")
    assert ["Of course I can,"] == segmenter.push(" ")


@pytest.mark.parametrize(
    "text",
    [
        "It takes 3.14 minutes at 10:30 for 1,000,000 people in version 1.2.3 of it.",
        "Dr. Smith and Mrs. Jones met Prof. Lee vs. Mr. X at St. Mary approx. at noon.",
        "See fig. 3, e.g. the tree, i.e. the oak, or No. 5 on p. 7 of vol. 2.",
        "The U.S. Army and the U.K. Parliament agreed at 5 p.m. yesterday.",
        "J. R. R. Tolkien and John F. Kennedy never met.",
        "Write to jane.doe@example.co.uk or see https://example.com/a.b?c=d.e!f now.",
        "Acme Inc. sells to Smith et al. every day.",
        "I wait... and wait… and wait.",
        "The 1. of May is no. 1 here.",
    ],
)
def test_a_dot_that_ends_no_sentence_ends_no_piece(text: str) -> None:
    assert [text] == pieces("Hello. " + text)[1:]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I live in the U.S. It is big.", ["I live in the U.S.", "It is big."]),
        ("We met at 5 p.m. Then we left.", ["We met at 5 p.m.", "Then we left."]),
        ("Take vitamin C. The rest is sleep.", ["Take vitamin C.", "The rest is sleep."]),
        ("It was 2024. Nobody came.", ["It was 2024.", "Nobody came."]),
        ("No. That is wrong.", ["No.", "That is wrong."]),
        ("Apples, pears, etc. They are ripe.", ["Apples, pears, etc.", "They are ripe."]),
        ("Go to example.com. Then log in.", ["Go to example.com.", "Then log in."]),
    ],
)
def test_an_abbreviation_ends_a_sentence_where_another_begins(text: str, expected: list[str]) -> None:
    assert expected == pieces(text)


def test_a_long_sentence_is_said_clause_by_clause() -> None:
    clause = "and there is always one more thing to be said about it,"
    found = pieces("Hello. " + " ".join([clause] * 12) + " the end.")

    assert all(120 < len(piece) <= 200 for piece in found[1:-1])
    assert all(piece.endswith("it,") for piece in found[1:-1])


def test_a_clause_without_end_is_cut_between_words() -> None:
    found = pieces("word " * 1000)

    assert {"word"} == {word for piece in found for word in piece.split()}
    assert 1000 == sum(len(piece.split()) for piece in found)
    assert max(map(len, found)) <= LONGEST_PIECE_CHARS


def test_a_word_without_end_is_cut() -> None:
    found = pieces("x" * 1_000)

    assert ("x" * 1_000, [400, 400, 200]) == ("".join(found), [len(piece) for piece in found])


@pytest.mark.parametrize("text", ["", " \n ", "...", "?!", "😀", "***", "—", "**", ":-)", "!" * 2_000])
def test_what_nobody_can_say_is_no_piece(text: str) -> None:
    assert [] == pieces(text)


def test_after_a_flush_another_text_begins() -> None:
    segmenter = Segmenter()
    segmenter.push("```\ncode that never ends, and [a link](http://")
    segmenter.flush()

    assert ["Hello there, *friend*,"[:12] + " friend,", "hello."] == segmenter.push("Hello there, *friend*, hello. ")


# Words, marks and markdown, so that cuts fall inside all of them.
TEXTS = st.lists(
    st.sampled_from(
        [
            *(
                "Hello",
                "dr.",
                "U.S.",
                "3.14",
                "e.g.",
                "No.",
                "5",
                "The",
                "a@b.co",
                "https://x.y/z_(q)",
                "1.",
                "x",
                "你好。",
            ),
            *(".", ",", "!", "?", "...", "…", ":", "—", '"', ")", "(", "😀", "👍🏽", "\u200d", "&amp;"),
            *(
                "*",
                "**",
                "_",
                "`",
                "```",
                "#",
                "-",
                ">",
                "|",
                "---",
                "[",
                "](",
                "](u)",
                "![",
                "<b>",
                "<a",
                ">",
                "\\",
                "~~",
            ),
            *(" ", " ", " ", "\n", "\n\n", "\t"),
        ]
    ),
    max_size=60,
).map("".join)


@given(TEXTS, st.data())
def test_the_pieces_do_not_depend_on_the_cuts(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20)))
    deltas = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    assert pieces(text) == pieces(*deltas) == pieces(*text)


@given(st.one_of(TEXTS, st.text(max_size=600)))
def test_every_piece_can_be_said(text: str) -> None:
    for piece in pieces(text):
        assert any(map(str.isalnum, piece))
        assert " ".join(piece.split()) == piece
        assert len(piece) <= LONGEST_PIECE_CHARS


PLAIN = st.lists(st.text("abcXYZ019.,;:!?'\"", min_size=1, max_size=12), max_size=80).map(" ".join)


@given(PLAIN.map(lambda text: "So " + text))
def test_no_word_is_lost_doubled_or_split(text: str) -> None:
    spoken = [word for piece in pieces(text) for word in piece.split()]

    assert [word for word in text.split() if any(map(str.isalnum, word))] == [
        word for word in spoken if any(map(str.isalnum, word))
    ]
