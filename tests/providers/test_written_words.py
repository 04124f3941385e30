from __future__ import annotations

from providers.written_words import Place, Word

WORDS = [Word(word) for word in ('"He', "paid", "($5),", "twice;", "and", "left.")]


def place(at: int) -> Place:
    return Place(WORDS, at, day_first=False)


def test_the_marks_around_a_word_are_not_the_word() -> None:
    assert [('"', "He", ""), ("(", "$5", "),"), ("", "left", ".")] == [
        (word.lead, word.core, word.trail) for word in (WORDS[0], WORDS[2], WORDS[5])
    ]


def test_a_neighbour_is_near_unless_the_clause_is_over() -> None:
    assert ["He", "$5", "", ""] == [place(1).near(-1), place(1).near(1), place(3).near(1), place(5).near(1)]


def test_words_are_apart_where_a_comma_stands_between() -> None:
    assert [False, True] == [place(1).apart(1), place(3).apart(-1)]


def test_the_last_word_ends_the_sentence() -> None:
    assert [False, True] == [place(3).ends_sentence, place(5).ends_sentence]
    assert "." == place(5).trail
