"""What is written for the eye is not said."""

from __future__ import annotations

import pytest

from session.markdown import LONGEST_WORD, Break, PlainWords, Token, Word


def tokens(text: str) -> list[Token]:
    words = PlainWords()
    return [*words.push(text), *words.finish()]


def lines(text: str) -> list[str]:
    """The words, joined; a line for each break."""
    found = [""]
    for token in tokens(text):
        match token:
            case Break():
                found.append("")
            case Word(word, glued):
                found[-1] += word if glued or not found[-1] else f" {word}"
    return [line for line in found if line]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**Note:** this is *very* _good_, ***really***.", "Note: this is very good, really."),
        ("__bold__ and ~~old~~ `code` and ``more``", "bold and old code and more"),
        ("a*b and 2 * 3 and snake_case and 5_000", "a*b and 2 * 3 and snake_case and 5_000"),
        (r"\*not\* it costs \$5", "not it costs $5"),
        ("see [the docs](https://x.y/z) now", "see the docs now"),
        ('see [the docs](https://x.y/z "the title").', "see the docs."),
        ("[a](http://x/a_(b)) b", "a b"),
        ("[a][1] and [this] and as shown[2] and[^3]", "a and this and as shown and"),
        ("![a red house](house.png) stands", "a red house stands"),
        ("![](house.png) stands", "stands"),
        ("<https://x.y> or <a@b.co>", "https://x.y or a@b.co"),
        ("one<br>two <b>bold</b>ly <a href='x' class=\"y\">link</a> end", "one two boldly link end"),
        ("<!-- unseen --> 3 < 5 > 2 and x<y", "3 < 5 > 2 and x<y"),
        ("fish &amp; chips&nbsp;now &lt;3", "fish & chips now <3"),
        ("Great 😀! Yes 👍🏽👨‍👩‍👧. Fine❤️", "Great! Yes. Fine"),
        ("hi😀there 3️⃣ \u200bx", "hi there 3 x"),
        ("क्षत्रिय क्‍ष", "क्षत्रिय क्‍ष"),  # the joiner is a letter's part where no emoji stands before it
        ("10 > 5 - 3 # 2", "10 > 5 - 3 # 2"),
    ],
)
def test_marks_inside_a_line_are_taken_out(text: str, expected: str) -> None:
    assert [expected] == lines(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Title\ntext\n## More\ntext", ["Title", "text", "More", "text"]),
        ("Title\n=====\ntext", ["Title", "text"]),
        ("items:\n- one\n* two\n+ three\n  - four\n• five", ["items:", "one", "two", "three", "four", "five"]),
        ("1. one\n2. two\n3) three", ["one", "two", "three"]),
        ("> quoted\n> more\n>> deep", ["quoted", "more", "deep"]),
        ("> - item in a quote", ["item in a quote"]),
        ("above\n\n---\n***\n* * *\nbelow", ["above", "below"]),
        ("| Name | Age |\n|:-----|----:|\n| Ann | 5 |\n|Bob|6|", ["Name, Age", "Ann, 5", "Bob, 6"]),
        ("Name | Age\n--- | ---\nAnn | 5", ["Name, Age", "Ann, 5"]),
        ("so:\n```python\nx = a*b # 1\n```\ndone", ["so:", "x = a*b # 1", "done"]),
        ("~~~\n- code\n~~~\ndone", ["- code", "done"]),
        ("```inline``` code", ["inline code"]),
        ("one\n\n\ntwo\r\nthree", ["one", "two three"]),
    ],
)
def test_blocks_lose_their_marks_and_end_where_they_end(text: str, expected: list[str]) -> None:
    assert expected == lines(text)


@pytest.mark.parametrize("text", ["5.", "1.", "1.\nIt is one.", "42. Anything else?", "2024. That was it."])
def test_a_number_that_is_an_answer_is_said(text: str) -> None:
    assert text.split(maxsplit=1)[0] == lines(text)[0].split()[0]


def test_scripts_without_spaces_break_at_their_marks() -> None:
    assert [Word("你好，"), Word("世界。", glued=True), Word("好", glued=True), Break()] == tokens("你好，世界。好")  # noqa: RUF001 - Chinese


def test_a_closing_mark_stays_with_its_stop() -> None:
    assert Word("「你好。」") == tokens("「你好。」好")[0]


def test_memory_is_bounded_by_the_longest_word() -> None:
    assert {LONGEST_WORD} == {len(token.text) for token in PlainWords().push("x" * 4000) if isinstance(token, Word)}


@pytest.mark.parametrize("unfinished", ["[a](http://x", "<a href", "[a](http://x 'title", "<!-- never closed"])
def test_what_is_never_closed_ends_with_its_line(unfinished: str) -> None:
    assert "next" == lines(f"{unfinished}\nnext")[-1].split()[-1]
