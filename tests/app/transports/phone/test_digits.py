"""Keys pressed one after another. Time is an argument."""

from __future__ import annotations

from app.settings.telephony import Dtmf
from app.transports.phone.digits import DigitCollector


def pressed(collector: DigitCollector, keys: str, every_ms: int = 100) -> list[str | None]:
    return [collector.press(key, number * every_ms) for number, key in enumerate(keys)]


def test_the_terminator_ends_an_answer_and_is_no_part_of_it() -> None:
    assert [None, None, "12"] == pressed(DigitCollector(Dtmf()), "12#")


def test_a_terminator_alone_is_an_answer() -> None:
    assert ["#"] == pressed(DigitCollector(Dtmf()), "#")


def test_another_terminator_may_be_chosen_or_none() -> None:
    assert [None, None, "#1"] == pressed(DigitCollector(Dtmf(terminator="*")), "#1*")
    assert [None, None] == pressed(DigitCollector(Dtmf(terminator="")), "#*")


def test_an_answer_is_over_when_it_has_as_many_digits_as_it_may() -> None:
    assert [None, "12", None, "34"] == pressed(DigitCollector(Dtmf(max_digits=2)), "1234")


def test_an_answer_is_over_when_no_further_key_comes() -> None:
    collector = DigitCollector(Dtmf(timeout=2.0))
    pressed(collector, "12")

    assert 2_100 == collector.due_ms
    assert [None, "12", None] == [collector.expire(at_ms) for at_ms in (2_099, 2_100, 9_000)]
    assert collector.due_ms is None


def test_each_key_gives_more_time() -> None:
    collector = DigitCollector(Dtmf(timeout=2.0))
    pressed(collector, "123", every_ms=1_500)

    assert 5_000 == collector.due_ms


def test_what_was_told_is_not_told_again() -> None:
    collector = DigitCollector(Dtmf())

    assert [None, "1", None, "2"] == pressed(collector, "1#2#")
    assert collector.expire(99_999) is None
